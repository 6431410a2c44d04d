"""The engines as one call wants them."""

import asyncio
from collections.abc import Sequence

from pipeline.engines import Engines
from tests.pipeline.stage import LevelDetector, ListTranscriber, ToneVoice


class Ears(ListTranscriber):
    """Keeps what it was opened with."""

    opened: tuple[str, Sequence[str]] | None = None

    async def open(self, language: str = "en", keywords: Sequence[str] = ()) -> "Ears":
        ears = Ears()
        ears.opened = language, keywords
        return ears


class Mouth(ToneVoice):
    """Keeps what it was opened with."""

    opened: tuple[str, float] | None = None

    async def open(self, voice_id: str = "", speed: float = 1.0) -> "Mouth":
        mouth = Mouth()
        mouth.opened = voice_id, speed
        return mouth


def test_a_call_without_wishes_has_the_engines_as_they_are() -> None:
    engines = Engines(LevelDetector(), Ears(), Mouth())
    opened = asyncio.run(engines.opened())
    assert opened.voice is engines.voice
    assert opened.transcriber is engines.transcriber


def test_wishes_reach_the_engine_that_they_are_about() -> None:
    engines = Engines(LevelDetector(), Ears(), Mouth())
    opened = asyncio.run(engines.opened(speed=1.5, keywords=["Vello"]))
    assert isinstance(opened.voice, Mouth)
    assert isinstance(opened.transcriber, Ears)
    assert opened.voice.opened == ("", 1.5)
    assert opened.transcriber.opened == ("en", ["Vello"])
    assert opened.detector is engines.detector
