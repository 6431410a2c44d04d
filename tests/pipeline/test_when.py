"""Time words in what was recognised."""

import pytest

from pipeline.when import find_when, hour_and_minute


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("can i pay next friday", "next friday"),
        ("on the fifteenth", "the fifteenth"),
        ("tomorrow", "tomorrow"),
        ("call me tomorrow morning", "tomorrow morning"),
        ("on friday at five", "friday at five"),
        ("june fifteenth works", "june fifteenth"),
        ("the twenty first of june", "the twenty first of june"),
        ("in two weeks", "in two weeks"),
        ("at the end of the month", "the end of the month"),
        ("after work", "after work"),
        ("i get paid on fryday", "friday"),
        ("not today but monday", "monday"),
        ("call me at eight thirty", "eight thirty"),
        ("yes", ""),
        ("a table for two people", ""),
    ],
)
def test_time_words_are_found(text: str, when: str) -> None:
    assert find_when(text).text == when


@pytest.mark.parametrize(
    ("text", "later"), [("today", False), ("right now", False), ("friday", True)]
)
def test_today_is_not_later(text: str, later: bool) -> None:
    assert find_when(text).later is later


@pytest.mark.parametrize(
    ("text", "clock"),
    [
        ("7pm", (7, 0)),
        ("seven thirty", (7, 30)),
        ("7:30 pm", (7, 30)),
        ("twelve", (0, 0)),
        ("x", None),
    ],
)
def test_times_of_day_compare_on_a_twelve_hour_clock(
    text: str, clock: tuple[int, int] | None
) -> None:
    assert hour_and_minute(text) == clock
