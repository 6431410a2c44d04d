"""RTP packets (RFC 3550 §5.1) and the numbering of an outgoing stream."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from secrets import randbits

from media.errors import RtpError

_HEADER = struct.Struct("!BBHII")
_VERSION_2 = 0x80


def is_rtcp(datagram: bytes) -> bool:
    """Whether a datagram on the RTP port is RTCP: second octet 192-223 (RFC 5761 §4)."""
    return len(datagram) > 1 and 192 <= datagram[1] <= 223


def seq_delta(later: int, earlier: int) -> int:
    """Signed distance between 16-bit sequence numbers, -32768 … 32767."""
    return ((later - earlier + 0x8000) & 0xFFFF) - 0x8000


def ts_delta(later: int, earlier: int) -> int:
    """Signed distance between 32-bit timestamps."""
    return ((later - earlier + 0x80000000) & 0xFFFFFFFF) - 0x80000000


@dataclass(frozen=True, slots=True)
class RtpPacket:
    """One packet, without its CSRC list, header extension and padding."""

    payload_type: int
    seq: int
    rtp_ts: int
    ssrc: int
    payload: bytes
    marker: bool = False

    @classmethod
    def parse(cls, datagram: bytes) -> RtpPacket:
        """Read one datagram. Raises RtpError where it is not RTP version 2 or is cut short."""
        if len(datagram) < 12:
            raise RtpError(f"{len(datagram)} octets are no RTP header")
        first, second, seq, rtp_ts, ssrc = _HEADER.unpack_from(datagram)
        payload = datagram[12:] if first == _VERSION_2 else _payload(datagram, first)
        return cls(second & 0x7F, seq, rtp_ts, ssrc, payload, second > 0x7F)

    def __bytes__(self) -> bytes:
        second = self.payload_type | (0x80 if self.marker else 0)
        return _HEADER.pack(_VERSION_2, second, self.seq, self.rtp_ts, self.ssrc) + self.payload


def _payload(datagram: bytes, first: int) -> bytes:
    """The payload behind a header with CSRC list, extension or padding."""
    if first >> 6 != 2:
        raise RtpError(f"RTP version {first >> 6}")
    start = 12 + 4 * (first & 0x0F)
    if first & 0x10:
        if len(datagram) < start + 4:
            raise RtpError("header extension cut short")
        start += 4 + 4 * int.from_bytes(datagram[start + 2 : start + 4], "big")
    end = len(datagram)
    if first & 0x20:
        padding = datagram[-1]
        if not padding:
            raise RtpError("padding of zero octets")
        end -= padding
    if start > end:
        raise RtpError("header and padding exceed the datagram")
    return datagram[start:end]


class RtpSource:
    """Numbers the packets we send: one SSRC, sequence and clock for the whole life of a leg."""

    __slots__ = ("_next_seq", "rtp_ts", "ssrc")

    def __init__(self, ssrc: int | None = None, seq: int | None = None, rtp_ts: int | None = None):
        self.ssrc = randbits(32) if ssrc is None else ssrc
        self._next_seq = randbits(15) if seq is None else seq
        self.rtp_ts = randbits(32) if rtp_ts is None else rtp_ts

    def advance(self, ticks: int) -> None:
        """Let `ticks` of the RTP clock pass, whether or not anything was sent in them."""
        self.rtp_ts = (self.rtp_ts + ticks) & 0xFFFFFFFF

    def packet(
        self, payload_type: int, payload: bytes, *, marker: bool = False, rtp_ts: int | None = None
    ) -> bytes:
        """Return the next datagram; `rtp_ts` overrides the clock for telephone-events."""
        seq = self._next_seq
        self._next_seq = (seq + 1) & 0xFFFF
        second = payload_type | 0x80 if marker else payload_type
        stamp = self.rtp_ts if rtp_ts is None else rtp_ts
        return _HEADER.pack(_VERSION_2, second, seq, stamp, self.ssrc) + payload
