"""Templates: `{facts.x}`, `{{variable}}` and `{AGENT_NAME}` filled, or left out with care."""

import re
from collections.abc import Mapping

Fact = str | int | float | bool

_KEY = r"\s*(?:(?:facts|variables)\.)?([A-Za-z_]\w*)\s*"
_SLOT = re.compile(rf"\{{\{{{_KEY}\}}\}}|\{{{_KEY}\}}")
_GAP = "\x00"
_GAP_NAME = "\x01"
_PREPOSITION = (
    r"(?:on behalf of|calling from|from|about|regarding|for|of|at|on|with|by|to|in)"
    r"(?: (?:your|the|our|a|an))?"
)
_CLAUSE = r"(?:[^,.?!]|[,.](?=\d))"
_ANY_GAP = rf"[{_GAP}{_GAP_NAME}]"
_WITHOUT_FACT: tuple[tuple[str, str], ...] = (
    (rf"\b(hi|hello|dear|hey) {_GAP_NAME}", r"\1"),
    (rf"\b(is this|speaking (?:with|to)|talking to) {_GAP_NAME}", r"\1 the right person"),
    (rf",\s+(?:(?:that|which|who)\b{_CLAUSE}*)?{_ANY_GAP}{_CLAUSE}*", ""),
    (rf"\s*\b{_PREPOSITION} {_ANY_GAP}(?: \w+(?=[,.?!]|$))?", ""),
    (rf",\s+{_CLAUSE}*{_ANY_GAP}{_CLAUSE}*", ""),
    (rf"\b(?:your|the|an?) {_ANY_GAP}", "this"),
    (_GAP_NAME, "the right person"),
    (_GAP, "this"),
)
"""Applied in order to a sentence that lacks a fact: a greeting loses the name, a clause or a
phrase goes, and only then does a neutral word stand in."""


def spoken(fact: Fact) -> str:
    """A fact as it is written in a sentence."""
    if isinstance(fact, bool):
        return "yes" if fact else "no"
    return re.sub(r"\s+", " ", str(fact)).strip()


def fill(template: str, facts: Mapping[str, Fact], agent_name: str) -> tuple[str, tuple[str, ...]]:
    """Fill a template. Returns the text and the names of the facts that were missing.

    Nothing is invented for a missing fact: its clause is dropped, or a neutral word is said.
    """
    missing: list[str] = []

    def value(slot: re.Match[str]) -> str:
        key = slot[1] or slot[2]
        if key.upper() == "AGENT_NAME":
            return agent_name
        text = spoken(facts[key]) if key in facts else ""
        if text:
            return text
        if key not in missing:
            missing.append(key)
        return _GAP_NAME if key.endswith("name") else _GAP

    text = _SLOT.sub(value, re.sub(rf"[{_GAP}{_GAP_NAME}]", "", template))
    if missing:
        text = " ".join(_without_gap(part) for part in re.split(r"(?<=[.?!])\s+", text))
    return re.sub(r"\s+", " ", text).strip(), tuple(missing)


def slots(template: str) -> tuple[str, ...]:
    """The names that a template asks for, each once."""
    return tuple(dict.fromkeys(slot[1] or slot[2] for slot in _SLOT.finditer(template)))


def fill_lines(template: str, facts: Mapping[str, Fact], agent_name: str) -> str:
    """Fill a text of several lines, each by itself."""
    return "\n".join(fill(line, facts, agent_name)[0] for line in template.splitlines()).strip()


def _without_gap(sentence: str) -> str:
    """One sentence, freed of the gaps that stand for missing facts."""
    for pattern, instead in _WITHOUT_FACT:
        if _GAP not in sentence and _GAP_NAME not in sentence:
            break
        sentence = re.sub(pattern, instead, sentence, flags=re.IGNORECASE)
    sentence = re.sub(r"\s+([,.?!])", r"\1", sentence.strip(" ,"))
    return sentence[:1].upper() + sentence[1:]
