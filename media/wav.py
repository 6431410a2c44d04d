"""The 44-octet header of a PCM WAV file."""

from __future__ import annotations

import struct
from typing import Final

HEADER_OCTETS: Final = 44
_LARGEST = 0xFFFFFFFF - HEADER_OCTETS


def stereo_header(samples: int, rate_hz: int) -> bytes:
    """Header of a 16-bit stereo file of `samples` per channel."""
    data_octets = min(samples * 4, _LARGEST)
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF",
        data_octets + HEADER_OCTETS - 8,
        b"WAVE",
        b"fmt ",
        16,
        1,
        2,
        rate_hz,
        rate_hz * 4,
        4,
        16,
        b"data",
        data_octets,
    )
