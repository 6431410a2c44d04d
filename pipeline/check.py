"""A playbook as its author wants it checked: what is understood, and what nobody would act on."""

from dataclasses import dataclass

from pipeline.branches import condition_intents
from pipeline.playbook import Playbook, Script, parse_playbook
from pipeline.template import slots

OWN_SLOTS = frozenset({"AGENT_NAME"})


@dataclass(frozen=True, slots=True)
class CheckedScript:
    """One script, in short."""

    name: str
    facts: tuple[str, ...]
    """Those that it says it expects."""
    branches: int


@dataclass(frozen=True, slots=True)
class Checked:
    """The scripts of a playbook, and everything that is odd about it."""

    scripts: tuple[CheckedScript, ...]
    warnings: tuple[str, ...]


def check_playbook(markdown: str) -> Checked:
    """Read a playbook with an author's eyes; never raises."""
    playbook: Playbook = parse_playbook(markdown)
    scripts = tuple(playbook.scripts.values())
    odd = [warning for script in scripts for warning in _oddities(script)]
    return Checked(
        tuple(CheckedScript(s.name, s.expected_facts, len(s.branches)) for s in scripts),
        (*playbook.warnings, *odd),
    )


def _oddities(script: Script) -> list[str]:
    """Slots that no fact is expected for, and branches that nothing leads to."""
    texts = [script.opening, *(a.text for branch in script.branches for a in branch.actions)]
    used = dict.fromkeys(name for text in texts for name in slots(text))
    known = {*script.expected_facts, *OWN_SLOTS}
    warnings = [
        f"script {script.name!r}: {{facts.{name}}} is not among its expected facts"
        for name in used
        if name not in known
    ]
    warnings += [
        f"script {script.name!r}: the condition is not understood: {branch.condition!r}"
        for branch in script.branches
        if not condition_intents(branch.condition)
    ]
    return warnings
