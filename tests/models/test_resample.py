"""Conversion of whole clauses between sample rates."""

import numpy as np
import pytest

from models.resample import resample


def tone(
    hz: float, rate_hz: int, seconds: float = 0.5
) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.sin(2 * np.pi * hz * np.arange(int(rate_hz * seconds)) / rate_hz).astype(np.float32)


@pytest.mark.parametrize("from_hz", [16000, 22050, 24000, 8000])
@pytest.mark.parametrize("to_hz", [8000, 16000, 48000])
def test_a_tone_keeps_its_place_and_loudness(from_hz: int, to_hz: int) -> None:
    out = resample(tone(1000, from_hz), from_hz, to_hz)
    wanted = tone(1000, to_hz)
    assert abs(len(out) - len(wanted)) <= 1
    inner = slice(200, min(len(out), len(wanted)) - 200)
    assert np.allclose(out[inner], wanted[inner], atol=1e-3)


def test_what_a_telephone_cannot_carry_is_gone() -> None:
    assert np.abs(resample(tone(5000, 22050), 22050, 8000)[200:-200]).max() < 1e-3


def test_nothing_and_single_samples_survive() -> None:
    assert len(resample(np.zeros(0, np.float32), 22050, 8000)) == 0
    assert len(resample(np.ones(3, np.float32), 22050, 8000)) == 1
