"""Noise of a known level from a seed."""

import numpy as np
import pytest

from bench.noise import Kind, NoisyPacer, cough, noise, tones
from media.audio import rms_dbfs


@pytest.mark.parametrize("kind", ["white", "pink", "hum"])
def test_noise_has_the_level_asked_for(kind: Kind) -> None:
    assert rms_dbfs(noise(kind, 16000, -40.0, 1)) == pytest.approx(-40.0, abs=0.5)


def test_the_same_seed_gives_the_same_noise() -> None:
    assert np.array_equal(noise("white", 800, -40.0, 3), noise("white", 800, -40.0, 3))
    assert not np.array_equal(cough(1), cough(2))


def test_a_beep_is_one_frequency() -> None:
    spectrum = np.abs(np.fft.rfft(tones((1000.0,), 0.4).astype(float)))
    hertz = np.fft.rfftfreq(3200, 1 / 8000)
    assert hertz[spectrum.argmax()] == pytest.approx(1000, abs=5)


def test_a_noisy_line_is_never_silent_and_keeps_the_speech() -> None:
    pacer = NoisyPacer(8000, noise("white", 8000, -50.0, 1))
    assert rms_dbfs(pacer.pop(160)) > -60
    speech = np.full(160, 8000, np.int16)
    pacer.push(speech)
    assert abs(int(pacer.pop(160).mean()) - 8000) < 100
    assert pacer.pending_samples == 0
