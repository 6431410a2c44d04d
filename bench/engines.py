"""Ears and voice of the other end: the engines the product itself ships, in processes of ours."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import numpy as np

from bench.persona import Persona
from media.audio import TELEPHONE_HZ, Pcm
from models.espeak import EspeakVoice
from models.silero import SileroDetector
from models.whisper import WhisperTranscriber
from pipeline.session import Engines


@asynccontextmanager
async def open_engines(persona: Persona) -> AsyncIterator[Engines]:
    """Start detector, recogniser and the persona's voice; end their processes afterwards."""
    async with open_voice(persona.voice, persona.rate, persona.pitch) as voice:
        transcriber = WhisperTranscriber()
        await transcriber.start()
        try:
            yield Engines(SileroDetector(), transcriber, voice)
        finally:
            await transcriber.close()


@asynccontextmanager
async def open_voice(name: str, rate: int, pitch: int) -> AsyncIterator[EspeakVoice]:
    """Start one espeak voice."""
    voice = EspeakVoice(name, rate_wpm=rate, pitch=pitch)
    await voice.start()
    try:
        yield voice
    finally:
        await voice.close()


async def utterances(
    texts: Sequence[str], name: str = "en-us+m3", rate: int = 150, pitch: int = 45
) -> list[Pcm]:
    """Prepare utterances at 8 kHz, leading and trailing silence as the voice gives it."""
    made = []
    async with open_voice(name, rate, pitch) as voice:
        for text in texts:
            chunks = [pcm async for pcm, _ in voice.speak(text, TELEPHONE_HZ)]
            made.append(np.concatenate(chunks))
    return made
