"""What a call may be about, and that its texts speak to the callee and not to the model.

Rules and what they must catch and pass are data: `harm.yaml` and `injection.yaml`. They are a
fence against the careless and the crude, not a judge of intent.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

import yaml
from pydantic import JsonValue

from server.calls.policy.errors import Blocked, InjectionFound
from server.calls.policy.text import plain, squeezed

GAP = re.compile(r"<(\d+)>")
WORD = re.compile(r"<([a-z]+)>")
BETWEEN = r"(?:[\W_]{1,4})"
"""What a space in a phrase stands for."""

NEGATED = re.compile(
    r"\b(?:do not|don't|never|without|avoid|must not|mustn't|should not|shouldn't|may not|not to"
    r"|will not|won't|refrain from|instead of|rather than)"
    r"(?: (?:ever|even|directly|under any circumstances))?"
    r" (?:[\w']+(?:, (?:or )?| or | nor )){0,3}$"
)
"""Before a match, this makes it a thing not to do. `do not hesitate to …` is none."""
COMMAND = re.compile(
    r"(?:^|[.;:,!?\n(\"'-] ?|\b(?:and|then|or|please|must|should|just|also|now|to|keep|by|while) )"
    r"(?:[a-z]+ly )?$"
)
REPORT = re.compile(
    r"\b(?:he|she|they|who|it|someone|somebody|anyone|has|have|had|keeps?|continue[sd]?|began"
    r"|tried|tries|trying|threatened|attempt(?:ed|s)?|started|wants|wanted|called|phoned|used)"
    r" (?:to|and|then|by|while)? ?$"
)
"""Before a command, this makes it a tale of somebody else."""
REACH = 60
"""Characters before a match that are looked at; more than the two above can need."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a data file, compiled."""

    name: str
    category: str
    anywhere: tuple[re.Pattern[str], ...]
    commands: tuple[re.Pattern[str], ...]
    letters: tuple[str, ...]


def check_harm(texts: JsonValue, field: str = "") -> None:
    """Look for a request to do harm in every string of a JSON value.

    field: path of the value; those of its parts are joined to it by dots. Raises `Blocked`
    with the category and the path.
    """
    for path, text in _strings(texts, field):
        found = next((rule for rule in harm_rules() if _asks(rule, text)), None)
        if found is not None:
            raise Blocked(found.category, path)


def check_injection(texts: JsonValue, field: str = "") -> None:
    """Look for instructions to the model in every string of a JSON value, keys included.

    field: path of the value; those of its parts are joined to it by dots, as in
    `task.facts.note`; a key at fault is told as the path of its object. Raises
    `InjectionFound` with the rule and the path.
    """
    for path, text in _strings(texts, field):
        letters = squeezed(text)
        for rule in injection_rules():
            if any(pattern.search(text) for pattern in rule.anywhere) or any(
                phrase in letters for phrase in rule.letters
            ):
                raise InjectionFound(rule.name, path)


@cache
def harm_rules() -> tuple[Rule, ...]:
    """The rules of harm.yaml, in its order."""
    return _load("harm.yaml")


@cache
def injection_rules() -> tuple[Rule, ...]:
    """The rules of injection.yaml, in its order."""
    return _load("injection.yaml")


def _asks(rule: Rule, text: str) -> bool:
    for pattern in rule.anywhere:
        if any(not NEGATED.search(_before(match)) for match in pattern.finditer(text)):
            return True
    for pattern in rule.commands:
        for match in pattern.finditer(text):
            before = _before(match)
            if COMMAND.search(before) and not (NEGATED.search(before) or REPORT.search(before)):
                return True
    return False


def _before(match: re.Match[str]) -> str:
    return match.string[max(0, match.start() - REACH) : match.start()]


def _strings(value: JsonValue, path: str) -> Iterator[tuple[str, str]]:
    """Every string with its path, plain; without recursion, so that no depth is too deep."""
    waiting: list[tuple[str, JsonValue]] = [(path, value)]
    while waiting:
        where, one = waiting.pop()
        if isinstance(one, str):
            yield where, plain(one)
        elif isinstance(one, Mapping):
            yield from ((where, plain(key)) for key in one)
            waiting += [(_join(where, key), one[key]) for key in reversed(one)]
        elif isinstance(one, Sequence):
            waiting += [(_join(where, str(at)), one[at]) for at in reversed(range(len(one)))]


def _join(path: str, part: str) -> str:
    return f"{path}.{part}" if path else part


def _load(name: str) -> tuple[Rule, ...]:
    source = resources.files("server.calls.policy").joinpath(name).read_text(encoding="utf-8")
    data = yaml.safe_load(source)
    words = data["words"]
    return tuple(
        Rule(
            name=rule["name"],
            category=rule.get("category", rule["name"]),
            anywhere=tuple(_phrase(one, words) for one in rule.get("phrases", ()))
            + tuple(re.compile(one) for one in rule.get("markup", ())),
            commands=tuple(_phrase(one, words) for one in rule.get("commands", ())),
            letters=tuple(squeezed(one) for one in rule.get("squeezed", ())),
        )
        for rule in data["rules"]
    )


def _phrase(written: str, words: Mapping[str, str]) -> re.Pattern[str]:
    """Compile a phrase of a data file; its head says what the signs mean."""
    whole = WORD.sub(lambda match: words[match[1]], written)
    spaced = whole.replace(" ", BETWEEN)
    gapped = GAP.sub(lambda match: rf"(?:\W+\w+){{0,{match[1]}}}?", spaced)
    return re.compile(rf"(?<!\w)(?:{gapped})(?!\w)")
