"""Card numbers and e-mail addresses taken out of what is kept, written or spoken.

Recognisers write "four one one one" in words, and speakers say "joe at vello dot io". A card
number is 13 to 19 digits that some brand gives out and whose check digit is right (ISO/IEC
7812-1, Annex B); amounts, dates, phone numbers and other long numbers stay. What is said in
several turns is found by reading all turns of one side together.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from server.calls.model import Call, CallMessage

CARD = "[card number]"
EMAIL = "[e-mail address]"

_ONES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_UNITS = {word: str(value) for value, word in enumerate(_ONES)} | dict.fromkeys(
    ("oh", "o", "nought"), "0"
)
_TEENS = {
    word: str(value)
    for value, word in enumerate(
        "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split(),
        10,
    )
}
_TENS = {
    word: str(value)
    for value, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)
}
_REPEATS = {"double": 2, "triple": 3}
_UNIT = "|".join(sorted(_UNITS, key=len, reverse=True))
_TOKEN = re.compile(
    rf"""(?<![A-Za-z0-9])(?:
        (?P<written>[0-9]+)
      | (?P<repeat>double|triple)[\s-]+(?P<repeated>{_UNIT}|[0-9])
      | (?P<tens>{"|".join(_TENS)})(?:[\s-]+(?P<ones>{_UNIT}))?
      | (?P<teen>{"|".join(_TEENS)})
      | (?P<unit>{_UNIT})
    )(?![A-Za-z0-9])""",
    re.IGNORECASE | re.VERBOSE,
)
_GAP = re.compile(
    r"[\s,;.\-–—_/]*(?:(?:uh|um|er|erm|and|then|dash|hyphen|space|okay|ok)[\s,;.\-–—]+)*",
    re.IGNORECASE,
)
_BRANDS = tuple(
    (re.compile(prefix), lengths)
    for prefix, lengths in (
        (r"4", (13, 16, 19)),
        (r"5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720", (16,)),
        (r"3[47]", (15,)),
        (r"30[0-5]|309|36|3[89]", tuple(range(14, 20))),
        (r"35(?:2[89]|[3-8])", tuple(range(16, 20))),
        (r"6011|64[4-9]|65|62|81|220[0-4]|60|508[5-9]", tuple(range(16, 20))),
        (r"50|5[6-8]|6", tuple(range(13, 20))),
    )
)
SHORTEST, LONGEST = 13, 19
_NO_CARD = "0179"
"""First digits of no brand."""

_TOP = (
    "com org net edu gov mil int info biz io co ai app dev me tv us uk ca de fr at ch nl be eu it "
    "es pt ie se no dk fi pl cz ru ua jp cn in br mx au nz za kr sg hk xyz tech online shop store "
    "cloud email"
)
"""Without these "at nine dot thirty" would be an address."""
_NOT_A_NAME = (
    "look looking me us him her them it is are was be been here there online available found "
    "see visit website site page hosted now up sign check us you order book find"
)
_WORD = r"[a-z0-9]+"
_SPELLED = rf"(?:[a-z0-9]|{_UNIT}|(?:double|triple)[ -]{_WORD})"
_JOIN = r"(?:\s*[._+-]\s*|\s+(?:dot|point|underscore|dash|hyphen|minus|plus)\s+)"
_DOT = r"(?:\s*\.\s*|\s+(?:dot|point)\s+)"
_EMAILS = (
    re.compile(r"[^\s@<>()\[\]{},;:\"']{1,64}@[^\s@<>()\[\]{},;:\"']{1,253}\.[^\W\d_]{2,63}"),
    re.compile(
        rf"(?<![a-z0-9])(?!(?:{'|'.join(_NOT_A_NAME.split())})\s+at\b)"
        rf"{_WORD}(?:{_JOIN}{_WORD}|\s+{_SPELLED}(?![a-z0-9])){{0,40}}"
        r"(?:\s*@\s*|\s+(?:at|\(at\)|\[at\])\s+)"
        rf"{_WORD}(?:[\s-]+{_SPELLED}(?![a-z0-9])){{0,40}}"
        rf"(?:(?:\s+|{_JOIN}){_WORD}){{0,3}}?"
        rf"(?:{_DOT}(?:{'|'.join(_TOP.split())}|c\s+o\s+m|i\s+o|o\s+r\s+g|n\s+e\s+t))+(?![a-z0-9])",
        re.IGNORECASE,
    ),
)

Span = tuple[int, int, str]


def redact(text: str) -> str:
    """Take card numbers and e-mail addresses out of a text. Idempotent."""
    return _replaced(text, _spans(text))


def redact_json(value: Any) -> Any:
    """The same in every string and integer of a JSON value; names stay."""
    match value:
        case str():
            return redact(value)
        case bool():
            return value
        case int():
            return CARD if redact(str(value)) == CARD else value
        case Mapping():
            return {name: redact_json(part) for name, part in value.items()}
        case list() | tuple():
            return type(value)(redact_json(part) for part in value)
        case _:
            return value


def redact_turns(turns: Sequence[str]) -> list[str]:
    """The same in what one side said in several turns: a number may go through all of them."""
    whole = "\n".join(turns)
    found: list[str] = []
    start, spans = 0, list(_spans(whole))
    for turn in turns:
        end = start + len(turn)
        mine = [
            (max(a, start) - start, min(b, end) - start, sign)
            for a, b, sign in spans
            if a < end and b > start
        ]
        found.append(_replaced(turn, mine))
        start = end + 1
    return found


def redacted(call: Call) -> Call:
    """The record without them, wherever words of people or of the request are in it."""
    messages = _messages(call.messages)
    outcome = call.outcome
    if outcome is not None:
        criteria = [
            one.model_copy(update={"text": redact(one.text), "evidence": redact_json(one.evidence)})
            for one in outcome.criteria
        ]
        outcome = outcome.model_copy(update={"criteria": tuple(criteria)})
    task = call.task
    if task is not None:
        task = task.model_copy(
            update={
                "goal": redact(task.goal),
                "facts": redact_json(task.facts),
                "escalation": redact_json(task.escalation),
            }
        )
    return call.model_copy(
        update={
            "messages": messages,
            "transcript": _transcript(call, messages),
            "summary": redact_json(call.summary),
            "objective": redact_json(call.objective),
            "task": task,
            "outcome": outcome,
            "variables": redact_json(call.variables),
            "analysis": redact_json(call.analysis),
            "tool_calls": redact_json(call.tool_calls),
        }
    )


def _messages(messages: Iterable[CallMessage]) -> tuple[CallMessage, ...]:
    kept = list(messages)
    for role in ("assistant", "user"):
        places = [place for place, message in enumerate(kept) if message.role == role]
        said = redact_turns([kept[place].content for place in places])
        for place, content in zip(places, said, strict=True):
            heard = kept[place].heard and content
            kept[place] = kept[place].model_copy(update={"content": content, "heard": heard})
    return tuple(kept)


def _transcript(call: Call, messages: Sequence[CallMessage]) -> str | None:
    """With every message as it is now."""
    if call.transcript is None:
        return None
    text, at = call.transcript, 0
    for before, after in zip(call.messages, messages, strict=True):
        found = text.find(before.content, at)
        if found >= 0:
            text = text[:found] + after.content + text[found + len(before.content) :]
            at = found + len(after.content)
    return redact(text)


def _spans(text: str) -> Iterator[Span]:
    """What to take out, in no order; spans may overlap."""
    for pattern in _EMAILS:
        yield from ((match.start(), match.end(), EMAIL) for match in pattern.finditer(text))
    for run in _runs(text):
        yield from _cards(run)


def _replaced(text: str, spans: Iterable[Span]) -> str:
    parts: list[str] = []
    at = 0
    for start, end, sign in sorted(spans):
        if start >= at:
            parts += [text[at:start], sign]
        at = max(at, end)
    return "".join([*parts, text[at:]])


_Digits = tuple[str, int, int, bool]
"""Digits, where they begin and end, and whether a card number may begin here."""


def _runs(text: str) -> Iterator[list[_Digits]]:
    """Digits that follow each other with nothing of meaning between them."""
    run: list[_Digits] = []
    for token in _TOKEN.finditer(text):
        if run and _GAP.fullmatch(text, run[-1][2], token.start()) is None:
            yield run
            run = []
        first = text[token.start() - 1 : token.start()] not in ("+", "$", "€", "£")
        run.append((_digits(token), token.start(), token.end(), first))
    yield run


def _digits(token: re.Match[str]) -> str:
    if written := token["written"]:
        return written
    if token["repeat"]:
        return _digit(token["repeated"]) * _REPEATS[token["repeat"].lower()]
    if tens := token["tens"]:
        return _TENS[tens.lower()] + (_digit(token["ones"]) if token["ones"] else "0")
    if teen := token["teen"]:
        return _TEENS[teen.lower()]
    return _digit(token["unit"])


def _digit(word: str) -> str:
    return _UNITS.get(word.lower(), word)


def _cards(run: Sequence[_Digits]) -> Iterator[Span]:
    first = 0
    while first < len(run):
        found = _card_from(run, first)
        if found is None:
            first += 1
        else:
            yield run[first][1], run[found][2], CARD
            first = found + 1


def _card_from(run: Sequence[_Digits], first: int) -> int | None:
    """The last token of the longest card number that begins at one; None where there is none."""
    if not run[first][3] or run[first][0][0] in _NO_CARD:
        return None
    number, last = "", None
    for place in range(first, len(run)):
        number += run[place][0]
        if len(number) > LONGEST:
            break
        if len(number) >= SHORTEST and is_card(number):
            last = place
    return last


def is_card(number: str) -> bool:
    """Whether digits are a card number: of a brand's range and length, and with its check."""
    issued = any(
        len(number) in lengths and prefix.match(number) is not None for prefix, lengths in _BRANDS
    )
    return issued and _check(number)


def _check(number: str) -> bool:
    """The Luhn formula."""
    doubled = (int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(number)))
    return sum(value // 10 + value % 10 for value in doubled) % 10 == 0
