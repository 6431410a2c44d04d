"""A stage for sessions under virtual time: engines whose behaviour a test writes down."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from media.audio import Pcm
from media.pacer import Pacer
from pipeline.events import Event, Interrupted
from pipeline.ports import Act, Message, Say, SpokenWord
from pipeline.session import Engines, Session

FRAME = 160
WORD_SAMPLES = 1600
VOICED = np.full(FRAME, 8000, np.int16)
SILENT = np.zeros(FRAME, np.int16)


class LevelDetector:
    """Takes loud for voiced."""

    window_ms = 32.0

    def open(self, on_window: Callable[[float, float], None]) -> "LevelStream":
        return LevelStream(on_window)


class LevelStream:
    def __init__(self, on_window: Callable[[float, float], None]) -> None:
        self.on_window = on_window
        self.buffer = np.zeros(0, np.int16)

    def feed(self, pcm: Pcm, now: float) -> None:
        self.buffer = np.concatenate([self.buffer, pcm])
        while len(self.buffer) >= 256:
            window, self.buffer = self.buffer[:256], self.buffer[256:]
            self.on_window(float(np.abs(window).mean() > 1000), now)

    def reset(self) -> None:
        pass

    def close(self) -> None:
        pass


@dataclass
class Words:
    text: str
    confidence: float = 1.0


class ListTranscriber:
    """Gives the next text of a list; an exception in the list is raised."""

    def __init__(self, *texts: str | Exception, takes_s: float = 0.03) -> None:
        self.texts = list(texts)
        self.takes_s = takes_s
        self.stretches: list[int] = []

    async def transcribe(self, pcm: Pcm, rate_hz: int, hints: Sequence[str] = ()) -> Words:
        self.stretches.append(len(pcm))
        await asyncio.sleep(self.takes_s)
        text = self.texts.pop(0) if self.texts else ""
        if isinstance(text, Exception):
            raise text
        return Words(text)

    async def open(self, language: str = "en", keywords: Sequence[str] = ()) -> "ListTranscriber":
        return self


class ToneVoice:
    """Says every word in 200 ms of tone."""

    def __init__(self) -> None:
        self.spoken: list[str] = []
        self.fails = 0
        self.takes_s = 0.005

    async def speak(
        self, text: str, rate_hz: int
    ) -> AsyncIterator[tuple[Pcm, Sequence[SpokenWord]]]:
        await asyncio.sleep(self.takes_s)
        if self.fails:
            self.fails -= 1
            raise RuntimeError("the voice is gone")
        self.spoken.append(text)
        words = text.split()
        marks = [(word, (index + 1) * WORD_SAMPLES) for index, word in enumerate(words)]
        yield np.full(len(words) * WORD_SAMPLES, 5000, np.int16), marks

    async def open(self, voice_id: str = "", speed: float = 1.0) -> "ToneVoice":
        return self


@dataclass
class EchoBrain:
    """Opens with `first`; answers `answers[text]`, else "you said TEXT"."""

    first: str = ""
    answers: dict[str, list[Say | Act]] = field(default_factory=dict)
    asked: list[list[str]] = field(default_factory=list)
    thinks_s: float = 0.0
    prepares_s: float = 0.0

    async def prepare(self) -> None:
        await asyncio.sleep(self.prepares_s)

    def opening(self) -> str:
        return self.first

    async def reply(self, messages: Sequence[Message]) -> AsyncIterator[Say | Act]:
        self.asked.append([message.content for message in messages])
        await asyncio.sleep(self.thinks_s)
        text = messages[-1].content
        for piece in self.answers.get(text, [Say(f"you said {text}")]):
            yield piece

    def hints(self) -> Sequence[str]:
        return ()

    def close(self) -> None:
        pass


class Stage:
    """One session, its playout in 20 ms ticks, and a caller who can speak and be silent."""

    def __init__(self, brain: EchoBrain, *texts: str | Exception, takes_s: float = 0.03) -> None:
        self.events: list[Event] = []
        self.pacer = Pacer(8000)
        self.transcriber = ListTranscriber(*texts, takes_s=takes_s)
        self.voice = ToneVoice()
        self.brain = brain
        self.played: list[bool] = []
        """Whether each past tick carried speech of ours."""
        self.session = Session(
            engines=Engines(LevelDetector(), self.transcriber, self.voice),
            brain=brain,
            playout=self.pacer,
            on_event=self.events.append,
        )

    async def answer(self) -> None:
        await self.session.prepare()
        await asyncio.sleep(0.1)
        self.session.answered(asyncio.get_running_loop().time())

    async def speak(self, seconds: float) -> None:
        await self._run(seconds, VOICED)

    async def silence(self, seconds: float) -> None:
        await self._run(seconds, SILENT)

    async def _run(self, seconds: float, frame: Pcm) -> None:
        for _ in range(round(seconds / 0.02)):
            await asyncio.sleep(0.02)
            self.played.append(self.pacer.pop(FRAME) is not None)
            self.session.feed(frame, asyncio.get_running_loop().time())

    def said(self) -> list[tuple[str, str]]:
        """The record: who said what."""
        return [(message.role, message.content) for message in self.session.messages]

    def of(self, kind: type) -> list[Event]:
        """Events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def interruptions(self) -> int:
        return len(self.of(Interrupted))
