"""What they say, as audio and as words, from an onset until their turn stands in the record."""

import asyncio
from collections.abc import Callable, Sequence

from media.audio import Pcm
from pipeline.hearing import TurnAudio
from pipeline.ports import Transcriber

OnWords = Callable[[str, float], None]
"""Takes what was recognised, and when (monotonic seconds)."""


class Listener:
    """One side's ears. Stands after the turn's decisions, before the recogniser.

    Words of a turn that is so long that its audio is not recognised again at every pause are
    fixed, and their audio is let go.
    """

    def __init__(
        self,
        transcriber: Transcriber,
        hints: Callable[[], Sequence[str]],
        *,
        rate_hz: int,
        pre_roll_s: float,
        on_failed: Callable[[Exception], None],
    ) -> None:
        self.audio = TurnAudio(pre_roll_s, rate_hz)
        self.words = ""
        """Words recognised since the last that were fixed, as of the last silence."""
        self.voiced_until = 0.0
        """Their last voiced sample, by its level; the detector is later."""
        self.recognised_in_s = 0.0
        self._transcriber, self._hints, self._rate_hz = transcriber, hints, rate_hz
        self._on_failed = on_failed
        self._fixed: list[str] = []
        self._recognition: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()

    @property
    def words_so_far(self) -> str:
        """All words of this turn."""
        return " ".join((*self._fixed, self.words)).strip()

    def push(self, pcm: Pcm, *, idle: bool) -> None:
        """Keep a frame; while `idle` only what may turn out to be before an onset."""
        self.audio.push(pcm)
        if idle:
            self.audio.trim()

    def begin(self) -> None:
        """A turn begins: what was recognised before is not part of it."""
        self.cancel()
        self.forget_words()
        self.audio.trim()

    def forget_words(self) -> None:
        """Let go of the words of this turn."""
        self._fixed.clear()
        self.words = ""

    def fix(self, longer_than_s: float) -> None:
        """They went on: keep the words of a long stretch and let go of its audio."""
        self.cancel()
        if self.words and self.audio.length_s >= longer_than_s:
            self._fixed.append(self.words)
            self.audio.trim()
        self.words = ""

    def recognise(self, on_words: OnWords) -> None:
        """Recognise what is held, instead of what is being recognised."""
        self.cancel()
        self._recognition = self._loop.create_task(self._run(on_words))

    def cancel(self) -> None:
        """Recognise nothing for now."""
        if self._recognition is not None:
            self._recognition.cancel()
            self._recognition = None

    async def last_words(self, now: float, within_s: float) -> None:
        """Take what was said just before the leg ended, if that can be had in time."""
        self.cancel()
        self.voiced_until = now - self.audio.silence_s()
        try:
            async with asyncio.timeout(within_s):
                self.words = await self._transcribe(self.audio.stretch())
        except (TimeoutError, RuntimeError):
            pass  # the words before them stand; the call is over either way

    async def _run(self, on_words: OnWords) -> None:
        began = self._loop.time()
        try:
            words = await self._transcribe(self.audio.stretch())
            now = self._loop.time()
            self.recognised_in_s = now - began
            self._recognition = None
            on_words(words, now)
        except Exception as error:  # whatever it is, the call must not wait for ever
            self._on_failed(error)

    async def _transcribe(self, pcm: Pcm) -> str:
        """Recognise; once more when the engine was lost on the way."""
        hints = self._hints()
        try:
            transcript = await self._transcriber.transcribe(pcm, self._rate_hz, hints)
        except RuntimeError:
            transcript = await self._transcriber.transcribe(pcm, self._rate_hz, hints)
        return transcript.text.strip()
