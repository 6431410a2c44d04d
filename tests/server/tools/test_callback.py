"""Words as moments."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from server.tools.callback import moment_of

TORONTO = ZoneInfo("America/Toronto")
NOW = datetime(2026, 11, 21, 10, 0, tzinfo=TORONTO)
"""A Saturday."""


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("tomorrow at five pm", "2026-11-22T17:00"),
        ("tomorrow", "2026-11-22T09:00"),
        ("next friday", "2026-11-27T09:00"),
        ("call me on monday morning please", "2026-11-23T09:00"),
        ("in two hours", "2026-11-21T12:00"),
        ("in half an hour", "2026-11-21T10:30"),
        ("december first at three pm", "2026-12-01T15:00"),
        ("tonight", "2026-11-21T18:00"),
        ("this afternoon", "2026-11-21T14:00"),
        ("the twenty first of december", "2026-12-21T09:00"),
        ("at seven thirty pm", "2026-11-21T19:30"),
        ("at 7:30 pm", "2026-11-21T19:30"),
    ],
)
def test_a_time_is_meant_in_the_callees_own_zone(words: str, expected: str) -> None:
    moment = moment_of(words, NOW, TORONTO)
    assert moment is not None
    assert moment.strftime("%Y-%m-%dT%H:%M") == expected
    assert moment.utcoffset() == NOW.utcoffset()


def test_the_nodes_zone_plays_no_part() -> None:
    here = moment_of("tomorrow at five pm", NOW, TORONTO)
    assert moment_of("tomorrow at five pm", NOW.astimezone(UTC), TORONTO) == here


@pytest.mark.parametrize("words", ["whenever", "never call me again", "", "the year 2031"])
def test_words_without_a_time_within_reach_mean_none(words: str) -> None:
    assert moment_of(words, NOW, TORONTO) is None
