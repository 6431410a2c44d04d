"""What stands of a conversation: its messages, and how soon we answered."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from pipeline.events import ReplyLatency
from pipeline.ports import Message
from pipeline.speaker import Said
from pipeline.speech import Utterance


@dataclass(frozen=True, slots=True)
class Heard:
    """The turn that our next reply answers, for its latency. Times are monotonic seconds."""

    voiced_until: float
    ended_at: float
    recognised_in_s: float


class Record:
    """The messages of one conversation, in the order in which they count."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.answered_at: float | None = None
        """When the call was answered, monotonic seconds."""
        self.answering: Heard | None = None
        """What the next reply answers; None where it answers nothing."""

    @property
    def unanswered(self) -> bool:
        """Whether the other side has spoken last."""
        spoken = [m.role for m in self.messages if m.role in ("assistant", "user")]
        return spoken[-1:] == ["user"]

    def for_brain(self, *more: Message) -> Sequence[Message]:
        """All messages and `more`, instructions before the last thing that wants an answer."""
        messages = [*self.messages, *more]
        notes = list(takewhile(lambda m: m.role == "instruction", reversed(messages)))
        if not notes or len(notes) == len(messages):
            return tuple(messages)
        rest = messages[: -len(notes)]
        return (*rest[:-1], *reversed(notes), rest[-1])

    def since_answer(self, at: float) -> float:
        """Seconds from the answer to a moment; 0 before it."""
        return 0.0 if self.answered_at is None else round(max(0.0, at - self.answered_at), 3)

    def said(self, said: Said, now: float) -> Message:
        """Take down what was heard of our words."""
        message = Message(
            "assistant",
            said.heard,
            intended=said.utterance.text.strip(),
            interrupted=said.cut_off,
            start_s=self.since_answer(said.utterance.started_at or now),
            end_s=self.since_answer(now),
        )
        self.messages.append(message)
        return message

    def latency_of(self, reply: Utterance, now: float) -> ReplyLatency:
        """How long each stage of a reply took that is heard from `now` on."""
        heard, self.answering = self.answering, None
        if heard is None or reply.first_piece_at is None or reply.first_audio_at is None:
            return ReplyLatency()
        return ReplyLatency(
            voice_to_voice_ms=ms(now - heard.voiced_until),
            endpoint_ms=ms(heard.ended_at - heard.voiced_until),
            stt_ms=ms(heard.recognised_in_s),
            llm_first_token_ms=ms(reply.first_piece_at - reply.prepared_at),
            tts_first_audio_ms=ms(reply.first_audio_at - reply.first_piece_at),
        )


def ms(seconds: float) -> float:
    """Seconds as milliseconds with one decimal."""
    return round(seconds * 1000, 1)
