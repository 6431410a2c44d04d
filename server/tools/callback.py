"""When somebody asked to be called again: their words as a moment in their own time zone."""

import re
from datetime import datetime, timedelta, tzinfo

import dateparser

from pipeline.when import find_when
from pipeline.words import NUMBERS

SOONEST = timedelta(minutes=1)
LATEST = timedelta(days=60)
DAY_STARTS = 9
_CLOCK = re.compile(r"\d:\d\d")
_ORDINALS = {
    word: value
    for value, word in enumerate(
        "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth "
        "thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth "
        "twentieth".split(),
        1,
    )
} | {"thirtieth": 30}
_VAGUE_HOURS = {"morning": 9, "afternoon": 14, "evening": 18, "tonight": 18}


def moment_of(words: str, now: datetime, zone: tzinfo) -> datetime | None:
    """The moment that words such as "next friday at five pm" mean; None where they mean none.

    now: with its zone. A day without an hour is nine in the morning. At most 60 days ahead.
    """
    digits = _in_digits(words.lower())
    local = now.astimezone(zone).replace(tzinfo=None)
    found = dateparser.parse(
        digits,
        languages=["en"],
        settings={"RELATIVE_BASE": local, "PREFER_DATES_FROM": "future"},
    )
    if found is None:
        return None
    if found.time() == local.time() and not _names_an_hour(digits):
        found = found.replace(hour=DAY_STARTS, minute=0, second=0, microsecond=0)
    if (found.hour, found.minute) == (0, 0):
        found = found.replace(hour=DAY_STARTS)
    for word, hour in _VAGUE_HOURS.items():
        if word in digits and not any(character.isdigit() for character in digits):
            found = found.replace(hour=hour, minute=0)
    moment = found.replace(tzinfo=zone)
    return moment if SOONEST <= moment - now <= LATEST else None


def _in_digits(words: str) -> str:
    """The time words alone, in the form that the parser knows: "december 1 at 3 pm"."""
    # Written clock times come from a model; the canonical form is that of recognised speech.
    text = words if _CLOCK.search(words) else find_when(words).text or words
    for tens, ten in (("twenty", 20), ("thirty", 30)):
        text = re.sub(rf"\b{tens} ({'|'.join(_ORDINALS)})\b", rf"{ten}+\1", text)
    text = re.sub(r"\b(\d\d)\+(\w+)\b", lambda m: str(int(m[1]) + _ORDINALS[m[2]]), text)
    values = {**NUMBERS, **_ORDINALS}
    text = " ".join(str(values.get(word, word)) for word in text.split())
    text = re.sub(r"\b(\d{1,2}) (\d{2})\b", r"\1:\2", text)
    return text.replace("half an hour", "30 minutes").replace("a couple of", "2")


def _names_an_hour(text: str) -> bool:
    return any(unit in text for unit in ("minute", "hour"))
