"""Time words in recognised speech: "next friday at five", "on the fifteenth", "tomorrow"."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from rapidfuzz import fuzz, process

from pipeline.words import NUMBERS

_DAYS = "monday tuesday wednesday thursday friday saturday sunday"
_MONTHS = "january february march april may june july august september october november december"
_ORDINALS = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth "
    "fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth thirtieth"
)
_FUZZY = [
    w for w in f"{_DAYS} {_MONTHS} {_ORDINALS} tomorrow tonight weekend".split() if len(w) > 5
]


def _either(words: str) -> str:
    return "(?:" + "|".join(words.split()) + ")"


_NUMBER = r"(?:\d{1,2}|" + "|".join(NUMBERS) + ")"
_ORDINAL = rf"(?:(?:(?:twenty|thirty) )?{_either(_ORDINALS)}|\d{{1,2}}(?:st|nd|rd|th))"
_CLOCK = (
    rf"{_NUMBER}(?: (?:thirty|fifteen|forty five|o'clock|oclock))?(?: ?(?:a m|p m|am|pm))?"
    rf"(?: in the (?:morning|afternoon|evening)| at night)?"
)
_UNIT = r"(?:minutes?|hours?|days?|weeks?|months?)"
_SPAN = re.compile(
    r"\b(?:"
    rf"(?:next|this|on|coming|by|every|until|till)? ?{_either(_DAYS)}"
    rf"(?: (?:morning|afternoon|evening|night|the {_ORDINAL}))?"
    rf"|(?:the )?{_ORDINAL} of {_either(_MONTHS + ' month')}"
    rf"|{_either(_MONTHS.replace(' may', ''))}(?: (?:the )?(?:{_ORDINAL}|{_NUMBER}))?"
    rf"|may (?:the )?{_ORDINAL}"
    rf"|the {_ORDINAL}(?: of (?:next|the|this) month)?"
    rf"|(?:the day after )?tomorrow(?: (?:morning|afternoon|evening|night))?"
    rf"|later today|later this (?:week|month|afternoon|evening)|today|tonight|right now|right away"
    rf"|this (?:morning|afternoon|evening|week|weekend|month)"
    rf"|next (?:week|weekend|month|year|time|payday)|payday"
    rf"|(?:at )?the (?:end|beginning|middle) of (?:the|this|next) (?:week|month|year)"
    rf"|in (?:a|an|a few|a couple of|half an|{_NUMBER}) ?{_UNIT}"
    rf"|{_NUMBER} {_UNIT}"
    rf"|in the (?:morning|afternoon|evening)|after (?:work|lunch|dinner)"
    rf"|(?:at|around|about|after|before|by|until) {_CLOCK}(?! (?:people|persons|guests|of us))"
    rf"|{_NUMBER} (?:thirty|fifteen|forty five|o'clock|oclock|a m|p m|am|pm)\b"
    rf"|\d{{1,2}} ?(?:am|pm)|\d{{3,4}} ?(?:am|pm)?"
    r")(?=\s|$)"
)
_LEFT_ALONE = frozenset({"today", "someday", "weekday", "holiday", "birthday", "months"})
_NOW = frozenset({"today", "tonight", "right now", "right away", "this morning"})
_LEADING = re.compile(r"^(?:on|by|until|till|at|around|about) ")


@dataclass(frozen=True, slots=True)
class When:
    """The time words of an utterance."""

    text: str = ""
    """The words as heard, without a leading preposition; empty when there are none."""
    later: bool = False
    """They name a time other than now or today."""


def find_when(text: str) -> When:
    """Find the time words in canonical text. Misheard weekdays and months are put right."""
    spans: list[tuple[int, int]] = []
    mended = " ".join(_mended(text.split()))
    for match in _SPAN.finditer(mended):
        if spans and match.start() - spans[-1][1] <= 1:
            spans[-1] = (spans[-1][0], match.end())
        else:
            spans.append((match.start(), match.end()))
    found = [_LEADING.sub("", mended[start:end].strip()) for start, end in spans]
    later = [part for part in found if part not in _NOW]
    return When(" ".join((later or found)[:2]), bool(later))


def hour_and_minute(text: str) -> tuple[int, int] | None:
    """The time of day on a twelve-hour clock: "7pm", "seven thirty", "half past seven"."""
    clock = re.search(r"\b(\d{1,2}):?(\d\d)?\s*(?:am|pm|a m|p m|o'clock)?\b", text.lower())
    if clock:
        return int(clock[1]) % 12, int(clock[2] or 0)
    words = text.lower().split()
    for place, word in enumerate(words):
        hour = NUMBERS.get(word, 0)
        if 1 <= hour <= 12:
            minute = {"thirty": 30, "fifteen": 15, "forty": 45}.get("".join(words[place + 1 :][:1]))
            return hour % 12, minute or 0
    return None


def _mended(words: list[str]) -> Iterator[str]:
    for word in words:
        if len(word) < 5 or word in NUMBERS or word in _LEFT_ALONE:
            yield word
            continue
        best = process.extractOne(word, _FUZZY, scorer=fuzz.ratio, score_cutoff=83)
        yield best[0] if best else word
