"""Digits as telephone-events (RFC 4733)."""

from __future__ import annotations

import struct
from collections import deque
from dataclasses import dataclass
from typing import Final

from media.audio import FRAME_MS
from media.errors import DtmfError
from media.rtp import RtpPacket, ts_delta

DIGITS: Final = "0123456789*#ABCD"
"""Event codes 0-15 in order (RFC 4733 §3.2)."""
PAUSES_MS: Final = {"w": 500, "W": 1000}
"""Letters that wait in a string of digits."""
REPEAT_GUARD_S: Final = 0.04
"""The same digit under a new timestamp this soon is one event a middlebox re-stamped."""

_EVENT = struct.Struct("!BBH")
_END = 0x80
_VOLUME = 10  # -10 dBm0
_END_PACKETS = 3


class DtmfReceiver:
    """Telephone-event packets in, one digit per event out; stands after `jitter`.

    Markers and durations are ignored: an event is its SSRC and timestamp.
    """

    __slots__ = ("_digit", "_ended", "_event", "_last_seen")

    def __init__(self) -> None:
        self._event: tuple[int, int] | None = None
        self._digit = ""
        self._ended = False
        self._last_seen = 0.0

    def push(self, packet: RtpPacket, now: float) -> str | None:
        """Return the digit if this packet begins one. now: monotonic seconds. Never raises."""
        if len(packet.payload) < 4 or packet.payload[0] >= len(DIGITS):
            return None
        digit = DIGITS[packet.payload[0]]
        ends = bool(packet.payload[1] & _END)
        known = self._belongs(packet, digit, ends, now)
        if not known:
            self._event, self._digit = (packet.ssrc, packet.rtp_ts), digit
        self._ended = ends or (known and self._ended)
        self._last_seen = now
        return None if known else digit

    def _belongs(self, packet: RtpPacket, digit: str, ends: bool, now: float) -> bool:
        """Whether the packet repeats the event at hand or one before it."""
        if self._event is None:
            return False
        ssrc, rtp_ts = self._event
        if packet.ssrc == ssrc and -(1 << 20) < ts_delta(packet.rtp_ts, rtp_ts) <= 0:
            return True
        begins_again = self._ended and not ends
        return digit == self._digit and not begins_again and now - self._last_seen < REPEAT_GUARD_S


@dataclass(frozen=True, slots=True)
class EventPacket:
    """What to send in this tick instead of audio."""

    payload: bytes
    rtp_ts: int
    marker: bool


class DtmfSender:
    """Digits in, one event packet per 20 ms tick out; stands beside the pacer.

    The timestamp stays at the event's start, the first packet is marked, the end is sent three
    times. Audio is to be muted while `active`; the leg's clock runs on underneath (RFC 4733 §2.5).
    """

    __slots__ = ("_event", "_gap_ticks", "_queue", "_start_ts", "_step", "_steps", "_tick", "_wait")

    def __init__(self, clock_hz: int, tone_ms: int = 100, gap_ms: int = 100) -> None:
        self._tick = clock_hz * FRAME_MS // 1000
        self._steps = tone_ms // FRAME_MS
        self._gap_ticks = max(gap_ms // FRAME_MS, _END_PACKETS)
        self._queue: deque[str] = deque()
        self._event: int | None = None
        self._step = 0
        self._start_ts = 0
        self._wait = 0

    @property
    def active(self) -> bool:
        """Whether an event, a pause or a queued digit still holds the audio back."""
        return bool(self._queue) or self._event is not None or self._wait > 0

    def send(self, digits: str) -> None:
        """Queue digits 0-9 * # A-D, `w` waiting 500 ms and `W` 1 s. Raises DtmfError for others."""
        wanted = [letter if letter in PAUSES_MS else letter.upper() for letter in digits]
        foreign = sorted({mark for mark in wanted if mark not in DIGITS and mark not in PAUSES_MS})
        if foreign:
            raise DtmfError(f"not DTMF: {' '.join(foreign)!r}")
        self._queue.extend(wanted)

    def tick(self, rtp_ts: int) -> EventPacket | None:
        """Return this tick's event packet, None where silence is sent. rtp_ts: the clock now."""
        if self._event is None:
            if self._wait:
                self._wait -= 1
                return None
            if not self._begin(rtp_ts):
                return None
        return self._packet()

    def _begin(self, rtp_ts: int) -> bool:
        if not self._queue:
            return False
        mark = self._queue.popleft()
        if mark in PAUSES_MS:
            self._wait = PAUSES_MS[mark] // FRAME_MS - 1
            return False
        self._event, self._step, self._start_ts = DIGITS.index(mark), 0, rtp_ts
        return True

    def _packet(self) -> EventPacket:
        assert self._event is not None
        self._step += 1
        flags = _VOLUME | _END if self._step >= self._steps else _VOLUME
        duration = min(self._step, self._steps) * self._tick
        packet = EventPacket(
            _EVENT.pack(self._event, flags, duration), self._start_ts, self._step == 1
        )
        if self._step == self._steps + _END_PACKETS - 1:
            self._event = None
            self._wait = self._gap_ticks - _END_PACKETS + 1
        return packet
