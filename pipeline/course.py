"""Where a scripted conversation stands: a value, folded out of the messages."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum, auto

from rapidfuzz import fuzz

from pipeline.intent import Intent
from pipeline.ports import Act, Message

_HEARD_SHARE = 0.7
"""A sentence cut off behind this share of its words has been understood."""
_SAME_WORDS = 60.0


class Stage(Enum):
    """What the agent waits for."""

    IDENTIFY = auto()
    """Is this the right person?"""
    ASK = auto()
    """The answer to what the call is about."""
    DATE = auto()
    """The day or time, when it is not to be now."""
    EXTRA = auto()
    """The answer about a wish beside the objective."""
    CONFIRM = auto()
    """That the objective is settled."""
    MACHINE = auto()
    """The end of a voicemail greeting."""
    CLOSED = auto()
    """Nothing: goodbye has been said."""


class Part(Enum):
    """What a line tells, as far as it matters later whether it was heard."""

    OTHER = auto()
    DISCLOSURE = auto()
    PURPOSE = auto()
    ASK = auto()
    REASON = auto()
    WISH = auto()


@dataclass(frozen=True, slots=True)
class Line:
    """A sentence to say."""

    text: str
    part: Part = Part.OTHER
    short: str = ""
    """What to say instead the second time."""

    def again(self) -> "Line":
        """The same, for somebody who missed it the first time."""
        return replace(self, text=self.short or self.text)


Step = Line | Act


@dataclass(frozen=True, slots=True)
class Course:
    """Everything a reply depends on."""

    stage: Stage
    plan: tuple[Step, ...] = ()
    """The last reply."""
    told: frozenset[Part] = frozenset()
    """What the other side has heard."""
    rest: tuple[Step, ...] = ()
    """What an interruption kept from being said and done."""
    misses: int = 0
    """Turns in a row that led nowhere."""
    turns: int = 0
    waiting: bool = False
    """The other side asked for patience; silence is no miss."""
    silences: int = 0
    verdict: Intent | None = None
    """The branch taken."""
    settled: bool = False
    """The objective was granted in so many words."""
    screened: bool = False
    """A call screener asked who is calling."""
    heard_words: int = 0
    spoke: bool = False
    cut: bool = False
    """Words of the last reply were lost."""
    undone: bool = False
    """The last reply was interrupted; its tools are used only when it is over."""

    def hear(self, message: Message) -> "Course":
        """Take in one utterance of ours as it came out; words put in by others are passed by."""
        planned = " ".join(lines(self.plan))
        whole = message.intended or message.content
        if not planned or fuzz.partial_ratio(whole.lower(), planned.lower()) < _SAME_WORDS:
            return self
        heard = len(message.content.split())
        return replace(
            self,
            heard_words=self.heard_words + heard,
            spoke=True,
            cut=message.interrupted and heard < len(whole.split()),
            undone=self.undone or message.interrupted,
        )

    def settle(self) -> "Course":
        """Work out what of the plan was heard and done, before the other side's turn counts."""
        heard = self.heard_words if self.cut or not self.spoke else 1_000_000
        told, rest = set(self.told), list[Step]()
        said = 0
        for step in self.plan:
            if isinstance(step, Act):
                if self.undone or not self.spoke:
                    rest.append(step)
                continue
            words = len(step.text.split())
            if heard - said >= _HEARD_SHARE * words:
                told.add(step.part)
            else:
                rest.append(step)
            said += words
        if any(isinstance(step, Line) and step.part is Part.DISCLOSURE for step in rest):
            told -= {Part.DISCLOSURE} - self.told  # half a disclosure is none
        if not any(isinstance(step, Line) for step in self.plan):
            rest = []
        return replace(
            self,
            told=frozenset(told),
            rest=tuple(rest),
            heard_words=0,
            spoke=False,
            cut=False,
            undone=False,
            turns=self.turns + 1,
        )

    def say(self, *steps: Step, stage: Stage | None = None, miss: bool = False) -> "Course":
        """Go on with a reply."""
        return replace(
            self,
            plan=steps,
            rest=(),
            stage=stage or self.stage,
            misses=self.misses + 1 if miss else 0,
            waiting=False,
            silences=0,
        )

    def resume(self) -> tuple[Step, ...]:
        """What is still to be said and done, in short."""
        return tuple(step.again() if isinstance(step, Line) else step for step in self.rest)


def lines(steps: tuple[Step, ...]) -> Iterator[str]:
    """The words of a plan."""
    return (step.text for step in steps if isinstance(step, Line))
