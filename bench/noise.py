"""Noise from a seed: behind a persona's voice, and the coughs that must not stop an agent."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from media.audio import TELEPHONE_HZ, Pcm
from media.pacer import Pacer

Kind = Literal["white", "pink", "hum"]

SPEECH_DBFS = -22.0
"""Level of speech on a telephone line, to which a noise's `snr_db` refers."""


def noise(kind: Kind, samples: int, level_dbfs: float, seed: int) -> Pcm:
    """Steady noise at an RMS level, 8 kHz. `hum`: mains at 60 Hz and its odd overtones."""
    rng = np.random.default_rng(seed)
    if kind == "hum":
        at = np.arange(samples) / TELEPHONE_HZ
        shape = sum(np.sin(2 * np.pi * 60 * k * at + rng.uniform(0, 6)) / k for k in (1, 3, 5, 7))
        shape = np.asarray(shape) + 0.1 * rng.standard_normal(samples)
    else:
        shape = rng.standard_normal(samples)
    if kind == "pink":
        spectrum = np.fft.rfft(shape)
        spectrum /= np.sqrt(np.maximum(np.arange(spectrum.size), 1))
        shape = np.fft.irfft(spectrum, samples)
    return at_level(shape, level_dbfs)


def cough(seed: int) -> Pcm:
    """A burst of 250-450 ms: sharp onset, band of a throat, exponential fall. 8 kHz."""
    rng = np.random.default_rng(seed)
    samples = int(rng.uniform(0.25, 0.45) * TELEPHONE_HZ)
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    hertz = np.fft.rfftfreq(samples, 1 / TELEPHONE_HZ)
    centre = rng.uniform(500, 1100)
    spectrum *= np.exp(-(((hertz - centre) / 600.0) ** 2))
    at = np.arange(samples) / TELEPHONE_HZ
    envelope = np.minimum(at / 0.008, 1.0) * np.exp(-at / rng.uniform(0.06, 0.12))
    return at_level(np.fft.irfft(spectrum, samples) * envelope, -20.0)


def tones(hertz: tuple[float, ...], seconds: float, level_dbfs: float = -14.0) -> Pcm:
    """A sum of sine tones with 5 ms ramps: a beep, or a key in band. 8 kHz."""
    samples = int(seconds * TELEPHONE_HZ)
    at = np.arange(samples) / TELEPHONE_HZ
    shape = np.asarray(sum(np.sin(2 * np.pi * f * at) for f in hertz))
    ramp = np.minimum(1.0, np.minimum(at, seconds - at) / 0.005)
    return at_level(shape * ramp, level_dbfs)


def at_level(shape: NDArray[np.float64], level_dbfs: float) -> Pcm:
    """Scale to an RMS level and clip to int16."""
    rms = float(np.sqrt(np.mean(shape**2))) or 1.0
    scaled = shape * (32768 * 10 ** (level_dbfs / 20) / rms)
    return np.clip(scaled, -32768, 32767).astype(np.int16)


class NoisyPacer(Pacer):
    """A pacer whose line is never silent: noise lies under what it sends."""

    __slots__ = ("_at", "_noise")

    def __init__(self, rate_hz: int, background: Pcm) -> None:
        super().__init__(rate_hz)
        self._noise = background
        self._at = 0

    def pop(self, samples: int) -> Pcm:
        """Return the next `samples` of speech, or of nothing, with the noise added."""
        if self._at + samples > self._noise.size:
            self._at = 0
        under = self._noise[self._at : self._at + samples]
        self._at += samples
        speech = super().pop(samples)
        if speech is None:
            return under
        mixed: Pcm = np.clip(speech.astype(np.int32) + under, -32768, 32767).astype(np.int16)
        return mixed
