"""Which numbers are dialled."""

import re
from functools import cache

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers.phonemetadata import PhoneMetadata
from phonenumbers.shortnumberinfo import SUPPORTED_SHORT_REGIONS

from server.calls.policy.errors import NumberRefused, RulesInvalid
from server.calls.policy.numbers import (
    FICTION,
    NumberRules,
    check_number,
    is_emergency,
    is_emergency_user,
    normalise,
    regions_of,
)

ALL = frozenset(phonenumbers.SUPPORTED_REGIONS)
ANYWHERE = NumberRules(home_region="US", allowed_regions=ALL)
US_ONLY = NumberRules(home_region="US", allowed_regions=frozenset({"US"}))


def refusal(number: str, rules: NumberRules = ANYWHERE) -> str:
    with pytest.raises(NumberRefused) as caught:
        check_number(number, rules)
    assert caught.value.field == "to"
    return caught.value.code


@cache
def emergency_numbers(region: str) -> tuple[str, ...]:
    """Every number of up to six digits that the region's metadata calls an emergency number."""
    metadata = PhoneMetadata.short_metadata_for_region(region)
    if metadata is None or metadata.emergency is None:
        return ()
    pattern = re.compile(metadata.emergency.national_number_pattern)
    lengths = metadata.emergency.possible_length or metadata.general_desc.possible_length
    return tuple(
        digits
        for length in lengths
        for number in range(10**length)
        if pattern.fullmatch(digits := f"{number:0{length}}")
    )


@pytest.mark.parametrize("region", sorted(SUPPORTED_SHORT_REGIONS))
def test_every_emergency_number_is_refused_in_every_form(region: str) -> None:
    numbers = emergency_numbers(region)
    code = phonenumbers.country_code_for_region(region)
    at_home = NumberRules(home_region=region, allowed_regions=ALL)
    for digits in numbers:
        spaced = " ".join(digits)
        for form in (digits, spaced, f"({digits})", "-".join(digits)):
            assert refusal(form, at_home) == "emergency_number_blocked", form
        for form in (f"+{code}{digits}", f"+{code} {spaced}", f"+{code}-{digits}"):
            assert refusal(form) == "emergency_number_blocked", form
            assert refusal(form, at_home) == "emergency_number_blocked", form


def test_every_region_but_a_few_has_an_emergency_number_to_refuse() -> None:
    without = [region for region in SUPPORTED_SHORT_REGIONS if not emergency_numbers(region)]
    assert len(without) < len(SUPPORTED_SHORT_REGIONS) / 20, without


@pytest.mark.parametrize(
    "number",
    [
        "+112",
        "+911",
        "+999",
        "112",
        "999",
        "０1144 999",
        "011 44 999",
        "+1 911 555 1234",
        "+1911555",
        "9115551234",
        "911,123",
        "911;ext=5",
        "call 911",
        "٩١١",
        "+44 999 123 4567",
        "+44 (0) 999",
        "+49 0112",
    ],
)
def test_what_may_reach_an_emergency_service_is_refused(number: str) -> None:
    assert refusal(number) == "emergency_number_blocked"


@pytest.mark.parametrize("number", ["411", "+1411", "+1 211", "611", "+44 118118", "+49 115"])
def test_other_short_codes_are_refused_alike(number: str) -> None:
    assert refusal(number) == "emergency_number_blocked"


@pytest.mark.parametrize("number", ["+91 11 2345 6789", "+33 1 53 20 40 50", "+39 06 1234 5678"])
def test_a_real_number_that_begins_like_an_emergency_number_is_not_one(number: str) -> None:
    assert check_number(number, ANYWHERE) == number.replace(" ", "")


@pytest.mark.parametrize(
    "number",
    [
        "+14155551234",
        "+14155555678",
        "+16475551234",
        "+16473705600",
        "+16478359044",
        "+14165550123",
        "+14165559999",
        "+442079460018",
        "+4930901820",
        "+81312345678",
        "+61491570156",
        "+443001234567",
        "+611300123456",
        "+18005551234",
    ],
)
def test_ordinary_numbers_and_those_of_the_documents_are_dialled(number: str) -> None:
    assert check_number(number, ANYWHERE) == number


@pytest.mark.parametrize("prefix", FICTION)
def test_numbers_reserved_for_fiction_count_as_assigned(prefix: str) -> None:
    number = prefix + "123456"[: (13 if prefix.startswith("+44") else 12) - len(prefix)]
    assert check_number(number, ANYWHERE) == number


def test_a_number_as_people_write_it_becomes_e164() -> None:
    assert check_number(" (415) 555‑1234", ANYWHERE) == "+14155551234"
    assert check_number("+44 (0)20 7946 0018", ANYWHERE) == "+442079460018"
    assert check_number("011 44 20 7946 0018", ANYWHERE) == "+442079460018"


@pytest.mark.parametrize(
    "number",
    [
        "+19005551234",
        "+19001112222",
        "+12129761234",
        "+15005551234",
        "+449012345678",
        "+448711234567",
        "+447012345678",
        "+33899123456",
        "+33825123456",
        "+491801234567",
        "+979123456789",
        "+9791",
    ],
)
def test_numbers_that_cost_extra_are_refused(number: str) -> None:
    assert refusal(number) == "premium_number_blocked"


@pytest.mark.parametrize("region", sorted(phonenumbers.SUPPORTED_REGIONS))
def test_the_premium_example_of_every_region_is_refused(region: str) -> None:
    for kind in (
        phonenumbers.PhoneNumberType.PREMIUM_RATE,
        phonenumbers.PhoneNumberType.PERSONAL_NUMBER,
    ):
        example = phonenumbers.example_number_for_type(region, kind)
        if example is not None:
            number = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
            assert refusal(number) == "premium_number_blocked", number


@pytest.mark.parametrize(
    "number",
    [
        "+870773111632",
        "+881612345678",
        "+88216123456",
        "+8835100001234",
        "+8781012345678",
        "+888123456789",
        "+80012345678",
        "+991",
        "+16005551234",
        "+61147123456",
        "+8811",
    ],
)
def test_satellite_and_international_networks_are_refused(number: str) -> None:
    assert refusal(number) == "satellite_number_blocked"


@pytest.mark.parametrize(
    "number",
    [
        "",
        "+",
        "hello",
        "+1-800-FLOWERS",
        "+14155551234 ext. 5",
        "+14155551234,,5",
        "+141555512",
        "5551234",
        "+141555512345",
        "+15551234567",
        "+12425551234",
        "+1 415 555 1234 x",
        "tel:+14155551234",
        "+14155551234\x00",
        "sip:alice@example.com",
        "+2101234567",
    ],
)
def test_what_is_no_assigned_number_is_invalid(number: str) -> None:
    assert refusal(number) == "invalid_number"


def test_our_own_number_is_not_called_however_it_is_written() -> None:
    rules = NumberRules(
        home_region="US",
        allowed_regions=frozenset({"US"}),
        own_numbers=frozenset({"+14155551234"}),
    )
    for written in ("+14155551234", "415-555-1234", "+1 (415) 555 1234", "1 415 555 1234"):
        assert refusal(written, rules) == "self_call"


def test_our_own_number_is_known_before_its_country_is_asked() -> None:
    rules = NumberRules("US", frozenset({"US"}), frozenset({"+16473705600"}))
    assert refusal("+16473705600", rules) == "self_call"


@pytest.mark.parametrize(
    ("number", "region"),
    [
        ("+16475551234", "CA"),
        ("+18764567890", "JM"),
        ("+17875551234", "PR"),
        ("+442079460018", "GB"),
    ],
)
def test_the_allowlist_goes_by_region_and_not_by_country_code(number: str, region: str) -> None:
    assert refusal(number, US_ONLY) == "country_blocked"
    assert regions_of(number) == {region}
    assert check_number(number, NumberRules("US", frozenset({region}))) == number


def test_a_toll_free_number_belongs_to_every_region_that_shares_it() -> None:
    assert {"US", "CA"} <= regions_of("+18005551234")
    assert check_number("+18005551234", NumberRules("CA", frozenset({"CA"}))) == "+18005551234"


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("+44999", "emergency_number_blocked"),
        ("+449012345678", "premium_number_blocked"),
        ("+870773111632", "satellite_number_blocked"),
        ("+4420", "invalid_number"),
    ],
)
def test_the_danger_is_named_before_the_country(number: str, code: str) -> None:
    assert refusal(number, US_ONLY) == code


@pytest.mark.parametrize("number", ["+14165550123 ext 7", "+449012345678", "+44999"])
def test_no_message_repeats_the_number(number: str) -> None:
    with pytest.raises(NumberRefused) as caught:
        check_number(number, ANYWHERE)
    assert not re.search(r"\d", caught.value.message.replace("+14165550000", ""))


def test_rules_that_name_no_region_are_an_error() -> None:
    with pytest.raises(RulesInvalid):
        NumberRules(home_region="UK", allowed_regions=frozenset({"GB"}))
    with pytest.raises(RulesInvalid):
        NumberRules(home_region="GB", allowed_regions=frozenset({"EU"}))
    with pytest.raises(RulesInvalid):
        NumberRules("GB", frozenset({"GB"}), frozenset({"020 7946 0018"}))


ODD = st.text(alphabet="0123456789+ ()-.;,#*x/٣４\u200b＋ext", max_size=30) | st.text(max_size=40)
REGION = st.sampled_from(sorted(phonenumbers.SUPPORTED_REGIONS))


@given(ODD, REGION)
def test_no_string_raises_anything_but_a_refusal(number: str, home: str) -> None:
    is_emergency(number, home)
    try:
        e164 = check_number(number, NumberRules(home, ALL))
    except NumberRefused:
        return
    assert re.fullmatch(r"\+[1-9]\d{6,14}", e164)


@given(st.from_regex(r"\+?[0-9 ()-]{3,16}", fullmatch=True), REGION)
def test_a_normalised_number_stays_as_it_is(number: str, home: str) -> None:
    try:
        e164 = normalise(number, home)
    except NumberRefused:
        return
    assert normalise(e164, "US") == e164


@given(REGION, st.integers(0, 10**10), REGION)
def test_what_passes_once_passes_again_in_e164(region: str, digits: int, home: str) -> None:
    rules = NumberRules(home, ALL)
    code = phonenumbers.country_code_for_region(region)
    try:
        e164 = check_number(f"+{code}{digits}", rules)
    except NumberRefused:
        return
    assert check_number(e164, rules) == e164


@pytest.mark.parametrize(
    "user", ["911", "112", "+1911", "+19115550123", "9911", "*911", "9%311", "911;phone-context=x"]
)
def test_an_emergency_number_behind_a_pbx_is_one(user: str) -> None:
    assert is_emergency_user(user, "US")


@pytest.mark.parametrize("user", ["alice", "bob911", "100", "2000", "20001", "+14165550123"])
def test_names_and_extensions_are_no_emergency_numbers(user: str) -> None:
    assert not is_emergency_user(user, "US")
