"""A brain without a language model: rules over meanings, for a script or a plain objective."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from pipeline.answers import ANSWERING
from pipeline.branches import goodbye
from pipeline.course import Course, Line, Part, Stage, Step
from pipeline.intent import Intent, Understanding, understand
from pipeline.knowledge import names
from pipeline.moves import ROBOT, Moves
from pipeline.ports import Act, Message, Say
from pipeline.task import Task
from pipeline.tools import read_result

PATIENCE_TURNS = 18
"""Turns of the other side after which the call is ended, whatever is said."""
_EARLY_TURNS = 4
"""Machines answer at the beginning of a call."""

_ASIDES = (Intent.WHO_IS_THIS, Intent.WHY_CALLING, Intent.QUESTION, Intent.REPEAT)
"""Meanings that may stand beside a "yes, this is Bobby"."""

_DONE: Mapping[str, str] = {
    "send_message": "I've sent it.",
    "send_sms": "I've sent it.",
    "send_email": "I've sent the e-mail.",
    "escalate": "I've passed that on.",
    "schedule_callback": "You will be called back.",
    "transfer": "I'm putting you through.",
}
_FAILED = "I'm sorry, I couldn't do that right now. Someone can follow up."

Move = Callable[[Moves, Course, Understanding], Course]

_COMMON: Mapping[Intent, Move] = {
    Intent.SILENCE: Moves.silence,
    Intent.VOICEMAIL: Moves.machine,
    Intent.SCREENING: Moves.screening,
    Intent.WRONG_PERSON: Moves.wrong,
    Intent.NOT_HERE: Moves.run,
    Intent.STOP_CALLING: Moves.run,
    Intent.DISPUTE: Moves.run,
    Intent.WANT_HUMAN: Moves.run,
    Intent.ROBOT: Moves.robot,
    Intent.RECORDED: Moves.recorded,
    Intent.DISCOUNT: Moves.discount,
    Intent.INSTALLMENTS: Moves.installments,
    Intent.DONE: Moves.agree,
    Intent.OFFER: Moves.later,
    Intent.LATER: Moves.later,
    Intent.REFUSE: Moves.refuse,
    Intent.WHO_IS_THIS: Moves.who,
    Intent.WHY_CALLING: Moves.why,
    Intent.QUESTION: Moves.answer,
    Intent.HOLD: Moves.hold,
    Intent.REPEAT: Moves.repeat,
    Intent.NOT_SURE: Moves.miss,
    Intent.NO: Moves.soft_no,
    Intent.RIGHT_PERSON: Moves.nudge,
    Intent.AGREE: Moves.agree,
    Intent.GOODBYE: Moves.farewell,
    Intent.THANKS: Moves.nudge,
    Intent.GREETING: Moves.nudge,
    Intent.BACKCHANNEL: Moves.nudge,
    Intent.UNKNOWN: Moves.miss,
}
"""What is done at any stage that has no row of its own."""

_DIFFERENT: Mapping[Stage, Mapping[Intent, Move]] = {
    Stage.IDENTIFY: {
        Intent.RIGHT_PERSON: Moves.purpose,
        Intent.AGREE: Moves.purpose,
        Intent.NO: Moves.wrong,
        Intent.DISPUTE: Moves.answer,
        Intent.DONE: Moves.miss,
        Intent.OFFER: Moves.why,
    },
    Stage.ASK: {},
    Stage.DATE: {
        Intent.LATER: Moves.dateless,
        Intent.OFFER: Moves.dateless,
        Intent.NOT_SURE: Moves.dateless,
        Intent.UNKNOWN: Moves.dateless,
        Intent.NO: Moves.refuse,
    },
    Stage.MACHINE: dict.fromkeys(Intent, Moves.still_greeting)
    | {Intent.SILENCE: Moves.after_beep, Intent.SCREENING: Moves.screening},
    Stage.CLOSED: dict.fromkeys(Intent, Moves.closed)
    | {
        Intent.AGREE: Moves.changed,
        Intent.REFUSE: Moves.changed,
        Intent.DISPUTE: Moves.changed,
        Intent.WANT_HUMAN: Moves.changed,
        Intent.STOP_CALLING: Moves.changed,
        Intent.ROBOT: Moves.robot,
        Intent.RECORDED: Moves.recorded,
        Intent.WHO_IS_THIS: Moves.who,
        Intent.WHY_CALLING: Moves.answer,
        Intent.QUESTION: Moves.answer,
        Intent.REPEAT: Moves.repeat,
        Intent.HOLD: Moves.hold,
    },
}

_BOOKING: Mapping[Stage, Mapping[Intent, Move]] = {
    Stage.ASK: {
        Intent.AGREE: Moves.accepted,
        Intent.DONE: Moves.booked,
        Intent.OFFER: Moves.offered,
        Intent.LATER: Moves.offered,
        Intent.REFUSE: Moves.declined,
        Intent.NO: Moves.declined,
        Intent.DISPUTE: Moves.miss,
        Intent.INSTALLMENTS: Moves.miss,
        Intent.WHY_CALLING: Moves.why,
    },
    Stage.EXTRA: {
        Intent.AGREE: Moves.wished,
        Intent.DONE: Moves.wished,
        Intent.NO: Moves.wished,
        Intent.REFUSE: Moves.wished,
        Intent.UNKNOWN: Moves.wished,
        Intent.NOT_SURE: Moves.wished,
        Intent.GOODBYE: Moves.wished,
        Intent.THANKS: Moves.wished,
        Intent.BACKCHANNEL: Moves.wished,
        Intent.OFFER: Moves.wished,
    },
    Stage.CONFIRM: {
        Intent.AGREE: Moves.booked,
        Intent.DONE: Moves.booked,
        Intent.THANKS: Moves.booked,
        Intent.GOODBYE: Moves.booked,
        Intent.NO: Moves.declined,
        Intent.REFUSE: Moves.declined,
        Intent.OFFER: Moves.offered,
        Intent.LATER: Moves.offered,
    },
}
"""Rows for an objective that is a booking."""

_ASKING: Mapping[Stage, Mapping[Intent, Move]] = {
    Stage.ASK: dict.fromkeys(ANSWERING, Moves.informed)
}
"""Rows for an objective that is a question."""


class ScriptedBrain:
    """Holds a conversation by tables of moves: the stage, what was meant, what is done.

    Pure: a reply is folded out of the messages, so it can be prepared and thrown away.
    `Sampling.max_tokens` bounds a reply by leaving out sentences that the call does not hang on;
    the disclosure, the matter, the question and the goodbye are always said. Instructions during
    the call say nothing to rules.
    """

    def __init__(self, task: Task) -> None:
        self._task = task
        self._moves = Moves(task)
        opening = self._moves.opening
        self._first = tuple(opening.first())
        self._stage = Stage.IDENTIFY if opening.identity else Stage.ASK
        self._rows = _BOOKING if opening.booking else _ASKING if opening.asking else {}

    async def prepare(self) -> None:
        """Read the phrases while the phone is ringing."""
        understand("hello", self._task.callee)

    def opening(self) -> str:
        """The first words after the answer."""
        return " ".join(line.text for line in self._first)

    async def reply(self, messages: Sequence[Message]) -> AsyncIterator[Say | Act]:
        """Answer the last message; yielding nothing means to stay quiet and listen."""
        if not asked(messages):
            return
        for step in self.follow(messages).plan:
            yield Say(step.text) if isinstance(step, Line) else step

    def hints(self) -> Sequence[str]:
        """Names that the other side is likely to say."""
        return names(self._task)

    def close(self) -> None:
        """Nothing is held."""

    def follow(self, messages: Sequence[Message]) -> Course:
        """Where the conversation stands after these messages."""
        course = Course(self._stage, plan=self._first, told=self._moves.opening.told())
        for message in messages:
            if message.role == "assistant":
                course = course.hear(message)
            elif message.role == "tool":
                course = self._told(replace(course.settle(), turns=course.turns), message)
            elif message.role == "user":
                heard = understand(message.content, self._task.callee)
                course = self._answer(course.settle(), heard)
        return course

    def _answer(self, course: Course, heard: Understanding) -> Course:
        if course.turns > PATIENCE_TURNS:
            last = Line("I have to end the call now. Someone can follow up.")
            return course.say(last, *goodbye(), stage=Stage.CLOSED)
        after = self._move(course, heard)(self._moves, course, heard)
        return _ending(self._bounded(self._disclosing(_truthful(after, heard))))

    def _told(self, course: Course, message: Message) -> Course:
        """Say what came of a tool, then go on with what it kept from being said."""
        outcome = read_result(message)
        words = _DONE.get(outcome.name, "That's done.") if outcome.ok else _FAILED
        return _ending(course.say(Line(words), *course.resume()))

    def _bounded(self, course: Course) -> Course:
        """Leave out the last sentences that matter least, as far as the reply is too long."""
        words = self._task.sampling.max_tokens * 3 // 4
        plan = list(course.plan)
        spare = [
            at for at, (step, then) in enumerate(pairwise((*plan, None))) if _spare(step, then)
        ]
        while spare and len(spare) < len(plan) and _words(plan) > words:
            del plan[spare.pop()]
        return replace(course, plan=tuple(plan))

    def _move(self, course: Course, heard: Understanding) -> Move:
        intent = _meaning(course, heard)
        if course.screened and intent not in (Intent.SILENCE, Intent.SCREENING, Intent.HOLD):
            return Moves.machine if intent is Intent.VOICEMAIL else Moves.connected
        rows = self._rows.get(course.stage, {})
        return rows.get(intent) or _DIFFERENT.get(course.stage, {}).get(intent) or _COMMON[intent]

    def _disclosing(self, course: Course) -> Course:
        """Put the disclosure before a reply as long as it has not been heard."""
        disclosure = self._moves.opening.disclosure()
        speaks = any(isinstance(step, Line) for step in course.plan)
        if not disclosure or not speaks or course.stage is Stage.MACHINE:
            return course
        told = [step.part for step in course.plan if isinstance(step, Line)]
        if Part.DISCLOSURE in course.told or Part.DISCLOSURE in told:
            return course
        return replace(course, plan=(disclosure, *course.plan))


def asked(messages: Sequence[Message]) -> Message | None:
    """The message that wants an answer, if the last one does; instructions want none."""
    last = next((m for m in reversed(messages) if m.role in ("user", "assistant", "tool")), None)
    return None if last is None or last.role == "assistant" else last


def _spare(step: Step | None, then: Step | None) -> bool:
    """Whether a sentence can be left out: it announces no tool, and no end of the call."""
    plain = isinstance(step, Line) and step.part is Part.OTHER and step.text != ROBOT
    return plain and not isinstance(then, Act)


def _words(plan: Sequence[Step]) -> int:
    return sum(len(step.text.split()) for step in plan if isinstance(step, Line))


def _truthful(course: Course, heard: Understanding) -> Course:
    """Who asks whether we are a machine is told, whatever else is answered."""
    speaks = [step.text for step in course.plan if isinstance(step, Line)]
    told = any("automated assistant" in text for text in speaks)
    if Intent.ROBOT not in heard.intents or told or course.stage is Stage.MACHINE:
        return course
    return replace(course, plan=(Line(ROBOT), *course.plan))


def _meaning(course: Course, heard: Understanding) -> Intent:
    """The meaning that counts at this stage."""
    intent, found = heard.intent, heard.intents
    early = course.turns <= _EARLY_TURNS or course.stage is Stage.MACHINE
    if intent in (Intent.VOICEMAIL, Intent.SCREENING) and not early:
        return Intent.UNKNOWN
    if course.stage is Stage.DATE and heard.when.later and intent is Intent.AGREE:
        return Intent.LATER
    silent = _silent(course)
    unasked = silent or any(isinstance(s, Line) and s.part is Part.ASK for s in course.rest)
    if course.stage is Stage.IDENTIFY and intent in _ASIDES:
        confirmed = Intent.AGREE in found and not unasked
        return Intent.RIGHT_PERSON if confirmed or Intent.RIGHT_PERSON in found else intent
    if intent in (Intent.AGREE, Intent.NO) and unasked and (silent or not heard.firm):
        return Intent.BACKCHANNEL  # the question it would answer has not been heard
    return Intent.BACKCHANNEL if silent and intent is Intent.UNKNOWN else intent


def _silent(course: Course) -> bool:
    """Nothing that could be answered has been said yet, nor was it cut off."""
    answerable = course.told & {Part.ASK, Part.PURPOSE}
    return course.stage in (Stage.IDENTIFY, Stage.ASK) and not answerable and not course.rest


def _ending(course: Course) -> Course:
    """A closed conversation ends with every reply, unless we were asked to wait."""
    ends = any(isinstance(step, Act) and step.name == "end_call" for step in course.plan)
    if course.stage is not Stage.CLOSED or ends or course.waiting:
        return course
    return replace(course, plan=(*course.plan, *goodbye()))
