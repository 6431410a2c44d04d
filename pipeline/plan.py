"""What a call is to come to, worked out before it is placed: points, criteria, conference."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.analysis import primary_criterion, reached_criterion
from pipeline.asking import ask
from pipeline.knowledge import URL, Knowledge, is_secret
from pipeline.opening import Opening, sentences
from pipeline.ports import LanguageModel
from pipeline.task import CALLEE_KEYS, COMPANY_KEYS, Task
from pipeline.template import spoken

_CALLING = re.compile(
    r"^(?:please )?(?:make a (?:phone )?call|call|phone|ring|dial|contact|reach out to|telephone)\b"
    r"(?P<whom>[^;]*?)\b(?:to|and) (?P<errand>[a-z].*)$",
    re.IGNORECASE,
)
_TOGETHER = re.compile(
    r"\b(?:connect|conference|facilitat\w+|mediat\w+|moderat\w+|introduc\w+|negotiat\w+|"
    r"three[- ]way|group call|joint call|bring \w+ together|between|both (?:sides|parties)|"
    r"(?:buyer|tenant|landlord|customer|vendor|supplier|client)s? and (?:the )?\w+)\b",
    re.IGNORECASE,
)
_MATTER = re.compile(
    r"\b(?:negotiat\w+|agree (?:up)?on|discuss|decide(?: on)?|settle) (?P<what>[^.;,]+)",
    re.IGNORECASE,
)
_DETAILS = ("party_size", "date", "time", "name", "seating")
_MOST_FACTS = 5
_LONGEST_SUMMARY = 300

SCHEMA = {
    "type": "object",
    "properties": {
        "summary": {"type": "string", "minLength": 10, "maxLength": 200},
        "talking_points": {
            "type": "array",
            "items": {"type": "string", "minLength": 3, "maxLength": 120},
            "minItems": 1,
            "maxItems": 6,
        },
        "success_criteria": {
            "type": "array",
            "items": {"type": "string", "minLength": 3, "maxLength": 120},
            "minItems": 1,
            "maxItems": 4,
        },
        "conference": {"type": "boolean"},
    },
    "required": ["summary", "talking_points", "success_criteria", "conference"],
    "additionalProperties": False,
}
_ASKED = """You plan phone calls that an automated assistant will make. Answer with JSON: a \
summary of the call in one sentence; the points the assistant is to make, in order; the criteria \
by which the call will be a success, each something the other side can be heard to say; and \
whether all numbers must talk with each other in one conference call. Use only what is given."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The analysis of an objective."""

    summary: str
    talking_points: tuple[str, ...]
    success_criteria: tuple[str, ...]
    """For `Task.criteria`; they are judged after the call."""
    conference: bool
    """All numbers are to be connected with each other."""


async def plan_call(
    task: Task, numbers: int, model: LanguageModel | None, conversation: str
) -> Plan:
    """Plan by the model, or by rules where there is none.

    numbers: how many are called. A model that fails is not replaced by rules in silence: what
    it raises (an engine's RuntimeError, AnswerInvalid) is for whoever takes the request, who can
    refuse it for now, or plan by rules and say so in a warning.
    """
    if model is None:
        return plan_by_rules(task, numbers)
    return await plan_by_model(model, conversation, task, numbers)


async def plan_by_model(
    model: LanguageModel, conversation: str, task: Task, numbers: int = 1
) -> Plan:
    """Let a language model plan, under a grammar. Raises what `ask` raises."""
    lines = [f"Objective: {task.objective}", f"Numbers to call: {numbers}"]
    lines += [f"Context: {task.context}"] if task.context else []
    lines += [f"Fact: {name} is {value}" for name, value in _facts(task)]
    prompt = [("system", _ASKED), ("user", "\n".join(lines))]
    answer = await ask(model, conversation, prompt, SCHEMA)
    return Plan(
        answer["summary"],
        tuple(answer["talking_points"]),
        tuple(answer["success_criteria"]),
        bool(answer["conference"]) and numbers > 1,
    )


def plan_by_rules(task: Task, numbers: int = 1) -> Plan:
    """Plan without a model: the brief's own clauses, in the order of a call."""
    conference = numbers > 1 and bool(_TOGETHER.search(task.objective))
    return Plan(
        _summary(task),
        tuple(dict.fromkeys(_points(task, conference))),
        tuple(dict.fromkeys(_criteria(task, conference))),
        conference,
    )


def _summary(task: Task) -> str:
    clauses = [part.strip(" .") for part in sentences(task.objective)]
    text = ". ".join(clauses)[:_LONGEST_SUMMARY]
    if not text:
        return "Make a call."
    if _CALLING.match(text) or re.match(r"(?:call|phone|connect)\b", text, re.IGNORECASE):
        return f"{_capital(text)}."
    whom = f" {task.callee}" if task.callee else ""
    company = f" for {task.company}" if task.company else ""
    return f"Call{whom}{company} to {text[:1].lower()}{text[1:]}."


def _points(task: Task, conference: bool) -> Iterator[str]:
    knowledge = Knowledge(task)
    yield _introduction(task)
    if conference:
        yield "Introduce the parties to each other"
    if task.callee and not conference:
        yield f"Make sure that this is {task.callee}"
    yield from _clauses(task)
    if Opening(task, knowledge).booking:
        details = [knowledge.value(topic) for topic in _DETAILS[:3]]
        yield "Give the details when asked: " + ", ".join(_sized(details))
    elif facts := list(_facts(task))[:_MOST_FACTS]:
        yield "Know the facts: " + "; ".join(f"{name} {value}" for name, value in facts)
    if wish := knowledge.preference():
        yield f"Ask for {wish}"
    if task.script and task.script.hard_limits:
        yield "Keep to the limits: " + ", ".join(task.script.hard_limits)
    if conference:
        yield "Sum up what was agreed"
    if "goodbye" not in task.objective.lower():
        yield "Thank them and say goodbye"


def _introduction(task: Task) -> str:
    who = "an automated assistant" if task.disclose else task.agent_name
    company = f" for {task.company}" if task.company else ""
    recorded = ", and that the call is recorded" if task.recorded else ""
    return f"Say that {who} is calling{company}{recorded}"


def _clauses(task: Task) -> Iterator[str]:
    """What the objective asks for, one thing at a time."""
    for sentence in sentences(task.objective):
        for part in sentence.split(";"):
            text = re.sub(r"^(?:and|then|and then)\s+", "", part.strip(" ."), flags=re.IGNORECASE)
            if calling := _CALLING.match(text):
                text = calling["errand"]
            if text:
                yield _capital(text)


def _criteria(task: Task, conference: bool) -> Iterator[str]:
    if conference:
        matter = _MATTER.search(task.objective)
        yield "All parties joined the call"
        yield f"The parties agree on {matter['what'].strip()}" if matter else "The parties agree"
        return
    if task.callee:
        yield reached_criterion(task)
    yield primary_criterion(task)
    if wish := Knowledge(task).preference():
        yield f"{_capital(wish)} is possible"


def _facts(task: Task) -> Iterator[tuple[str, str]]:
    """Facts that may be spoken of, but for the names that stand elsewhere."""
    for key, fact in task.facts.items():
        named = key in COMPANY_KEYS or key in CALLEE_KEYS
        if not named and not is_secret(key) and not URL.search(spoken(fact)):
            yield re.sub(r"[_-]+", " ", key), spoken(fact)


def _sized(details: list[str]) -> list[str]:
    """Details without those that others hold; a bare number says what it counts."""
    whole = [one for one in details if one and not any(one in o for o in details if o != one)]
    return [f"{text} people" if text.isdigit() else text for text in whole]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
