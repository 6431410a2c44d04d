"""How many calls may be placed in an hour and a day; the counting itself is the store's."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Literal

from server.calls.policy.errors import RulesInvalid

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

LimitName = Literal["per_target_hour", "per_hour", "per_day"]


@dataclass(frozen=True, slots=True)
class RateLimits:
    """Calls of one deployment in any sliding hour, to one number and in all, and in any day."""

    per_target_hour: int = 5
    per_hour: int = 30
    per_day: int = 100

    def __post_init__(self) -> None:
        for name in ("per_target_hour", "per_hour", "per_day"):
            if getattr(self, name) < 1:
                raise RulesInvalid("a rate limit must allow at least one call", name)


@dataclass(frozen=True, slots=True)
class Exceeded:
    """The limit that stands in the way longest."""

    limit: LimitName
    retry_after_s: int
    """Whole seconds, at least 1, after which every limit has room for one call."""


def exceeded(
    limits: RateLimits, to_target: Sequence[datetime], placed: Sequence[datetime], now: datetime
) -> Exceeded | None:
    """Which limit one more call at `now` would break, or None.

    to_target, placed: when the deployment's calls of the last day to this number, and in all,
    were placed; aware, in any order; older ones do not count.
    """
    waits: list[tuple[timedelta, LimitName]] = [
        (_wait(to_target, limits.per_target_hour, HOUR, now), "per_target_hour"),
        (_wait(placed, limits.per_hour, HOUR, now), "per_hour"),
        (_wait(placed, limits.per_day, DAY, now), "per_day"),
    ]
    wait, name = max(waits, key=lambda one: one[0])
    if wait <= timedelta(0):
        return None
    return Exceeded(name, ceil(wait / timedelta(seconds=1)))


def _wait(times: Sequence[datetime], most: int, window: timedelta, now: datetime) -> timedelta:
    """How long until fewer than `most` of the times lie inside the window.

    A call leaves the window once it is exactly that old.
    """
    inside = sorted(time for time in times if now - time < window)
    if len(inside) < most:
        return timedelta(0)
    return inside[len(inside) - most] + window - now
