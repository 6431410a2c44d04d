"""Comparing words as a small recogniser hears them: near enough is the same."""

from __future__ import annotations

import re

from rapidfuzz import fuzz

_THRESHOLD = 78.0
_NOT_SPOKEN = re.compile(r"[^a-z' ]+")


def spoken_form(text: str) -> str:
    """Lower case, letters and apostrophes only, single spaces."""
    return " ".join(_NOT_SPOKEN.sub(" ", text.lower().replace("’", "'")).split())


def resembles(phrase: str, heard: str) -> bool:
    """Whether `phrase` occurs in `heard`, a few misheard letters forgiven. Both in spoken form."""
    return likeness(phrase, heard) >= _THRESHOLD


def likeness(phrase: str, heard: str) -> float:
    """How much of `phrase` occurs in `heard`, 0..100, whole words only.

    A window of the phrase's own number of words, one more or one less, slides over what was
    heard: misheard words split and merge, but letters inside a longer word do not count.
    """
    words = heard.split()
    wanted = len(phrase.split())
    if not words or not wanted:
        return 0.0
    best = 0.0
    for width in {max(1, wanted - 1), wanted, wanted + 1}:
        for start in range(max(1, len(words) - width + 1)):
            window = " ".join(words[start : start + width])
            best = max(best, float(fuzz.ratio(phrase, window)))
    return best
