"""G.711 by table: 8-bit payload to PCM and back (ITU-T G.711, companding as in ITU-T G.191)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from media.audio import TELEPHONE_HZ, Pcm

Octets = NDArray[np.uint8]


class Codec(Protocol):
    """Payload bytes to PCM and back; stands after `jitter`, before the sink."""

    @property
    def name(self) -> str:
        """Encoding name as in `a=rtpmap`."""

    @property
    def payload_type(self) -> int:
        """The number we offer: the static one (RFC 3551 §6) where there is one."""

    @property
    def rate_hz(self) -> int:
        """Sample rate of the PCM."""

    @property
    def clock_hz(self) -> int:
        """RTP timestamp rate; differs from `rate_hz` for G.722."""

    def decode(self, payload: bytes) -> Pcm:
        """Return the PCM of one payload, of whatever length. Never raises."""

    def encode(self, pcm: Pcm) -> bytes:
        """Return the payload of one frame."""


def _ulaw_decoding() -> Pcm:
    code = ~np.arange(256, dtype=np.int32) & 0xFF
    magnitude = ((((code & 0x0F) << 3) + 132) << ((code >> 4) & 7)) - 132
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


def _alaw_decoding() -> Pcm:
    code = np.arange(256, dtype=np.int32) ^ 0x55
    exponent = (code >> 4) & 7
    linear = ((code & 0x0F) << 4) + 8
    magnitude = np.where(exponent > 0, (linear + 0x100) << np.maximum(exponent - 1, 0), linear)
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)


def _magnitudes() -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """One's-complement magnitude and sign of all 65536 samples, in uint16 order."""
    linear = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int32)
    return np.where(linear < 0, ~linear, linear), linear < 0


def _ulaw_encoding() -> Octets:
    magnitude, negative = _magnitudes()
    biased = np.minimum((magnitude >> 2) + 33, 0x1FFF)
    exponent = np.log2(biased).astype(np.int32) - 5
    code = (exponent << 4) | ((biased >> (exponent + 1)) & 0x0F)
    octets: Octets = (~np.where(negative, code | 0x80, code) & 0xFF).astype(np.uint8)
    return octets


def _alaw_encoding() -> Octets:
    magnitude, negative = _magnitudes()
    coarse = magnitude >> 4
    exponent = np.maximum(np.log2(np.maximum(coarse, 1)).astype(np.int32) - 3, 0)
    mantissa = (coarse >> np.maximum(exponent - 1, 0)) & 0x0F
    code = (exponent << 4) | mantissa
    octets: Octets = (np.where(negative, code, code | 0x80) ^ 0x55).astype(np.uint8)
    return octets


class G711:
    """One companding law; stateless, so one instance serves every leg."""

    __slots__ = ("_decoding", "_encoding", "name", "payload_type")

    rate_hz: Final = TELEPHONE_HZ
    clock_hz: Final = TELEPHONE_HZ

    def __init__(self, name: str, payload_type: int, decoding: Pcm, encoding: Octets) -> None:
        self.name = name
        self.payload_type = payload_type
        self._decoding = decoding
        self._encoding = encoding

    def __repr__(self) -> str:
        return f"<{self.name}>"

    def decode(self, payload: bytes) -> Pcm:
        """Return one sample per octet. Never raises."""
        return self._decoding.take(np.frombuffer(payload, np.uint8))

    def encode(self, pcm: Pcm) -> bytes:
        """Return one octet per sample."""
        return self._encoding.take(pcm.view(np.uint16)).tobytes()


PCMU: Final = G711("PCMU", 0, _ulaw_decoding(), _ulaw_encoding())
PCMA: Final = G711("PCMA", 8, _alaw_decoding(), _alaw_encoding())

G711_CODECS: Final[tuple[Codec, ...]] = (PCMU, PCMA)
"""What a telephone leg offers, in order of preference."""


def codec_named(name: str, clock_hz: int, codecs: Iterable[Codec] = G711_CODECS) -> Codec | None:
    """Find a codec by its rtpmap name (any case) and clock, or None."""
    wanted = name.upper()
    for codec in codecs:
        if codec.name.upper() == wanted and codec.clock_hz == clock_hz:
            return codec
    return None
