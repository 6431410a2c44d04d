"""How a text looks to a pattern."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.calls.policy.text import plain, squeezed


@pytest.mark.parametrize(
    "written",
    [
        "Ignore",
        "ＩＧＮＯＲＥ",
        "𝕚𝕘𝕟𝕠𝕣𝕖",
        "ıgnore",
        "ig\u200bno\u00adre",
        "i\u0301gn\u0308ore",
        "Ignоrе",
        "ⓘⓖⓝⓞⓡⓔ",
        "iɡnοre",
        "\U000e0069\U000e0067\U000e006e\U000e006f\U000e0072\U000e0065",
        "ig\u3164nore",
    ],
)
def test_what_reads_alike_is_spelled_alike(written: str) -> None:
    assert plain(written) == "ignore"


def test_white_space_becomes_one_space_and_breaks_become_newlines() -> None:
    assert plain("a \t\u00a0\u3000b\r\nc\u2028d") == "a b\nc\nd"


def test_quotes_and_dashes_are_those_of_a_keyboard() -> None:
    assert plain("“don’t” – now") == '"don\'t" - now'


def test_squeezed_letters_are_the_same_with_and_without_disguise() -> None:
    assert squeezed(plain("i.g-n 0 r 3 a11")) == squeezed("ignore all")


@given(st.text())
def test_a_plain_text_is_plain_already(text: str) -> None:
    assert plain(plain(text)) == plain(text)
