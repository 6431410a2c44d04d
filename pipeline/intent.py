"""What somebody meant, by rules: phrases matched loosely, because a small recogniser slips."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import lru_cache
from importlib.resources import files
from itertools import product
from typing import Any

import yaml
from rapidfuzz import fuzz, process

from pipeline.when import When, find_when
from pipeline.words import canonical


class Intent(StrEnum):
    """Meanings, in the order of precedence when an utterance carries several."""

    SILENCE = "silence"
    VOICEMAIL = "voicemail"
    SCREENING = "screening"
    WRONG_PERSON = "wrong_person"
    NOT_HERE = "not_here"
    STOP_CALLING = "stop_calling"
    DISPUTE = "dispute"
    WANT_HUMAN = "want_human"
    ROBOT = "robot"
    RECORDED = "recorded"
    DISCOUNT = "discount"
    INSTALLMENTS = "installments"
    DONE = "done"
    OFFER = "offer"
    LATER = "later"
    REFUSE = "refuse"
    WHO_IS_THIS = "who_is_this"
    WHY_CALLING = "why_calling"
    QUESTION = "question"
    HOLD = "hold"
    REPEAT = "repeat"
    NOT_SURE = "not_sure"
    NO = "no"
    RIGHT_PERSON = "right_person"
    AGREE = "agree"
    GOODBYE = "goodbye"
    THANKS = "thanks"
    GREETING = "greeting"
    BACKCHANNEL = "backchannel"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Understanding:
    """What one utterance meant."""

    intent: Intent
    intents: frozenset[Intent] = frozenset()
    """Everything found in it, `intent` included."""
    firm: bool = False
    """An agreement or a denial in more than a word: "i will pay", not "okay"."""
    topic: str = ""
    """What a question is about (`questions.yaml`); empty when that is not known."""
    when: When = field(default_factory=When)
    text: str = ""
    """The canonical words."""
    said: str = ""
    """The words as recognised."""


@dataclass(frozen=True, slots=True)
class _Match:
    start: int
    end: int
    label: str
    phrase: str


_ORDER = list(Intent)
_NEGATIONS = frozenset({"not", "never", "no"})
_NEGATED = {Intent.AGREE: Intent.REFUSE, Intent.RIGHT_PERSON: Intent.WRONG_PERSON}
_NAME = "{name}"
_OPPOSITES = ("in", "un", "dis")
_ALONE_WITH = 2
"""Words that may stand beside a phrase which only counts alone."""
_EXACT = 1.3
"""How much more a phrase weighs that was heard to the letter."""
_EMPTY = frozenset({Intent.BACKCHANNEL, Intent.GREETING, Intent.THANKS})
_SOFT = frozenset({"mm hm", "mm hmm", "uh huh", "all right", "very well"})
_QUESTION = re.compile(
    r"^(?:(?:and|so|but|well|okay|yes|sure|um|uh|oh) )*(?:what|which|when|where|why|who|how|is|"
    r"are|am|was|were|do|does|did|can|could|will|would|should|may|have|has)\b .*"
    r"|.*\b(?:do you know|tell me|i wonder|may i ask|can i ask|can you|could you|do you) .+"
)


def understand(text: str, callee: str = "") -> Understanding:
    """Find out what an utterance meant.

    callee: the person we call, so that "this is bobby" and "this is not bobby" are understood.
    """
    return replace(_understand(canonical(text), canonical(callee)), said=text.strip())


def topics() -> Mapping[str, tuple[str, ...]]:
    """What questions may be about, with the names of the facts that answer each."""
    return {topic: tuple(entry["facts"]) for topic, entry in _table("questions.yaml").items()}


@lru_cache(maxsize=4096)
def _understand(text: str, callee: str) -> Understanding:
    when = find_when(text)
    if not text:
        return Understanding(Intent.SILENCE, frozenset({Intent.SILENCE}))
    words = text.split()
    intents: set[Intent] = set()
    topic = ""
    firm = False
    matches = _matches(words, callee)
    for match in matches:
        label = match.label
        if label == "aside":
            continue
        if label.startswith("?"):
            intents.add(Intent.QUESTION)
            topic = topic or label[1:]
            continue
        intent = Intent(label)
        if intent in _NEGATED and _negated(words, match, matches):
            intent, firm = _NEGATED[intent], True
        decides = intent in (Intent.AGREE, Intent.REFUSE)
        firm = firm or (decides and " " in match.phrase and match.phrase not in _SOFT)
        intents.add(intent)
    intents |= _from_times(text, when, intents)
    new = len(words) - sum(match.end - match.start for match in matches)
    if not intents - _EMPTY and new > 2 and _QUESTION.fullmatch(text):
        intents.add(Intent.QUESTION)
    _settle(intents, when, firm)
    intent = min(intents, key=_ORDER.index, default=Intent.UNKNOWN)
    return Understanding(intent, frozenset(intents) or frozenset({intent}), firm, topic, when, text)


def _from_times(text: str, when: When, intents: set[Intent]) -> set[Intent]:
    """A time with nothing else, or with a payment that is not promised, is a wish for later."""
    if not when.later or intents & {Intent.DISPUTE, Intent.DONE, Intent.OFFER, Intent.VOICEMAIL}:
        return set()
    bare = not intents - {Intent.BACKCHANNEL, Intent.NO, Intent.REFUSE, Intent.NOT_SURE}
    putting_off = re.search(r"\b(?:can|could|may|able to|only|rather|prefer) .*\bpay\b", text)
    return {Intent.LATER} if bare or putting_off else set()


def _settle(intents: set[Intent], when: When, firm: bool) -> None:
    """Meanings that rule each other out."""
    if Intent.LATER in intents and (Intent.REFUSE in intents or Intent.NO in intents):
        intents -= {Intent.REFUSE, Intent.NO}
    if Intent.DONE in intents and Intent.VOICEMAIL not in intents:
        intents -= {Intent.GOODBYE, Intent.LATER}
    if firm and Intent.REFUSE in intents:
        intents.discard(Intent.AGREE)
    elif firm:
        intents -= {Intent.NO, Intent.HOLD, Intent.NOT_SURE}
    if Intent.VOICEMAIL in intents and Intent.SCREENING in intents:
        intents.discard(Intent.VOICEMAIL)


def _negated(words: list[str], match: _Match, matches: list[_Match]) -> bool:
    """Whether a "not" stands before the phrase and belongs to no other phrase."""
    taken = {at for other in matches for at in range(other.start, other.end)}
    before = range(max(0, match.start - 3), match.start)
    return any(words[at] in _NEGATIONS and at not in taken for at in before)


def _matches(words: list[str], callee: str) -> list[_Match]:
    """Phrases found, longest first, none over another."""
    lexicon = _lexicon(callee)
    found: list[tuple[float, _Match]] = []
    rows = _by_length(callee)
    for start in range(len(words)):
        for end in range(start + 1, min(len(words), start + len(rows) - 1) + 1):
            window = " ".join(words[start:end])
            for phrase, score, _ in process.extract(
                window, rows[end - start], scorer=fuzz.ratio, score_cutoff=80, limit=5
            ):
                label, alone = lexicon[phrase]
                if alone and len(words) > end - start + _ALONE_WITH:
                    continue
                if _close(window, phrase, score):
                    weight = len(phrase) * score * (_EXACT if window == phrase else 1.0)
                    found.append((weight, _Match(start, end, label, phrase)))
    found.sort(key=lambda scored: -scored[0])
    taken: list[_Match] = []
    for _, match in found:
        if all(match.end <= other.start or match.start >= other.end for other in taken):
            taken.append(match)
    return sorted(taken, key=lambda match: match.start)


def _close(window: str, phrase: str, score: float) -> bool:
    """Whether the words heard may be taken for the phrase; short ones must be exact."""
    if window == phrase:
        return True
    heard, meant = window.split(), phrase.split()
    length = len(phrase)
    needed = 101.0 if length < 5 else 90.0 if length < 9 else 88.0 if length < 13 else 85.0
    if score < needed or abs(len(heard) - len(meant)) > 1:
        return False
    counts = [sum(word in _NEGATIONS for word in side) for side in (heard, meant)]
    if counts[0] != counts[1]:
        return False
    if len(heard) != len(meant):
        return bool(fuzz.ratio(window.replace(" ", ""), phrase.replace(" ", "")) >= 92)
    pairs = list(zip(heard, meant, strict=True))
    opposite = any(a == p + b or b == p + a for a, b in pairs for p in _OPPOSITES)
    return not opposite and all(fuzz.ratio(a, b) >= 60 for a, b in pairs)


@lru_cache(maxsize=256)
def _lexicon(callee: str) -> Mapping[str, tuple[str, bool]]:
    """Every phrase with its label (`?topic` for questions) and whether it counts only alone."""
    lexicon: dict[str, tuple[str, bool]] = {}
    for phrase, label, alone in phrases():
        if _NAME not in phrase:
            lexicon.setdefault(phrase, (label, alone))
        elif callee:
            for name in (callee, callee.split()[0]):
                lexicon.setdefault(phrase.replace(_NAME, name), (label, alone))
    return lexicon


@lru_cache(maxsize=256)
def _by_length(callee: str) -> Sequence[Sequence[str]]:
    """The phrases to compare with a window of that many words: a word more or less may do."""
    lexicon = _lexicon(callee)
    lengths = {phrase: len(phrase.split()) for phrase in lexicon}
    longest = max(lengths.values())
    return [[p for p in lexicon if abs(lengths[p] - n) < 2] for n in range(longest + 2)]


@lru_cache(maxsize=1)
def phrases() -> tuple[tuple[str, str, bool], ...]:
    """The tables, with every choice written out. Their words are canonical already."""
    blocks = list(_table("intents.yaml").items())
    blocks += [("?" + topic, entry["ask"]) for topic, entry in _table("questions.yaml").items()]
    lines = [(line.strip(), label) for label, block in blocks for line in block.splitlines()]
    return tuple(
        (phrase, label, line.startswith("=")) for line, label in lines for phrase in _choices(line)
    )


def _choices(line: str) -> Iterator[str]:
    """A line with each of its alternatives: "at the [tone|beep]"."""
    parts = re.split(r"\[(.*?)\]", line.removeprefix("="))
    choices = [part.split("|") if at % 2 else [part] for at, part in enumerate(parts)]
    return (" ".join("".join(choice).split()) for choice in product(*choices))


@lru_cache(maxsize=2)
def _table(name: str) -> Mapping[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(
        files("pipeline").joinpath(name).read_text(encoding="utf-8")
    )
    return loaded
