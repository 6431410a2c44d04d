"""Sample rate conversion of whole clauses by a short polyphase FIR.

Stateless: a clause begins and ends in silence, so there are no chunk edges to carry over.
"""

from functools import cache
from math import ceil, gcd

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]

_ZERO_CROSSINGS = 16
_KAISER_BETA = 6.76  # 70 dB: J. F. Kaiser, "Nonrecursive digital filter design", 1974
_CUTOFF = 0.465  # of the lower rate; 3.7 kHz for a telephone


@cache
def _phases(up: int, down: int) -> Float32:
    """The low-pass filter as `up` phases, shape (up, taps), newest input last."""
    half = ceil(_ZERO_CROSSINGS * max(1.0, down / up))
    cutoff = 2 * _CUTOFF * min(1.0, up / down)
    offset = np.arange(2 * half)[None, :] - (half - 1) - np.arange(up)[:, None] / up
    window = np.i0(_KAISER_BETA * np.sqrt(np.maximum(0.0, 1 - (offset / half) ** 2)))
    taps = np.sinc(cutoff * offset) * window
    normalised: Float32 = (taps / taps.sum(axis=1, keepdims=True)).astype(np.float32)
    return normalised


def resample(audio: Float32, from_hz: int, to_hz: int) -> Float32:
    """Convert a clause; no delay. audio: shape (n,). Returns shape (n * to_hz / from_hz,)."""
    if from_hz == to_hz or len(audio) == 0:
        return audio.astype(np.float32)
    common = gcd(from_hz, to_hz)
    up, down = to_hz // common, from_hz // common
    taps = _phases(up, down)
    half = taps.shape[1] // 2
    length = len(audio) * up // down
    windows = np.lib.stride_tricks.sliding_window_view(
        np.pad(audio.astype(np.float32), (half - 1, half + down)), 2 * half
    )
    out = np.empty(length, np.float32)
    for phase in range(min(up, length)):
        position = phase * down
        count = len(range(phase, length, up))
        rows = windows[position // up :: down][:count]
        out[phase::up] = rows @ taps[position % up]
    return out
