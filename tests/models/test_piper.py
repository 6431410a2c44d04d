"""Piper voices in a child process; the test voice hums 20 ms for each phoneme id."""

from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from models.errors import EngineCorrupt, EngineMissing, NotOffered
from models.piper import PiperVoice
from tests.models import tiny


@pytest.fixture
async def voice(piper_file: Path) -> AsyncIterator[PiperVoice]:
    voice = PiperVoice(piper_file)
    await voice.start()
    yield voice
    await voice.close()


async def test_the_audio_is_the_models_at_the_rate_asked_for(voice: PiperVoice) -> None:
    ((pcm, _),) = [chunk async for chunk in voice.speak("Good morning.", 8000)]
    assert len(pcm) % 160 == 0
    spectrum = np.abs(np.fft.rfft(pcm.astype(np.float64)))
    assert np.argmax(spectrum) * 8000 / len(pcm) == pytest.approx(tiny.HUM_HZ, abs=3)


async def test_the_gain_is_fixed(voice: PiperVoice) -> None:
    peaks = [
        np.abs(pcm).max()
        for text in ("Yes.", "Good morning to all of you.")
        async for pcm, _ in voice.speak(text, 16000)
    ]
    assert peaks[0] == pytest.approx(peaks[1], rel=0.02)


async def test_words_are_marked_by_their_phonemes(voice: PiperVoice) -> None:
    async for pcm, words in voice.speak("Good extraordinary 😀 day.", 8000):
        assert [word for word, _ in words] == ["Good", "extraordinary", "😀", "day."]
        ends = [end for _, end in words]
        assert ends[1] - ends[0] > 2 * ends[0]
        assert ends[2] == ends[1]
        assert ends[-1] == len(pcm)


async def test_alignments_place_words_exactly(tmp_path: Path) -> None:
    voice = PiperVoice(tiny.piper_voice(tmp_path / "aligned.onnx", aligned=True))
    await voice.start()
    async for pcm, words in voice.speak("Good day.", 16000):
        assert words[0][1] % tiny.SAMPLES_PER_ID == 0
        assert 0 < words[0][1] < words[1][1] == len(pcm)
    await voice.close()


async def test_the_speed_of_a_call_is_its_own(voice: PiperVoice) -> None:
    lengths = [
        len(pcm)
        for speed in (1.0, 0.5, 2.0)
        async for pcm, _ in (await voice.open(speed=speed)).speak("Good morning to you.", 16000)
    ]
    assert lengths[1] == pytest.approx(2 * lengths[0], rel=0.05)
    assert lengths[2] == pytest.approx(lengths[0] / 2, rel=0.05)


async def test_a_call_may_have_any_speaker_of_the_voice(tmp_path: Path) -> None:
    voice = PiperVoice(tiny.piper_voice(tmp_path / "two.onnx", speakers=("low", "high")))
    await voice.start()
    pitches = []
    for name in ("low", "high", "1", ""):
        async for pcm, _ in (await voice.open(name)).speak("Good morning to you.", 16000):
            spectrum = np.abs(np.fft.rfft(pcm.astype(np.float64)))
            pitches.append(np.argmax(spectrum) * 16000 / len(pcm))
    hum = tiny.HUM_HZ
    assert pitches == pytest.approx([hum, 2 * hum, 2 * hum, hum], abs=5)
    for name in ("2", "nobody", "-1"):
        with pytest.raises(NotOffered, match=name):
            await voice.open(name)
    await voice.close()


@pytest.fixture
def broken(tmp_path: Path, piper_file: Path) -> Path:
    """A folder with a voice without its JSON and one cut short."""
    model = piper_file.read_bytes()
    (tmp_path / "no-config.onnx").write_bytes(model)
    (tmp_path / "torn.onnx").write_bytes(model[:200])
    (tmp_path / "torn.onnx.json").write_bytes(Path(f"{piper_file}.json").read_bytes())
    return tmp_path


async def test_a_missing_voice_says_how_to_get_it(broken: Path) -> None:
    for name, missing in (("gone.onnx", "gone.onnx"), ("no-config.onnx", "no-config.onnx.json")):
        with pytest.raises(EngineMissing, match=rf"{missing}; .* offhook models pull"):
            await PiperVoice(broken / name).start()


async def test_a_corrupt_voice_is_named(broken: Path) -> None:
    with pytest.raises(EngineCorrupt, match=r"torn\.onnx"):
        await PiperVoice(broken / "torn.onnx").start()
