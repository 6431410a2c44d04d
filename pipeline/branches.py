"""A script's branches as steps: which meaning each answers, and what its actions say and do."""

import re
from collections.abc import Iterator, Mapping

from rapidfuzz import fuzz

from pipeline.course import Line, Step
from pipeline.intent import Intent
from pipeline.knowledge import Knowledge
from pipeline.playbook import Action, Branch, Script
from pipeline.ports import Act
from pipeline.task import Task
from pipeline.template import fill

_CONDITIONS: tuple[tuple[Intent, tuple[str, ...]], ...] = (
    (Intent.WRONG_PERSON, ("wrong person", "wrong number", "not the right person")),
    (Intent.VOICEMAIL, ("voicemail", "voice mail", "answering machine", "machine answers")),
    (Intent.NOT_HERE, ("not available", "not home", "unavailable", "someone else answers")),
    (Intent.WANT_HUMAN, ("asks for a human", "wants a person", "asks for a manager", "supervisor")),
    (Intent.STOP_CALLING, ("do not call", "stop calling", "asks to be removed", "opt out")),
    (Intent.DISCOUNT, ("asks for a discount", "negotiates", "wants to pay less")),
    (Intent.INSTALLMENTS, ("payment plan", "installments", "pay in parts")),
    (Intent.DISPUTE, (
        "disputes", "disputes the charge", "already paid", "claims paid", "denies", "contests",
        "says it is wrong", "does not recognize", "complains",
    )),
    (Intent.LATER, (
        "needs more time", "asks for time", "busy", "call back later", "asks to call later",
        "callback", "reschedule", "wants another time", "needs another time", "later",
        "cannot pay now", "asks for an extension", "not a good time", "promises to pay later",
    )),
    (Intent.REFUSE, (
        "refuses", "refuses to pay", "declines", "says no", "not interested", "is not interested",
        "cancels", "cannot pay", "will not pay", "rejects", "cannot make it", "unwilling",
    )),
    (Intent.ROBOT, ("asks if robot", "asks whether you are a robot", "are you a robot")),
    (Intent.QUESTION, ("asks a question", "unknown question", "has questions")),
    (Intent.AGREE, (
        "agrees", "agrees to pay", "accepts", "confirms", "says yes", "interested",
        "is interested", "can make it", "willing to pay", "will pay", "yes", "acknowledges",
    )),
)  # fmt: skip
_SIMILAR = 84.0
_TIDY = re.compile(r"\b(?:if|when|the|a|customer|caller|callee|person|they|he|she|user|client)\b")


def condition_intents(condition: str) -> tuple[Intent, ...]:
    """The meanings that a branch's condition speaks of, in the words of the script's author."""
    found = []
    for part in re.split(r"\s+or\s+|[/,;]", condition.lower().replace("n't", " not")):
        wanted = " ".join(_TIDY.sub(" ", part).split())
        scored = [
            (fuzz.ratio(wanted, example), fuzz.token_set_ratio(wanted, example), len(example), name)
            for name, examples in _CONDITIONS
            for example in examples
        ]
        close = [entry for entry in scored if max(entry[0], entry[1]) >= _SIMILAR]
        if wanted and close:
            found.append(max(close, key=lambda entry: entry[:3])[3])
    return tuple(dict.fromkeys(found))


def branches_by_intent(script: Script | None) -> Mapping[Intent, Branch]:
    """The script's branches under the meanings that lead into them; the first one counts."""
    table: dict[Intent, Branch] = {}
    for branch in script.branches if script else ():
        for intent in condition_intents(branch.condition):
            table.setdefault(intent, branch)
    return table


_DEFAULTS: Mapping[Intent, tuple[Action, ...]] = {
    Intent.AGREE: (Action("confirm", ""),),
    Intent.REFUSE: (Action("note", ""), Action("thank", "")),
    Intent.DISPUTE: (Action("say", "I will pass that on, and someone will contact you."),),
    Intent.WANT_HUMAN: (Action("say", "I understand. Someone will call you back."),),
    Intent.WRONG_PERSON: (Action("apologize", ""),),
    Intent.STOP_CALLING: (Action("apologize", ""), Action("say", "I will pass that on.")),
    Intent.NOT_HERE: (Action("say", "Okay, thank you. I will call back later."),),
}
_PREFACES = {Intent.REFUSE: "I understand.", Intent.DISPUTE: "I understand."}
_ESCALATED = frozenset({Intent.WANT_HUMAN, Intent.STOP_CALLING})
_REPORTS = {
    Intent.REFUSE: "refused",
    Intent.DISPUTE: "disputes the matter",
    Intent.WANT_HUMAN: "wants to speak to a person",
    Intent.STOP_CALLING: "asked not to be called again",
    Intent.LATER: "asked for more time",
    Intent.AGREE: "agreed",
}
_WORDS: Mapping[str, str] = {
    "confirm": "Great, thank you.",
    "apologize": "I'm sorry for the trouble.",
    "thank": "Thank you for your time.",
}


class Branches:
    """Turns the branch of a meaning into steps; every branch ends the call."""

    def __init__(self, task: Task, knowledge: Knowledge) -> None:
        self._task = task
        self._knowledge = knowledge
        self._table = branches_by_intent(task.script)
        self._escalates = frozenset(condition_intents(task.escalation.partition(",")[0]))

    def asks_for_date(self, intent: Intent) -> bool:
        """Whether the branch wants to know a day before it ends."""
        branch = self._table.get(intent)
        return branch is None or any(action.kind == "ask_date" for action in branch.actions)

    def has(self, intent: Intent) -> bool:
        """Whether the script has a branch for it."""
        return intent in self._table

    def steps(self, intent: Intent, words: str, reason: str = "agent_hangup") -> tuple[Step, ...]:
        """What to say and do; `words`: what the other side said, for an escalation's summary."""
        branch = self._table.get(intent)
        actions = branch.actions if branch else _DEFAULTS.get(intent, (Action("thank", ""),))
        escalated = any(action.kind == "escalate" for action in actions)
        steps: list[Step] = []
        if preface := _PREFACES.get(intent, ""):
            steps.append(Line(preface))
        for action in actions:
            steps += self._action(action, intent, words)
        if not escalated and (intent in _ESCALATED or intent in self._escalates):
            steps.append(self._escalation(self._task.escalation, intent, words))
        if intent is Intent.REFUSE and not any(self._thanks(step) for step in steps):
            steps.append(Line(_WORDS["thank"]))
        return (*steps, *goodbye(reason))

    def _action(self, action: Action, intent: Intent, words: str) -> Iterator[Step]:
        if action.kind in _WORDS:
            yield Line(_WORDS[action.kind])
        elif action.kind == "say":
            yield Line(sentence(self._knowledge.fill(action.text)))
        elif action.kind == "share":
            yield from self._share(action, intent, words)
        elif action.kind == "escalate":
            yield self._escalation(action.text, intent, words)

    def _share(self, action: Action, intent: Intent, words: str) -> Iterator[Step]:
        """Send what the script names; without the fact somebody else has to."""
        wanted = re.findall(r"\{\s*(?:facts\.)?(\w+)\s*\}", action.text)
        text, missing = fill(action.text, self._task.facts, self._task.agent_name)
        if wanted:
            thing = " and the ".join(re.sub(r"[_-]|url", " ", key).strip() for key in wanted)
        else:
            thing = re.sub(r"^\w+(?: (?:them|him|her))?(?: (?:the|a|an))? ", "", text.strip())
        if missing:
            yield Line(f"Someone will send you the {thing}.")
            yield self._escalation(action.text, intent, words)
            return
        values = " ".join(str(self._task.facts[key]) for key in wanted) or self._links()
        yield Line(f"I will send you the {thing}.")
        message = " ".join(part for part in (self._task.company, f"{thing}:", values) if part)
        yield Act("send_message", {"text": message.strip()})

    def _links(self) -> str:
        return " ".join(str(v) for k, v in self._task.facts.items() if "link" in k or "url" in k)

    def _escalation(self, rule: str, intent: Intent, words: str) -> Act:
        who = self._task.callee or "The other side"
        summary = f"{who} {_REPORTS.get(intent, 'needs attention')}"
        said = f': "{words.strip()}"' if words.strip() else "."
        return Act("escalate", {"rule": self._task.escalation or rule, "summary": summary + said})

    def _thanks(self, step: Step) -> bool:
        return isinstance(step, Line) and "hank" in step.text


def goodbye(reason: str = "agent_hangup") -> tuple[Step, ...]:
    """The last words, and the end of the call behind them."""
    return (Line("Goodbye."), Act("end_call", {"reason": reason}))


def sentence(text: str) -> str:
    """Text with the mark that ends a sentence."""
    text = text.strip()
    return text if not text or text[-1] in ".?!" else text + "."
