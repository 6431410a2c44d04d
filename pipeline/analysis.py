"""What a call came to: summary, verdict and the words that prove it."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from pipeline.branches import branches_by_intent
from pipeline.intent import Intent, Understanding, understand
from pipeline.judging import Criterion, judge_by_rules
from pipeline.knowledge import Knowledge
from pipeline.opening import Opening
from pipeline.ports import Message
from pipeline.task import Task

AnsweredBy = Literal["human", "machine", "screening", "unknown"]

_EARLY_TURNS = 3
_UNANSWERED: dict[str, tuple[str, str]] = {
    "dial_busy": ("busy", "The line was busy."),
    "dial_no_answer": ("no_answer", "Nobody answered."),
    "user_declined": ("declined", "The call was declined."),
    "dial_failed": ("failed", "The call could not be placed."),
    "invalid_destination": ("failed", "The number cannot be called."),
    "canceled": ("canceled", "The call was canceled before it was answered."),
    "engine_error": ("failed", "The call was broken off by a failure on our side."),
    "node_lost": ("failed", "The call was broken off by a failure on our side."),
    "media_timeout": ("failed", "The connection was lost."),
}
_BROKEN = ("engine_error", "node_lost", "media_timeout")
_SUMMARIES: dict[str, str] = {
    "agreed": "{primary}.",
    "confirmed": "{primary}.",
    "informed": "{primary}.",
    "refused": "{who} refused.",
    "disputed": "{who} disputed the matter.",
    "callback": "{who} asked for another time.",
    "alternative": "{who} offered something else than was asked for.",
    "wrong_person": "The call reached the wrong person.",
    "unavailable": "{who} was not available.",
    "escalated": "{who} wants to speak to a person.",
    "voicemail": "A machine answered.",
    "screening": "A call screener answered, and nobody came on the line.",
    "no_answer": "The call was answered, but nobody spoke.",
    "failed": "The call was broken off before it came to a result.",
    "inconclusive": "The call ended without a result.",
}
_DECISIONS: dict[Intent, str] = {
    Intent.WRONG_PERSON: "wrong_person",
    Intent.NOT_HERE: "unavailable",
    Intent.STOP_CALLING: "refused",
    Intent.DISPUTE: "disputed",
    Intent.WANT_HUMAN: "escalated",
    Intent.LATER: "callback",
    Intent.OFFER: "alternative",
    Intent.REFUSE: "refused",
}
_WON = ("agreed", "confirmed", "informed")
_IDENTITY = re.compile(r"\b(?:is this|is that|(?:speaking|talking) (?:with|to)) [^?.]*\?\s*$", re.I)
_WISH = re.compile(r"\bpossible\?\s*$")
_ANY_DAY = re.compile(r"\b(?:what|which|when|good time)\b[^?.]*\?\s*$", re.I)


@dataclass(frozen=True, slots=True)
class Analysis:
    """The verdict on one call."""

    summary: str
    success: bool
    disposition: str
    """agreed, confirmed, informed, refused, disputed, callback, alternative, wrong_person,
    unavailable, escalated, voicemail, screening, no_answer, busy, declined, canceled, failed or
    inconclusive."""
    criteria: tuple[Criterion, ...] = ()
    """The last one is the primary criterion: it decides on `success`."""


@dataclass(frozen=True, slots=True)
class _Turn:
    asked: str
    """What we were heard to say before."""
    heard: Understanding
    begun: bool = True
    """We had been heard before at all."""


@dataclass(frozen=True, slots=True)
class _Outcome:
    disposition: str = ""
    evidence: str | None = None
    reached: str | None = None
    """The words by which the right person made themselves known."""


def answered_by(messages: Sequence[Message]) -> AnsweredBy:
    """Who picked up, judged by the first words; a person who follows a screener counts."""
    verdict: AnsweredBy = "unknown"
    for turn in list(_turns(messages))[:_EARLY_TURNS]:
        intents = turn.heard.intents
        if Intent.VOICEMAIL in intents:
            return "machine"
        if Intent.SCREENING in intents:
            verdict = "screening"
        elif Intent.SILENCE not in intents and (verdict == "unknown" or Intent.HOLD not in intents):
            verdict = "human"
    return verdict


def analyse(
    task: Task,
    messages: Sequence[Message],
    *,
    ended_reason: str,
    answered_by: AnsweredBy,
    judged: Sequence[Criterion] | None = None,
) -> Analysis:
    """Judge one call by its transcript. Only what the other side was heard to say is evidence.

    judged: verdicts on `further_criteria` (`judge_by_model`); without them rules decide.
    """
    opening = Opening(task, Knowledge(task))
    turns = list(_turns(messages, task.callee))
    spoken = any(turn.heard.text for turn in turns)
    primary = primary_criterion(task)
    if not spoken and ended_reason in _UNANSWERED:
        disposition, summary = _UNANSWERED[ended_reason]
        outcome = _Outcome()
    else:
        outcome = _outcome(turns, opening)
        disposition = _disposition(outcome, spoken, ended_reason, answered_by)
        summary = _summary(task, disposition, primary, outcome.evidence)
    success = disposition in _WON
    criteria: list[Criterion] = []
    if task.callee:
        reached = outcome.reached if disposition != "wrong_person" else None
        criteria.append(Criterion(reached_criterion(task), reached is not None, reached))
    if judged is None:
        heard = messages if answered_by != "machine" else ()
        judged = judge_by_rules(further_criteria(task), heard)
    criteria += [*judged, Criterion(primary, success, outcome.evidence)]
    return Analysis(summary, success, disposition, tuple(criteria))


def _turns(messages: Sequence[Message], callee: str = "") -> Iterator[_Turn]:
    asked = ""
    begun = False
    for message in messages:
        if message.role == "assistant":
            asked = f"{asked} {message.content}".strip()
            begun = begun or bool(asked)
        elif message.role == "user":
            yield _Turn(asked, understand(message.content, callee), begun)
            asked = ""


def _outcome(turns: Sequence[_Turn], opening: Opening) -> _Outcome:
    outcome = _Outcome()
    won = "confirmed" if _confirms(opening) else "agreed"
    first = opening.first() if opening.identity else ()
    for place, turn in enumerate(turns):
        own = bool(first) and turn.asked.endswith(first[-1].text)
        heard, identity = turn.heard, own or bool(_IDENTITY.search(turn.asked))
        if place >= _EARLY_TURNS and heard.intent in (Intent.VOICEMAIL, Intent.SCREENING):
            continue
        known = Intent.RIGHT_PERSON in heard.intents or (
            identity and Intent.AGREE in heard.intents and Intent.HOLD not in heard.intents
        )
        if known and outcome.reached is None:
            outcome = replace(outcome, reached=heard.said)
        decision = _decision(turn, identity, won, opening)
        if decision and not (
            outcome.disposition == won and decision == "refused" and not heard.firm
        ):
            outcome = replace(outcome, disposition=decision, evidence=heard.said)
    if outcome.disposition in (won, "refused", "disputed", "callback") and not outcome.reached:
        met = next((t.heard.said for t in turns if t.heard.said == outcome.evidence), None)
        outcome = replace(outcome, reached=met if not opening.identity else None)
    return outcome


def _decision(turn: _Turn, identity: bool, won: str, opening: Opening) -> str:
    """What a turn decides, if anything."""
    heard, intent = turn.heard, turn.heard.intent
    if intent in (Intent.VOICEMAIL, Intent.SCREENING):
        return intent.value
    if _WISH.search(turn.asked) and intent is not Intent.DONE:
        return ""
    if heard.when.later and _ANY_DAY.search(turn.asked) and intent is not Intent.REFUSE:
        return "callback"
    if not turn.begun and intent in (Intent.AGREE, Intent.NO, Intent.UNKNOWN):
        return ""
    if turn.begun and opening.answered_by(heard):
        return "informed"
    if intent is Intent.OFFER and not opening.booking:
        return ""
    if opening.asking and intent in (Intent.AGREE, Intent.DONE, Intent.NO):
        return ""
    if intent is Intent.NO:
        return ("wrong_person" if identity else "refused") if turn.asked.endswith("?") else ""
    if intent is Intent.DONE:
        return won
    if intent is Intent.AGREE and not identity:
        return won if heard.firm or turn.asked.endswith("?") or opening.booking else ""
    return _DECISIONS.get(intent, "")


def _disposition(outcome: _Outcome, spoken: bool, ended_reason: str, who: AnsweredBy) -> str:
    if outcome.disposition in _WON:
        return outcome.disposition
    if who == "machine" or ended_reason == "voicemail_reached":
        return "voicemail"
    if ended_reason == "screening":
        return "screening"
    if outcome.disposition:
        return outcome.disposition
    if who == "screening":
        return "screening"
    if not spoken:
        return "no_answer"
    return "failed" if ended_reason in _BROKEN else "inconclusive"


def _confirms(opening: Opening) -> bool:
    return bool(opening.booking) or opening.confirming


def reached_criterion(task: Task) -> str:
    """That the right person was on the line, in words."""
    return f"Reached {task.callee}"


def further_criteria(task: Task) -> tuple[str, ...]:
    """The task's criteria but for those that are judged by themselves."""
    own = {reached_criterion(task).casefold(), primary_criterion(task).casefold()}
    return tuple(text for text in task.criteria if text.strip(" .").casefold() not in own)


def primary_criterion(task: Task) -> str:
    """The criterion that decides, in words."""
    opening = Opening(task, Knowledge(task))
    if opening.booking:
        return f"The {opening.booking} is confirmed"
    if opening.asking:
        return "The question is answered"
    who = task.callee or "The other side"
    branch = branches_by_intent(task.script).get(Intent.AGREE)
    if branch:
        what = branch.condition[:1].lower() + branch.condition[1:]
        amount = Knowledge(task).value("amount") if "pay" in what else ""
        return f"{who} {what} {amount}".strip()
    if confirmed := re.match(r"confirm (.+)", opening.errand):
        return f"{who} confirms {confirmed[1]}"
    return f"{who} agrees to this: {opening.errand}" if opening.errand else f"{who} agrees to talk"


def _summary(task: Task, disposition: str, primary: str, evidence: str | None) -> str:
    who = task.callee or "The other side"
    text = _SUMMARIES[disposition].format(primary=primary, who=who)
    return f'{text} They said: "{evidence}".' if evidence else text
