"""What the pipeline asks of engines and of the wire, as Protocols.

The border is plain arrays, strings and numbers, so `models` and `media` satisfy these
shapes without importing them. An engine that cannot serve raises `RuntimeError` (or a
subclass); cancelling the awaiting task cancels the work.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from media.audio import Pcm

Role = Literal["assistant", "user", "tool", "instruction"]
"""`tool`: what came of an `Act`, as JSON (`pipeline.tools.result`); nobody spoke it.

`instruction`: what the operator tells the brain during the call; nobody spoke it either.
"""


class DetectorStream(Protocol):
    """Voice detection of one leg; keeps that leg's state between windows."""

    def feed(self, pcm: Pcm, now: float) -> None:
        """Take audio of any length. Complete windows are scored with other legs' windows."""

    def reset(self) -> None:
        """Forget what was heard so far; called after each finalised utterance."""

    def close(self) -> None:
        """End the leg; no call-back comes after this."""


class VoiceDetector(Protocol):
    """Scores windows of 8 kHz audio; batches the legs that are ready in one loop round."""

    window_ms: float

    def open(self, on_window: Callable[[float, float], None]) -> DetectorStream:
        """Begin a leg. `on_window(probability, now)` runs on the event loop once a window."""


class Transcript(Protocol):
    """What a transcriber made of one stretch of audio."""

    @property
    def text(self) -> str:
        """The words, empty when nothing was said."""

    @property
    def confidence(self) -> float:
        """Mean token probability, 0..1."""


class Transcriber(Protocol):
    """Speech to text."""

    async def transcribe(self, pcm: Pcm, rate_hz: int, hints: Sequence[str] = ()) -> Transcript:
        """Recognise one stretch of speech. `hints`: words to expect (Whisper hotwords)."""

    async def open(self, language: str = "en", keywords: Sequence[str] = ()) -> "Transcriber":
        """The same engine for one call. keywords: further words to expect.

        Raises ValueError where it does not know the language.
        """


SpokenWord = tuple[str, int]
"""A word as written, and the sample (from the chunk's first) at which it has been said."""


class Voice(Protocol):
    """Text to speech."""

    def speak(self, text: str, rate_hz: int) -> AsyncIterator[tuple[Pcm, Sequence[SpokenWord]]]:
        """Speak one clause; yields audio at `rate_hz` with the words it contains."""

    async def open(self, voice_id: str = "", speed: float = 1.0) -> "Voice":
        """The same engine for one call, in a voice of its own; the empty name is the usual one.

        Raises ValueError where it does not have the voice or the speed.
        """


class LanguageModel(Protocol):
    """Text generation with one warm prefix for each conversation."""

    async def warm(self, conversation: str, prompt: Sequence[tuple[str, str]]) -> None:
        """Evaluate a prompt of (role, content) pairs ahead of time."""

    def generate(
        self,
        conversation: str,
        prompt: Sequence[tuple[str, str]],
        *,
        grammar: str | None = None,
        trigger: str | None = None,
        max_tokens: int = 200,
        temperature: float = 0.3,
    ) -> AsyncIterator[str]:
        """Stream the continuation of a prompt as pieces of text.

        grammar: GBNF with a rule `root`. It holds from the start, or, where a `trigger` (a
        regular expression) is given, from behind its first match on; the text up to there is
        free, and only that is bounded by `max_tokens`.
        """

    def release(self, conversation: str) -> None:
        """Drop the conversation's warm state."""


class Playout(Protocol):
    """Where speech goes: the outgoing ring of one leg."""

    @property
    def pending_samples(self) -> int:
        """Samples pushed and not yet sent."""

    @property
    def played_samples(self) -> int:
        """Samples sent since the start; never falls."""

    def push(self, pcm: Pcm) -> None:
        """Queue audio behind what is pending."""

    def flush(self) -> int:
        """Discard what is pending, at once. Returns the number of samples discarded."""

    def pause(self) -> None:
        """Send silence and keep what is pending."""

    def resume(self) -> None:
        """Go on where `pause` stopped."""


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of the conversation as the other side can remember it."""

    role: Role
    content: str
    """User: the words recognised. Assistant: the words that were actually heard."""
    intended: str = ""
    """Assistant: the whole of what was to be said."""
    interrupted: bool = False
    start_s: float = 0.0
    """Seconds after the answer."""
    end_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Say:
    """Words to speak; a reply may consist of several."""

    text: str
    finished: bool = False
    """Nothing follows for the moment (a tool call is being written): the clause can be voiced."""


@dataclass(frozen=True, slots=True)
class Act:
    """A tool to use once the words before it have been spoken."""

    name: str
    arguments: Mapping[str, object] = field(default_factory=dict)
    """JSON values."""


class Brain(Protocol):
    """Decides what to say. Pure: the same messages give the same reply and change nothing,

    so that a reply can be prepared while the other side may still go on, and thrown away.
    """

    async def prepare(self) -> None:
        """Get warm while the phone is ringing."""

    def opening(self) -> str:
        """The first words after the answer; empty to let the other side begin."""

    def reply(self, messages: Sequence[Message]) -> AsyncIterator[Say | Act]:
        """Answer the last message. A user message may be empty: a long silence.

        A last message of the role `tool` asks to go on after an act's result.
        """

    def hints(self) -> Sequence[str]:
        """Words the other side is likely to use (names, the company), for the recogniser."""

    def close(self) -> None:
        """The conversation is over."""
