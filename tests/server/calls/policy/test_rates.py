"""The arithmetic of the rate limits."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.calls.policy.errors import RulesInvalid
from server.calls.policy.rates import DAY, HOUR, Exceeded, RateLimits, exceeded

NOW = datetime(2026, 5, 23, 12, tzinfo=UTC)
LIMITS = RateLimits()


def ago(*seconds: float) -> list[datetime]:
    return [NOW - timedelta(seconds=one) for one in seconds]


def test_the_defaults_are_those_of_the_document() -> None:
    assert (LIMITS.per_target_hour, LIMITS.per_hour, LIMITS.per_day) == (5, 30, 100)


def test_the_last_call_within_a_limit_is_free() -> None:
    four = ago(1, 2, 3, 4)
    assert exceeded(LIMITS, four, four, NOW) is None
    assert exceeded(LIMITS, [], ago(*range(29)), NOW) is None
    assert exceeded(LIMITS, [], ago(*range(4000, 4099)), NOW) is None


def test_the_sixth_call_to_a_number_waits_for_the_oldest_of_five() -> None:
    five = ago(10, 3000, 20, 30, 40)
    assert exceeded(LIMITS, five, five, NOW) == Exceeded("per_target_hour", 600)


def test_above_the_limit_more_than_one_call_must_grow_old() -> None:
    seven = ago(3500, 3400, 3300, 10, 20, 30, 40)
    assert exceeded(LIMITS, seven, seven, NOW) == Exceeded("per_target_hour", 300)


def test_the_thirty_first_call_of_an_hour_waits() -> None:
    assert exceeded(LIMITS, [], ago(*range(100, 130)), NOW) == Exceeded("per_hour", 3600 - 129)


def test_the_hundred_and_first_call_of_a_day_waits() -> None:
    placed = ago(*range(4000, 4100))
    assert exceeded(LIMITS, [], placed, NOW) == Exceeded("per_day", 24 * 3600 - 4099)


def test_of_two_broken_limits_the_longer_wait_is_told() -> None:
    placed = ago(*range(100))
    found = exceeded(LIMITS, ago(1, 2, 3, 4, 5), placed, NOW)
    assert found == Exceeded("per_day", 24 * 3600 - 99)


def test_a_call_of_exactly_an_hour_ago_does_not_count() -> None:
    assert exceeded(LIMITS, ago(3600, 1, 2, 3, 4), [], NOW) is None


def test_a_part_of_a_second_is_waited_in_full() -> None:
    five = ago(3599.5, 1, 2, 3, 4)
    assert exceeded(LIMITS, five, [], NOW) == Exceeded("per_target_hour", 1)


def test_times_of_other_zones_count_by_the_instant() -> None:
    zone = timezone(timedelta(hours=9))
    five = [time.astimezone(zone) for time in ago(1, 2, 3, 4, 5)]
    assert exceeded(LIMITS, five, [], NOW) == Exceeded("per_target_hour", 3595)


def test_a_limit_of_nothing_is_an_error() -> None:
    with pytest.raises(RulesInvalid):
        RateLimits(per_day=0)


SECONDS = st.lists(st.floats(-100, 90_000, allow_nan=False), max_size=60)
SMALL = st.builds(RateLimits, st.integers(1, 5), st.integers(1, 10), st.integers(1, 20))


@given(SMALL, SECONDS, SECONDS)
def test_after_the_wait_there_is_room_and_the_limits_hold(
    limits: RateLimits, target: list[float], others: list[float]
) -> None:
    to_target, placed = ago(*target), ago(*target, *others)
    found = exceeded(limits, to_target, placed, NOW)
    if found is None:
        assert sum(NOW - time < HOUR for time in to_target) < limits.per_target_hour
        assert sum(NOW - time < HOUR for time in placed) < limits.per_hour
        assert sum(NOW - time < DAY for time in placed) < limits.per_day
        return
    assert found.retry_after_s >= 1
    later = NOW + timedelta(seconds=found.retry_after_s)
    assert exceeded(limits, to_target, placed, later) is None
    if found.retry_after_s > 1:
        sooner = NOW + timedelta(seconds=found.retry_after_s - 1)
        assert exceeded(limits, to_target, placed, sooner) is not None
