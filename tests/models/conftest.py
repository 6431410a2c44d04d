"""Small true engines for the tests: real libraries on weights made here."""

import asyncio
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from models.espeak import EspeakVoice
from tests.models import tiny


@pytest.fixture(scope="session")
def speech() -> npt.NDArray[np.int16]:
    """A sentence by espeak-ng, 8 kHz."""

    async def speak() -> npt.NDArray[np.int16]:
        voice = EspeakVoice()
        await voice.start()
        text = "Hello, I would like to book a table for two on Friday."
        chunks = [pcm async for pcm, _ in voice.speak(text, 8000)]
        await voice.close()
        return np.concatenate(chunks)

    return asyncio.run(speak())


@pytest.fixture(scope="session")
def whisper_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CTranslate2 Whisper with random weights."""
    return tiny.whisper(tmp_path_factory.mktemp("whisper"))


@pytest.fixture(scope="session")
def gguf_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A language model with random weights."""
    return tiny.gguf_model(tmp_path_factory.mktemp("llama") / "tiny.gguf")


@pytest.fixture(scope="session")
def piper_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Piper voice that hums 20 ms for each phoneme id."""
    return tiny.piper_voice(tmp_path_factory.mktemp("piper") / "hum.onnx")
