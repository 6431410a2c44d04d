"""Playbooks: markdown in which every `####` heading under Outbound Mode is a script.

Nothing in a playbook can raise: what is not understood becomes a warning, because the file is
written by people and is read while a call is being placed.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

from pipeline.words import NUMBERS

ActionKind = Literal[
    "say", "share", "escalate", "close", "confirm", "apologize", "message", "ask_date", "note",
    "thank", "other",
]  # fmt: skip

_ACTIONS: tuple[tuple[str, ActionKind], ...] = (
    (r"^(run|call|use|invoke)\b", "escalate"),
    (r"^(escalate|notify|transfer|hand (off|over)|alert)\b", "escalate"),
    (r"^(e-?mail|send|text|message)\b.*\b(contact|manager|supervisor|team)\b", "escalate"),
    (r"^(share|send|text|e-?mail|sms|offer)\b", "share"),
    (r"^leave\b|^(voice ?mail|brief) message\b", "message"),
    (r"^(ask|request|get|agree)\b.*\b(date|day|time|when)\b", "ask_date"),
    (r"^apologi[sz]e\b", "apologize"),
    (r"^thank\b", "thank"),
    (r"^(re)?confirm\b|^acknowledge\b", "confirm"),
    (r"^(log|note|record|make a note)\b", "note"),
    (r"^(politely )?(close|end|hang ?up|finish|stop|say goodbye|goodbye)\b", "close"),
)

_HEADING = re.compile(r"^\s{0,3}(#{1,6})\s+(.*?)\s*#*\s*$")
_KEY = re.compile(
    r"^\s*(?:[-*]\s+)?\*\*\s*(?P<key>[^*:]+?)\s*(?P<inner>:)?\s*\*\*\s*"
    r"(?P<note>\([^)]*\))?\s*(?P<outer>:)?\s*(?P<rest>.*)$"
)
_BULLET = re.compile(r"^\s*[-*•]\s+(.*)$")
_ARROW = re.compile(r"\s*(?:->|→|=>|–>|—>)\s*")
_QUOTES = str.maketrans({"“": '"', "”": '"', "„": '"', "’": "'", "‘": "'"})
_KEYS = ("goal recap", "expected facts", "opening", "branches", "hard limits", "duration")


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that a branch asks for."""

    kind: ActionKind
    text: str
    """As written; for `say` the words between the quotes."""


@dataclass(frozen=True, slots=True)
class Branch:
    """What to do when the other side behaves in a certain way."""

    condition: str
    actions: tuple[Action, ...]


@dataclass(frozen=True, slots=True)
class Script:
    """One profile: how a certain type of call goes."""

    name: str
    goal: str = ""
    expected_facts: tuple[str, ...] = ()
    opening: str = ""
    """A template; " - " separates what is said before and after the identity is confirmed."""
    branches: tuple[Branch, ...] = ()
    hard_limits: tuple[str, ...] = ()
    max_duration_s: int | None = None

    @property
    def openings(self) -> tuple[str, str]:
        """The opening before and after the identity is confirmed; the second may be empty."""
        first, dash, second = re.sub(r"\s[–—]\s", " - ", self.opening).partition(" - ")
        return (first.strip(), second.strip()) if dash and "?" in first else (self.opening, "")


@dataclass(frozen=True, slots=True)
class Playbook:
    """The scripts of one markdown file and what was odd about it."""

    scripts: Mapping[str, Script]
    warnings: tuple[str, ...] = ()

    def find(self, name: str) -> Script | None:
        """The script of that name; case, spaces and underscores do not matter."""
        return self.scripts.get(_slug(name))


def parse_playbook(markdown: str) -> Playbook:
    """Read a playbook. Never raises; oddities end up in `warnings`."""
    scripts: dict[str, Script] = {}
    warnings: list[str] = []
    for title, lines in _profiles(markdown, warnings):
        name = _slug(title)
        if not name:
            warnings.append("a script without a name is ignored")
            continue
        if name in scripts:
            warnings.append(f"script {name!r} is defined twice; the last one counts")
        scripts[name] = _script(name, lines, warnings)
    if not scripts:
        warnings.append("no script profiles found")
    return Playbook(scripts, tuple(warnings))


@cache
def default_playbook() -> Playbook:
    """The playbook that ships with the product."""
    source = files("pipeline").joinpath("playbooks/default.md")
    return parse_playbook(source.read_text(encoding="utf-8"))


def _slug(name: str) -> str:
    return re.sub(r"[\s_]+", "-", name.strip(" \t`*:_").lower())


def _profiles(markdown: str, warnings: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Title and body of each profile heading that stands in the right section."""
    lines = _visible(markdown)
    headings = [_HEADING.match(line) for line in lines]
    sectioned = any(h and "outbound" in h[2].lower() and len(h[1]) < 4 for h in headings)
    if not sectioned and any(h and len(h[1]) == 4 for h in headings):
        warnings.append("no Outbound Mode section; every #### heading is taken as a script")
    inside = not sectioned
    title: str | None = None
    body: list[str] = []
    for line, heading in zip(lines, headings, strict=True):
        text = heading[2].lower() if heading else line.strip(" \t*_:").lower()
        if heading is None and not (text == "script profiles" and sectioned):
            body.append(line)
            continue
        if title is not None:
            yield title, body
        title, body = None, []
        if heading and len(heading[1]) == 4:
            if inside:
                title = heading[2]
            else:
                warnings.append(f"heading {heading[2]!r} stands outside Script profiles")
        elif heading and len(heading[1]) < 3 and sectioned:
            inside = "outbound" in text
        elif sectioned and (heading is None or len(heading[1]) == 3):
            inside = "script profile" in text or "outbound" in text
    if title is not None:
        yield title, body


def _visible(markdown: str) -> list[str]:
    """Lines without byte order mark, code fence marks, comments and block quote signs."""
    text = re.sub(r"<!--.*?-->", "", markdown.lstrip("\ufeff"), flags=re.DOTALL)
    lines = text.translate(_QUOTES).splitlines()
    return [re.sub(r"^\s*>\s?", "", line) for line in lines if not line.lstrip().startswith("```")]


def _script(name: str, lines: Sequence[str], warnings: list[str]) -> Script:
    fields: dict[str, list[str]] = {}
    current: list[str] | None = None
    for line in lines:
        key = _KEY.match(line)
        if key and (key["inner"] or key["outer"]):
            label = re.sub(r"\s+", " ", key["key"].lower())
            if label not in _KEYS:
                warnings.append(f"script {name!r}: unknown key {key['key']!r}")
            current = fields.setdefault(label, [])
            line = key["rest"]
        elif current is None and line.strip():
            warnings.append(f"script {name!r}: text before the first key is ignored")
        if current is not None and line.strip():
            current.append(line)
    opening = _quoted(_joined(fields.get("opening", ())))
    if not opening:
        warnings.append(f"script {name!r}: no opening")
    return Script(
        name=name,
        goal=_joined(fields.get("goal recap", ())),
        expected_facts=tuple(re.findall(r"[A-Za-z]\w*", _joined(fields.get("expected facts", ())))),
        opening=opening,
        branches=tuple(_branches(name, fields.get("branches", ()), warnings)),
        hard_limits=_listed(fields.get("hard limits", ())),
        max_duration_s=_duration_s(name, _joined(fields.get("duration", ())), warnings),
    )


def _joined(lines: Sequence[str]) -> str:
    return re.sub(r"\s+", " ", " ".join(lines)).strip()


def _quoted(text: str) -> str:
    """What stands between the outer quotation marks, or the whole text."""
    first, last = text.find('"'), text.rfind('"')
    return text[first + 1 : last].strip() if 0 <= first < last else text.strip(' "')


def _listed(lines: Sequence[str]) -> tuple[str, ...]:
    text = "; ".join(m[1] for line in lines if (m := _BULLET.match(line))) or _joined(lines)
    return tuple(part for p in re.split(r"[,;]\s+", text) if (part := p.strip(" .")))


def _branches(name: str, lines: Sequence[str], warnings: list[str]) -> Iterator[Branch]:
    items: list[str] = []
    for line in lines:
        bullet = _BULLET.match(line)
        if bullet or not items:
            items.append(bullet[1] if bullet else line.strip())
        else:
            items[-1] += " " + line.strip()
    for item in items:
        condition, *rest = _ARROW.split(item, maxsplit=1)
        if not rest or not condition.strip():
            warnings.append(f"script {name!r}: branch without condition or arrow: {item!r}")
            continue
        actions = tuple(_action(text) for text in _split_actions(rest[0]))
        odd = (action.text for action in actions if action.kind == "other")
        warnings += [f"script {name!r}: action not understood: {text!r}" for text in odd]
        yield Branch(condition.strip(" *`"), actions)


def _split_actions(text: str) -> list[str]:
    parts = re.findall(r'(?:"[^"]*"|[^"+]|\+(?=\S)|")+', text)
    return [part.strip(" .") for part in parts if part.strip(" .+")]


def _action(text: str) -> Action:
    if '"' in text:
        return Action("say", _quoted(text))
    lowered = text.lower()
    kinds = (kind for pattern, kind in _ACTIONS if re.search(pattern, lowered))
    return Action(next(kinds, "other"), text)


def _duration_s(name: str, text: str, warnings: list[str]) -> int | None:
    if not text:
        return None
    words = re.findall(r"\d+(?:\.\d+)?|[a-z]+", text.lower())
    limit: float | None = None
    amount: float | None = None
    for word in words:
        if word[0].isdigit() or word in NUMBERS:
            amount = float(NUMBERS.get(word, word))
        elif amount is not None and word.startswith(("min", "sec", "hour")):
            unit = {"m": 60, "s": 1, "h": 3600}[word[0]]
            limit = (limit or 0) + amount * unit
            amount = None
    if limit is None:
        warnings.append(f"script {name!r}: duration not understood: {text!r}")
        return None
    return int(limit)
