"""Whisper in a child process; the test model has random weights and writes nonsense."""

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from models import whisper
from models.errors import EngineCorrupt, EngineError, EngineLost, EngineMissing, NotOffered
from models.spelling import Speller
from models.whisper import WhisperTranscriber

Pcm = npt.NDArray[np.int16]


@pytest.fixture(scope="session")
def engine(whisper_dir: Path) -> whisper.WhisperEngine:
    """The child's side, in this process."""
    return whisper.load(str(whisper_dir), 200.0, whisper.LONGEST_WINDOW_MS)


@pytest.fixture
async def transcriber(whisper_dir: Path) -> AsyncIterator[WhisperTranscriber]:
    transcriber = WhisperTranscriber(whisper_dir)
    await transcriber.start()
    yield transcriber
    await transcriber.close()


async def test_speech_is_transcribed_at_either_rate(
    transcriber: WhisperTranscriber, speech: Pcm
) -> None:
    for pcm, rate_hz in ((speech, 8000), (np.repeat(speech, 2), 16000)):
        transcript = await transcriber.transcribe(pcm, rate_hz, ["Anna", "Friday"])
        assert isinstance(transcript.text, str)
        assert 0.0 <= transcript.confidence <= 1.0
        assert 0.0 <= transcript.no_speech <= 1.0
        assert transcript.audio_ms == pytest.approx(1000 * len(speech) / 8000)
        assert transcript.engine_ms > 0


async def test_a_killed_process_is_replaced(transcriber: WhisperTranscriber, speech: Pcm) -> None:
    pending = asyncio.create_task(transcriber.transcribe(speech, 8000))
    assert transcriber.host.pid is not None
    os.kill(transcriber.host.pid, signal.SIGKILL)
    with pytest.raises(EngineLost):
        await pending
    assert (await transcriber.transcribe(speech, 8000)).audio_ms > 0


async def test_a_cancelled_decode_leaves_the_next_one_alone(
    transcriber: WhisperTranscriber, speech: Pcm
) -> None:
    stale = asyncio.create_task(transcriber.transcribe(speech, 8000))
    await asyncio.sleep(0)
    stale.cancel()
    fresh = await transcriber.transcribe(speech[:8000], 8000)
    assert fresh.audio_ms == 1000


def test_the_same_audio_gives_the_same_text(engine: whisper.WhisperEngine, speech: Pcm) -> None:
    assert engine.transcribe(speech, 8000).text == engine.transcribe(speech, 8000).text


def test_silence_is_not_recognised_at_all(engine: whisper.WhisperEngine) -> None:
    transcript = engine.transcribe(np.full(8000, 5, np.int16), 8000)
    assert (transcript.text, transcript.confidence) == ("", 0.0)
    assert engine.transcribe(np.zeros(0, np.int16), 8000).audio_ms == 0


def test_text_is_capped_by_the_duration(engine: whisper.WhisperEngine, speech: Pcm) -> None:
    assert len(engine.transcribe(speech[4000:6000], 8000).text) <= 10 + 30 * 0.45


def test_a_window_is_decoded_twice_at_most(
    engine: whisper.WhisperEngine, speech: Pcm, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts: list[bool] = []

    def attempt(
        _samples: object, _hints: object, _beam: int, forbid_repeats: bool
    ) -> whisper._Attempt:
        attempts.append(forbid_repeats)
        return whisper._Attempt("no no no no no no", -0.1, 0.0)

    monkeypatch.setattr(engine, "_attempt", attempt)
    assert engine.transcribe(speech, 8000).text == "no no"
    assert attempts == [False, True]


def test_long_audio_is_split_where_it_is_quiet(speech: Pcm) -> None:
    loud = np.full(8000 * 40, 3000, np.int16)
    loud[8000 * 27 : 8000 * 27 + 800] = 0
    parts = whisper._split(loud, 8000, whisper.LONGEST_WINDOW_MS)
    assert 8000 * 27 < len(parts[0]) < 8000 * 27 + 800
    assert len(parts) == 2
    assert np.array_equal(np.concatenate(parts), loud)


def test_other_rates_are_refused(engine: whisper.WhisperEngine, speech: Pcm) -> None:
    with pytest.raises(ValueError, match="44100"):
        engine.transcribe(speech, 44100)


def test_words_to_expect_go_to_the_model_unless_it_spells(
    engine: whisper.WhisperEngine, speech: Pcm, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts: list[int] = []

    def attempt(_samples: object, prompt: list[int], *_: object) -> whisper._Attempt:
        prompts.append(len(prompt))
        return whisper._Attempt("good velo", -0.1, 0.0)

    monkeypatch.setattr(engine, "_attempt", attempt)
    assert engine.transcribe(speech, 8000, ["Vello"]).text == "good velo"
    monkeypatch.setattr(engine, "_speller", Speller(["good", "fellow"]))
    assert engine.transcribe(speech, 8000, ["Vello"]).text == "good vello"
    assert engine.transcribe(speech, 8000).text == "good fellow"
    assert prompts[0] > prompts[1] == prompts[2]


async def test_a_call_has_keywords_of_its_own(transcriber: WhisperTranscriber, speech: Pcm) -> None:
    of_call = await transcriber.open("en-GB", ["Vello", "Xylia"])
    assert (await of_call.transcribe(speech, 8000, ["Anna"])).audio_ms > 0


async def test_a_language_that_the_model_does_not_know_is_refused(
    transcriber: WhisperTranscriber,
) -> None:
    with pytest.raises(NotOffered, match="'de'; it knows en"):
        await transcriber.open("de-CH")


@pytest.fixture
def torn(whisper_dir: Path, tmp_path: Path) -> Path:
    """A model cut short."""
    folder = tmp_path / "torn"
    shutil.copytree(whisper_dir, folder)
    (folder / "model.bin").write_bytes((whisper_dir / "model.bin").read_bytes()[:500])
    return folder


async def test_missing_and_corrupt_models_are_told_apart(torn: Path, tmp_path: Path) -> None:
    with pytest.raises(EngineMissing, match=r"model\.bin; .* offhook models pull"):
        await WhisperTranscriber(tmp_path / "gone").start()
    with pytest.raises(EngineCorrupt, match="torn"):
        await WhisperTranscriber(torn).start()
    assert issubclass(EngineCorrupt, EngineError)
