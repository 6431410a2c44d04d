"""What may be dialled: E.164 first, then the refusals, the most dangerous first.

Stands before every call, transfer, conference and tool. Plans and short numbers are those of
libphonenumber. A number must be assigned in its plan: fraud lives on unassigned ranges, and
only an assigned number has a region to hold against the allowlist. Numbers that regulators
reserve for fiction and that libphonenumber does not know (`FICTION`) count as assigned.
"""

import re
from dataclasses import dataclass, field
from urllib.parse import unquote

import phonenumbers
from phonenumbers import PhoneNumber, PhoneNumberType, ValidationResult

from server.calls.policy.errors import NumberRefused, RulesInvalid

WRITTEN = re.compile(r"\s*[+＋]?[\d\s().\-\u2010-\u2015\u2212]+")
"""Digits of any script and the usual separators; letters, extensions and pauses are not dialled."""
NOWHERE = "ZZ"
"""A home region without numbers of its own."""
EMERGENCY_ABROAD = frozenset({"000", "110", "112", "119", "911", "999"})
"""Refused everywhere: networks route the well-known ones wherever they are dialled."""
PREMIUM_TYPES = frozenset(
    {
        PhoneNumberType.PREMIUM_RATE,
        PhoneNumberType.SHARED_COST,
        PhoneNumberType.PERSONAL_NUMBER,
        PhoneNumberType.PAGER,
    }
)
"""Personal numbers (such as +44 70) forward at the caller's expense; pagers cannot talk."""
PREMIUM = re.compile(r"1900|1\d{3}976|1976|979")
"""Charged ranges that libphonenumber takes for others or knows only in part: NANP 900 and
976 exchanges, and the international premium rate service (ITU-T E.169.2)."""
LOCAL_RATE = ("6113",)
"""Shared cost by type but charged like a local call: Australian 13 and 1300."""
SATELLITE = ("800", "808", "870", "878", "881", "882", "883", "888", "991", "1600", "61147")
"""Codes of no country (ITU-T E.164 list), and satellite ranges inside +1 and +61."""
FICTION = {"+441632960": "GB", "+447700900": "GB", "+33639980": "FR", "+33639981": "FR"}


@dataclass(frozen=True, slots=True)
class NumberRules:
    """Whom this deployment may dial."""

    home_region: str
    """ISO 3166 code of where we dial from; numbers without a plus sign are read there."""
    allowed_regions: frozenset[str]
    """ISO 3166 codes: the `US` is neither Canada nor Puerto Rico."""
    own_numbers: frozenset[str] = field(default=frozenset())
    """E.164."""

    def __post_init__(self) -> None:
        for region in (self.home_region, *self.allowed_regions):
            if region not in phonenumbers.SUPPORTED_REGIONS:
                raise RulesInvalid(f"{region!r} is not a region such as US or GB", "region")
        if not all(re.fullmatch(r"\+[1-9]\d{1,14}", own) for own in self.own_numbers):
            raise RulesInvalid("an own number is not in E.164", "own_numbers")


def normalise(number: str, home_region: str) -> str:
    """Return the number in E.164.

    Raises `NumberRefused` (`invalid_number`) where no plan allows a number of this length.
    """
    parsed = _parse(number, home_region) if WRITTEN.fullmatch(number) else None
    if parsed is None or parsed.extension is not None:
        raise NumberRefused("invalid_number", "not a telephone number such as +14165550000")
    possible = phonenumbers.is_possible_number_with_reason(parsed)
    if possible != ValidationResult.IS_POSSIBLE:
        raise NumberRefused("invalid_number", "no number of its country has this length")
    return _e164(parsed)


def check_number(number: str, rules: NumberRules) -> str:
    """Return the number in E.164 where it may be dialled. Raises `NumberRefused`."""
    if is_emergency(number, rules.home_region):
        raise NumberRefused(
            "emergency_number_blocked", "emergency and short numbers are never called"
        )
    parsed = _parse(number, rules.home_region)
    international = _e164(parsed)[1:] if parsed else _unreadable(number)
    if f"+{international}" in rules.own_numbers:
        raise NumberRefused("self_call", "this is the deployment's own number")
    if _is_premium(parsed, international):
        raise NumberRefused("premium_number_blocked", "premium rate and shared cost numbers")
    if international.startswith(SATELLITE):
        raise NumberRefused("satellite_number_blocked", "satellite and international networks")
    e164 = normalise(number, rules.home_region)
    regions = regions_of(e164)
    if not regions:
        raise NumberRefused("invalid_number", "the number is not assigned in its country's plan")
    if regions.isdisjoint(rules.allowed_regions):
        raise NumberRefused(
            "country_blocked", f"{'/'.join(sorted(regions))} is not among the allowed regions"
        )
    return e164


def regions_of(e164: str) -> frozenset[str]:
    """The regions a number belongs to: one, but for toll-free numbers that several share.

    Empty where the number is not assigned, or belongs to no country.
    """
    for prefix, region in FICTION.items():
        if e164.startswith(prefix):
            return frozenset({region})
    parsed = phonenumbers.parse(e164)
    if phonenumbers.number_type(parsed) == PhoneNumberType.TOLL_FREE:
        return frozenset(
            region
            for region in _regions_of_code(parsed)
            if phonenumbers.is_valid_number_for_region(parsed, region)
        )
    home = phonenumbers.region_code_for_number(parsed)
    if home is None or home == "001" or not phonenumbers.is_valid_number(parsed):
        return frozenset()
    return frozenset({home})


def is_emergency(number: str, home_region: str) -> bool:
    """Whether the number may reach an emergency service or is a short code. Never raises.

    Short numbers count with and without a country code, at home and where they are dialled
    to. A longer number that merely begins like one (+1 911 …, +44 999 …) counts where it is
    not assigned: an exchange on the way may stop listening after the third digit.
    """
    if is_emergency_itself(number, home_region):
        return True
    parsed = _parse(number, home_region)
    if parsed is None or phonenumbers.is_valid_number(parsed):
        return False
    national, there = phonenumbers.national_significant_number(parsed), _regions_of_code(parsed)
    return phonenumbers.is_valid_short_number(parsed) or any(
        phonenumbers.connects_to_emergency_number(national, region) for region in there
    )


def is_emergency_itself(number: str, home_region: str = NOWHERE) -> bool:
    """Whether the number is an emergency number, with or without a country code. Never raises."""
    digits, parsed = _digits(number), _parse(number, home_region)
    if parsed is None:
        return _is_emergency_short({digits, digits.lstrip("0")}, frozenset({home_region}))
    national = phonenumbers.national_significant_number(parsed)
    after_code = digits.removeprefix(str(parsed.country_code))
    short = {digits, national, national.lstrip("0"), after_code, after_code.lstrip("0")}
    return _is_emergency_short(short, _regions_of_code(parsed) | {home_region})


def is_emergency_user(user: str, home_region: str = NOWHERE) -> bool:
    """Whether the user part of a SIP URI may reach an emergency service. Never raises.

    Extensions of a PBX may look like short codes, so that only emergency numbers count here;
    9 is what many of them want before an outside line (47 CFR 9.16).
    """
    dialled = re.sub(r"[*#]|[;:].*", "", unquote(user))
    if not WRITTEN.fullmatch(dialled):
        return False
    if "+" in dialled:
        return is_emergency(dialled, home_region)
    digits = _digits(dialled)
    outside = phonenumbers.is_emergency_number(digits.removeprefix("9"), home_region)
    return outside or is_emergency_itself(digits, home_region)


def _regions_of_code(parsed: PhoneNumber) -> frozenset[str]:
    code = parsed.country_code or 0
    return frozenset(phonenumbers.region_codes_for_country_code(code)) - {"001"}


def _is_emergency_short(dialled: set[str], regions: frozenset[str]) -> bool:
    return not dialled.isdisjoint(EMERGENCY_ABROAD) or any(
        phonenumbers.is_emergency_number(digits, region)
        for digits in dialled
        if digits
        for region in regions
    )


def _is_premium(parsed: PhoneNumber | None, international: str) -> bool:
    if PREMIUM.match(international):
        return True
    if parsed is None or international.startswith(LOCAL_RATE):
        return False
    return phonenumbers.number_type(parsed) in PREMIUM_TYPES


def _parse(number: str, home_region: str) -> PhoneNumber | None:
    try:
        return phonenumbers.parse(number, home_region)
    except phonenumbers.NumberParseException:
        return None


def _unreadable(number: str) -> str:
    """The digits of an international number that no plan can read; empty for another."""
    return _digits(number) if number.lstrip().startswith(("+", "＋")) else ""


def _e164(parsed: PhoneNumber) -> str:
    return str(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164))


def _digits(number: str) -> str:
    return str(phonenumbers.normalize_digits_only(number))
