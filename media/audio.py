"""PCM as the media path carries it: mono int16 arrays, their rates and frame sizes."""

from __future__ import annotations

from math import log10
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Pcm: TypeAlias = NDArray[np.int16]
"""Mono linear audio, shape (samples,), full scale 32768."""

TELEPHONE_HZ: Final = 8000
FRAME_MS: Final = 20
FLOOR_DBFS: Final = -100.0
"""What `rms_dbfs` says of digital silence."""


def frame_samples(rate_hz: int) -> int:
    """Samples in one 20 ms frame at `rate_hz`."""
    return rate_hz * FRAME_MS // 1000


def silence(samples: int) -> Pcm:
    """Return `samples` zeros, writable and unshared."""
    return np.zeros(samples, dtype=np.int16)


def rms_dbfs(pcm: Pcm) -> float:
    """Level in dB relative to a full-scale square wave; -100 for silence or no samples."""
    if not pcm.size:
        return FLOOR_DBFS
    wide = pcm.astype(np.float32)
    mean_square = float(np.dot(wide, wide)) / wide.size
    if mean_square == 0.0:
        return FLOOR_DBFS
    return max(FLOOR_DBFS, 10.0 * log10(mean_square / 32768.0**2))
