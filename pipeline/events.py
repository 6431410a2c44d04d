"""What happened in a conversation, in the order in which it happened.

`at` is monotonic seconds, on the clock that the session was fed with.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline.ports import Message


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """The other side began to speak."""

    at: float


@dataclass(frozen=True, slots=True)
class SpeechEnded:
    """The other side fell silent; the turn may or may not be over. `at`: last voiced sample."""

    at: float


@dataclass(frozen=True, slots=True)
class Partial:
    """The words so far of a turn that may go on."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class TurnEnded:
    """The other side's turn is over and stands in the record."""

    at: float
    message: Message


@dataclass(frozen=True, slots=True)
class ReplyStarted:
    """The first audio of a reply went to the pacer, with what it took to get there."""

    at: float
    text: str
    latency: "ReplyLatency"


@dataclass(frozen=True, slots=True)
class ReplyLatency:
    """Stages of one reply in milliseconds; None where a stage did not take place."""

    voice_to_voice_ms: float | None = None
    """Last voiced sample heard to first audio handed to the pacer."""
    endpoint_ms: float | None = None
    """Last voiced sample heard to the decision that the turn is over."""
    stt_ms: float | None = None
    llm_first_token_ms: float | None = None
    tts_first_audio_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The other side broke into our speech, which was dropped."""

    at: float
    barge_in_ms: float
    """Onset of their speech to silence of ours."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """Our utterance is over; the message holds what was heard of it."""

    at: float
    message: Message


@dataclass(frozen=True, slots=True)
class DigitHeard:
    """The other side pressed a key."""

    at: float
    digit: str


@dataclass(frozen=True, slots=True)
class ToolRequested:
    """The brain wants something done. `end_call` is asked for only when the words are out."""

    at: float
    name: str
    arguments: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EngineFailed:
    """An engine could not serve this conversation; it cannot go on."""

    at: float
    engine: str
    reason: str


Event = (
    SpeechStarted
    | SpeechEnded
    | Partial
    | TurnEnded
    | ReplyStarted
    | Interrupted
    | Spoken
    | DigitHeard
    | ToolRequested
    | EngineFailed
)
