"""Sample-rate conversion of a stream, in chunks of any size."""

from __future__ import annotations

from functools import cache
from math import gcd
from typing import Final

import numpy as np
from numpy.typing import NDArray

from media.audio import Pcm, silence

Floats = NDArray[np.float32]

_TAPS_AT_LOWER_RATE: Final = 48
_PASSBAND: Final = 0.91
"""-6 dB point, as a share of the lower rate's Nyquist frequency."""
_KAISER_BETA: Final = 5.65
"""60 dB of stop-band attenuation."""
_BLOCK_SAMPLES: Final = 4096


class Resampler:
    """Linear-phase polyphase filter that keeps its state; stands after the voice, before the pacer.

    The output is the same however the input is cut. It lags by half the filter, 3 ms at 8 kHz,
    and is not shifted in time: `flush` returns what the lag holds back.
    """

    __slots__ = ("_coefficients", "_half", "_held", "_next", "_step", "from_hz", "to_hz")

    def __init__(self, from_hz: int, to_hz: int) -> None:
        if from_hz <= 0 or to_hz <= 0:
            raise ValueError(f"sample rates {from_hz} and {to_hz}")
        self.from_hz, self.to_hz = from_hz, to_hz
        divisor = gcd(from_hz, to_hz)
        self._step = from_hz // divisor
        self._coefficients = _polyphase(to_hz // divisor, self._step)
        self._half = self._coefficients.shape[1] // 2
        self.reset()

    def reset(self) -> None:
        """Forget the stream; the next `feed` begins another."""
        self._held: Floats = np.zeros(self._half - 1, np.float32)
        self._next = 0  # position of the next output in the held input, in 1/phases of a sample

    def feed(self, pcm: Pcm) -> Pcm:
        """Take samples at `from_hz` and return those at `to_hz` that are complete."""
        if self.from_hz == self.to_hz:
            return pcm
        self._held = np.concatenate((self._held, pcm.astype(np.float32)))
        return self._convert()

    def flush(self) -> Pcm:
        """Return the end of the stream, and start another."""
        if self.from_hz == self.to_hz:
            return silence(0)
        self._held = np.concatenate((self._held, np.zeros(self._half, np.float32)))
        end = self._convert()
        self.reset()
        return end

    def _convert(self) -> Pcm:
        phases, taps = self._coefficients.shape
        complete = self._held.size - taps + 1
        count = max(0, -(-(complete * phases - self._next) // self._step))
        if not count:
            return silence(0)
        places = self._next + self._step * np.arange(count)
        windows = np.lib.stride_tricks.sliding_window_view(self._held, taps)
        out = np.empty(count, np.float32)
        for start in range(0, count, _BLOCK_SAMPLES):
            block = places[start : start + _BLOCK_SAMPLES]
            chosen = self._coefficients[block % phases]
            out[start : start + block.size] = np.einsum(
                "nt,nt->n", windows[block // phases], chosen
            )
        consumed, self._next = divmod(self._next + self._step * count, phases)
        consumed_now = min(consumed, self._held.size)
        self._next += (consumed - consumed_now) * phases
        self._held = self._held[consumed_now:]
        return np.clip(np.rint(out), -32768, 32767).astype(np.int16)


@cache
def _polyphase(phases: int, step: int) -> Floats:
    """Windowed-sinc low-pass, shape (phases, taps); each phase sums to one."""
    taps = -(-_TAPS_AT_LOWER_RATE * max(phases, step) // phases // 2) * 2
    half = taps // 2
    cutoff = _PASSBAND * min(1.0, phases / step)
    fraction = np.arange(phases)[:, None] / phases
    distance = np.arange(taps)[None, :] - (half - 1) - fraction
    window = np.i0(_KAISER_BETA * np.sqrt(np.clip(1 - (distance / half) ** 2, 0, 1)))
    filters = np.sinc(cutoff * distance) * window
    normalised: Floats = (filters / filters.sum(axis=1, keepdims=True)).astype(np.float32)
    return normalised
