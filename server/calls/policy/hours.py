"""When a number may be called, by the clock of the person called.

A number's time zones follow from its area code, or from its country where the area is unknown
(mobiles of most countries); in every one of them it must be a calling hour. Toll-free numbers
have no place and belong to businesses that chose to be called: hours do not apply to them.

Zones come from the system's time zone database, or from the `tzdata` package where a slim
machine has none.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import phonenumbers
from phonenumbers import timezone as number_zones

from server.calls.policy.errors import NoCallingHour, RulesInvalid

EVERY_DAY = frozenset(range(1, 8))
HORIZON = timedelta(days=15)
"""Two weeks hold every combination of days and zones; the rest is a change to or from summer
time."""


@dataclass(frozen=True, slots=True)
class CallingHours:
    """The hours of the day, and days of the week, in which people are called.

    The default is that of 47 CFR 64.1200(c)(1).
    """

    start: time = time(8)
    end: time = time(21)
    """The first moment that is too late."""
    days: frozenset[int] = EVERY_DAY
    """ISO weekdays: Monday is 1, Sunday 7."""

    def __post_init__(self) -> None:
        if self.start.tzinfo or self.end.tzinfo or not self.start < self.end:
            raise RulesInvalid("hours need a start before the end, without a zone", "hours")
        if not self.days or not self.days <= EVERY_DAY:
            raise RulesInvalid("days are one or more of 1 (Monday) to 7 (Sunday)", "hours.days")


def allowed_at(number: str, at: datetime, hours: CallingHours) -> bool:
    """Whether the person may be called at this time.

    number: E.164. at: aware. Raises `NoCallingHour` where the number's zone is unknown.
    """
    return all(_open(zone, at, hours) for zone in zones_of(number))


def next_allowed(number: str, after: datetime, hours: CallingHours) -> datetime:
    """Return the first time, in UTC, at or after `after` when the person may be called.

    number: E.164. after: aware. Raises `NoCallingHour` where the zone is unknown or the zones
    of the number have no hour in common.
    """
    zones = zones_of(number)
    moment = _in_zone(after, UTC)
    while moment - after <= HORIZON:
        latest = max((_opening(zone, moment, hours) for zone in zones), default=moment)
        if latest == moment:
            return moment
        moment = latest
    raise NoCallingHour("the number's time zones have no calling hour in common")


def zones_of(number: str) -> tuple[ZoneInfo, ...]:
    """Return the zones the number may ring in; none for a toll-free number.

    number: E.164. Raises `NoCallingHour` where they are unknown.
    """
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        raise NoCallingHour("not a number in E.164, so its time zone is unknown") from None
    if phonenumbers.number_type(parsed) == phonenumbers.PhoneNumberType.TOLL_FREE:
        return ()
    names = number_zones.time_zones_for_number(parsed)
    if names == (number_zones.UNKNOWN_TIMEZONE,):
        names = number_zones.time_zones_for_geographical_number(parsed)
    if names == (number_zones.UNKNOWN_TIMEZONE,):
        raise NoCallingHour("the time zone of the number is unknown")
    try:
        return tuple(ZoneInfo(name) for name in names)
    except ZoneInfoNotFoundError as error:
        raise NoCallingHour(f"{error}; install the tzdata package") from error


def _open(zone: ZoneInfo, at: datetime, hours: CallingHours) -> bool:
    local = _in_zone(at, zone)
    return local.isoweekday() in hours.days and hours.start <= local.time() < hours.end


def _opening(zone: ZoneInfo, moment: datetime, hours: CallingHours) -> datetime:
    """The first time at or after `moment` that is open in one zone, in UTC."""
    if _open(zone, moment, hours):
        return moment
    openings = (one for one in _starts(zone, moment, hours) if one >= moment)
    first = next((one for one in openings if _open(zone, one, hours)), None)
    if first is None:
        raise NoCallingHour("the calling hours never come in the number's time zone")
    return first


def _starts(zone: ZoneInfo, moment: datetime, hours: CallingHours) -> Iterator[datetime]:
    """When the hours start on this day and on each of the next two weeks, in UTC.

    Both readings of a time that the clocks show twice; a time that they skip is read once as
    before and once as after the change, and whichever is outside the hours is dropped.
    """
    today = _in_zone(moment, zone).date()
    for ahead in range(min(HORIZON.days, (date.max - today).days)):
        start = datetime.combine(today + timedelta(days=ahead), hours.start, zone)
        yield from sorted(_in_zone(start.replace(fold=fold), UTC) for fold in (0, 1))


def _in_zone(at: datetime, zone: tzinfo) -> datetime:
    try:
        return at.astimezone(zone)
    except OverflowError:
        raise NoCallingHour("the time is at the end of the calendar", "scheduled_at") from None
