"""When a number may be called."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers.tzdata import TIMEZONE_DATA

from server.calls.policy.errors import NoCallingHour, RulesInvalid
from server.calls.policy.hours import CallingHours, allowed_at, next_allowed, zones_of

TORONTO = "+14165550123"
SAN_FRANCISCO = "+14155551234"
BERLIN = "+4930901820"
IDAHO = "+12083251234"
"""An area code on both sides of a zone border."""
RUSSIAN_MOBILE = "+79161234567"
TOLL_FREE = "+18005551234"
HOURS = CallingHours()


def local(zone: str, *parts: int) -> datetime:
    return datetime(*parts, tzinfo=ZoneInfo(zone))  # type: ignore[misc, arg-type]


def names(number: str) -> set[str]:
    return {zone.key for zone in zones_of(number)}


def test_the_zone_of_a_north_american_number_is_that_of_its_area_code() -> None:
    assert names(TORONTO) == {"America/Toronto"}
    assert names(SAN_FRANCISCO) == {"America/Los_Angeles"}
    assert names(IDAHO) == {"America/Boise", "America/Los_Angeles"}


def test_the_hours_are_those_of_the_person_called() -> None:
    nine_in_berlin = local("Europe/Berlin", 2026, 7, 1, 9)
    assert allowed_at(BERLIN, nine_in_berlin, HOURS)
    assert not allowed_at(SAN_FRANCISCO, nine_in_berlin, HOURS)


@pytest.mark.parametrize(
    ("hour", "minute", "allowed"), [(7, 59, False), (8, 0, True), (20, 59, True), (21, 0, False)]
)
def test_the_start_is_inside_and_the_end_is_not(hour: int, minute: int, allowed: bool) -> None:
    at = local("America/Toronto", 2026, 1, 14, hour, minute)
    assert allowed_at(TORONTO, at, HOURS) is allowed


def test_in_an_area_of_two_zones_it_must_be_day_in_both() -> None:
    assert not allowed_at(IDAHO, local("America/Boise", 2026, 1, 14, 8, 30), HOURS)
    assert not allowed_at(IDAHO, local("America/Los_Angeles", 2026, 1, 14, 20, 30), HOURS)
    night = local("America/Boise", 2026, 1, 14, 3)
    opening = next_allowed(IDAHO, night, HOURS)
    assert opening == local("America/Los_Angeles", 2026, 1, 14, 8)


def test_inside_the_hours_the_next_time_is_now() -> None:
    noon = local("America/Toronto", 2026, 1, 14, 12, 0, 1)
    assert next_allowed(TORONTO, noon, HOURS) == noon
    assert next_allowed(TORONTO, noon, HOURS).tzinfo is UTC


def test_after_the_end_the_next_time_is_in_the_morning() -> None:
    late = local("America/Toronto", 2026, 1, 14, 22)
    assert next_allowed(TORONTO, late, HOURS) == local("America/Toronto", 2026, 1, 15, 8)


def test_days_off_are_skipped() -> None:
    office = CallingHours(time(9), time(17), frozenset(range(1, 6)))
    friday = local("Europe/Berlin", 2026, 7, 3, 17)
    assert next_allowed(BERLIN, friday, office) == local("Europe/Berlin", 2026, 7, 6, 9)
    assert not allowed_at(BERLIN, local("Europe/Berlin", 2026, 7, 4, 12), office)


@pytest.mark.parametrize("day", [8, 9])
def test_the_night_the_clocks_go_forward_the_morning_is_still_at_eight(day: int) -> None:
    evening = local("America/Toronto", 2026, 3, day - 1, 22)
    opening = next_allowed(TORONTO, evening, HOURS)
    assert opening == local("America/Toronto", 2026, 3, day, 8)
    assert opening - evening.astimezone(UTC) == timedelta(hours=9 if day == 8 else 10)


def test_the_night_the_clocks_go_back_lasts_an_hour_longer() -> None:
    evening = local("America/Toronto", 2026, 10, 31, 22).astimezone(UTC)
    assert next_allowed(TORONTO, evening, HOURS) - evening == timedelta(hours=11)


def test_hours_that_the_clocks_skip_come_the_next_day() -> None:
    skipped = CallingHours(time(2, 10), time(2, 50))
    evening = local("America/Toronto", 2026, 3, 7, 22)
    opening = next_allowed(TORONTO, evening, skipped)
    assert opening == local("America/Toronto", 2026, 3, 9, 2, 10)


def test_a_start_that_the_clocks_show_twice_opens_at_the_second_for_who_comes_between() -> None:
    twice = CallingHours(time(1, 30), time(1, 45))
    between = datetime(2026, 11, 1, 6, 0, tzinfo=UTC)
    opening = next_allowed(TORONTO, between, twice)
    assert opening == datetime(2026, 11, 1, 6, 30, tzinfo=UTC)


def test_a_mobile_of_a_wide_country_may_be_called_when_all_of_it_is_awake() -> None:
    opening = next_allowed(RUSSIAN_MOBILE, datetime(2026, 1, 14, tzinfo=UTC), HOURS)
    assert len(zones_of(RUSSIAN_MOBILE)) > 5
    assert all(8 <= opening.astimezone(zone).hour < 21 for zone in zones_of(RUSSIAN_MOBILE))


def test_zones_without_a_common_hour_are_an_error_and_not_a_guess() -> None:
    with pytest.raises(NoCallingHour):
        next_allowed(
            RUSSIAN_MOBILE, datetime(2026, 1, 14, tzinfo=UTC), CallingHours(time(9), time(15))
        )


def test_a_toll_free_number_has_no_night() -> None:
    assert zones_of(TOLL_FREE) == ()
    night = local("America/New_York", 2026, 1, 14, 3)
    assert allowed_at(TOLL_FREE, night, HOURS)
    assert next_allowed(TOLL_FREE, night, HOURS) == night


@pytest.mark.parametrize("number", ["", "hello", "415-555-1234", "+999123456789"])
def test_a_number_of_no_known_place_is_an_error(number: str) -> None:
    with pytest.raises(NoCallingHour):
        allowed_at(number, datetime(2026, 1, 14, 12, tzinfo=UTC), HOURS)


def test_the_ends_of_the_calendar_are_an_error() -> None:
    for year, month, day in ((9999, 12, 31), (1, 1, 1)):
        at = datetime(year, month, day, 23 if year > 1 else 0, 30, tzinfo=UTC)
        number = BERLIN if year > 1 else TORONTO
        with pytest.raises(NoCallingHour):
            next_allowed(number, at, HOURS)


@pytest.mark.parametrize(
    "make",
    [
        lambda: CallingHours(time(21), time(8)),
        lambda: CallingHours(time(8), time(8)),
        lambda: CallingHours(days=frozenset()),
        lambda: CallingHours(days=frozenset({0})),
        lambda: CallingHours(time(8, tzinfo=UTC)),
    ],
)
def test_hours_that_make_no_sense_are_an_error(make: type[CallingHours]) -> None:
    with pytest.raises(RulesInvalid):
        make()


def test_this_machine_knows_every_zone_that_numbers_name() -> None:
    for name in {name for zones in TIMEZONE_DATA.values() for name in zones}:
        ZoneInfo(name)


@pytest.mark.parametrize("region", sorted(phonenumbers.SUPPORTED_REGIONS))
def test_the_example_of_every_region_has_a_zone_and_an_hour(region: str) -> None:
    example = phonenumbers.example_number(region)
    number = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
    at = datetime(2026, 5, 23, tzinfo=UTC)
    assert allowed_at(number, next_allowed(number, at, HOURS), HOURS)


MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
CLOCK_CHANGES = st.builds(
    lambda year, month, day, minutes: (
        datetime.combine(date(year, month, day), time(), UTC) + timedelta(minutes=minutes)
    ),
    st.integers(2007, 2036),
    st.sampled_from([3, 4, 10, 11]),
    st.integers(1, 30),
    st.integers(0, 1440),
)
TIMES = st.times().filter(lambda clock: clock > time.min)
WINDOWS = st.builds(
    lambda first, second, days: CallingHours(min(first, second), max(first, second), days),
    TIMES,
    TIMES.map(lambda clock: clock.replace(microsecond=999_999)),
    st.frozensets(st.integers(1, 7), min_size=1),
)
NUMBERS = st.sampled_from(
    [TORONTO, SAN_FRANCISCO, BERLIN, IDAHO, TOLL_FREE, "+61291234567", "+551123456789"]
)


@given(NUMBERS, MOMENTS | CLOCK_CHANGES, WINDOWS)
def test_the_next_time_is_allowed_and_not_before(
    number: str, after: datetime, hours: CallingHours
) -> None:
    try:
        opening = next_allowed(number, after, hours)
    except NoCallingHour:
        assert len(zones_of(number)) > 1 or hours.end.hour - hours.start.hour <= 1
        return
    assert opening >= after
    assert allowed_at(number, opening, hours)
    if opening > after and opening - after < timedelta(days=1):
        assert not allowed_at(number, after, hours)
