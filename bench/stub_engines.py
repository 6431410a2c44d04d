"""Engines that take no time, to see what the orchestration alone costs. The detector is real."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import numpy as np

from bench.noise import tones
from media.audio import Pcm
from models.silero import SileroDetector
from pipeline.cues import patience_s
from pipeline.ports import Act, Message, Say, SpokenWord
from pipeline.session import Engines

_WORDS = "yes"
STUB_ENDPOINT_MS = patience_s(_WORDS) * 1000
"""Silence the turn machine awaits after the words the stub always recognises."""


@dataclass(frozen=True, slots=True)
class _Transcript:
    text: str = _WORDS
    confidence: float = 1.0


class StubTranscriber:
    """Hears the same word in everything."""

    async def transcribe(self, pcm: Pcm, rate_hz: int, hints: Sequence[str] = ()) -> _Transcript:
        """Recognise nothing, at once."""
        return _Transcript()

    async def open(self, language: str = "en", keywords: Sequence[str] = ()) -> StubTranscriber:
        """All calls are alike."""
        return self


class StubVoice:
    """Says everything as 600 ms of a tone."""

    async def speak(
        self, text: str, rate_hz: int
    ) -> AsyncIterator[tuple[Pcm, Sequence[SpokenWord]]]:
        """Yield the tone as one piece; all words are said at its end."""
        pcm = tones((220.0, 330.0), 0.6)
        yield np.asarray(pcm), [(word, len(pcm)) for word in text.split()]

    async def open(self, voice_id: str = "", speed: float = 1.0) -> StubVoice:
        """All calls sound alike."""
        return self


class StubBrain:
    """Always has the same thing to say."""

    async def prepare(self) -> None:
        """Nothing to warm."""

    def opening(self) -> str:
        """The first words."""
        return "hello"

    async def reply(self, messages: Sequence[Message]) -> AsyncIterator[Say | Act]:
        """Answer at once."""
        yield Say("go on")

    def hints(self) -> Sequence[str]:
        """None."""
        return ()

    def close(self) -> None:
        """Nothing to release."""


def stub_engines() -> Engines:
    """The real detector between stubs."""
    return Engines(SileroDetector(), StubTranscriber(), StubVoice())
