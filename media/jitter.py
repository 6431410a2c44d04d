"""Put packets in order without delaying those that are: the listener is a machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from media.rtp import RtpPacket, seq_delta, ts_delta

MAX_DROPOUT: Final = 3000
"""A jump ahead by this much is a restart, not loss (RFC 3550 A.1)."""
MAX_MISORDER: Final = 100
"""A jump back by this much is a restart, not lateness (RFC 3550 A.1)."""
MAX_HELD: Final = 64
"""Packets kept behind a gap, whatever the deadline."""
MAX_LATE_RUN: Final = 10
"""So many consecutive late packets in sequence are a restart."""

_HISTORY = (1 << 128) - 1


@dataclass(frozen=True, slots=True)
class Gap:
    """Packets that did not come in time; always followed by the packet behind them."""

    frames: int
    """How many packets are missing."""


Item: TypeAlias = RtpPacket | Gap


class JitterBuffer:
    """Release packets in sequence; stands after `rtp`, before `codecs`.

    A packet in order passes at once. One behind a gap waits until the gap fills or
    `max_wait_ms` have passed since it came. A new SSRC and a jump of the sequence start afresh.
    """

    __slots__ = (
        "_held",
        "_last_late",
        "_late_run",
        "_max_wait",
        "_next",
        "_played",
        "_played_ts",
        "_ssrc",
        "duplicates",
        "late",
        "lost",
    )

    def __init__(self, max_wait_ms: float = 60) -> None:
        self._max_wait = max_wait_ms / 1000
        self._held: dict[int, tuple[RtpPacket, float]] = {}
        self._ssrc: int | None = None
        self._next = 0
        self._played = 0  # bit i: sequence number `_next - 1 - i` was played
        self._played_ts = 0
        self._late_run = 0
        self._last_late = 0
        self.lost = 0
        self.late = 0
        self.duplicates = 0

    def push(self, packet: RtpPacket, now: float) -> Sequence[Item]:
        """Accept one packet and return what is now playable, in order.

        now: monotonic seconds. Never raises.
        """
        if packet.ssrc != self._ssrc:
            return self._restart(packet)
        ahead = seq_delta(packet.seq, self._next)
        if not ahead:
            self._late_run = 0
            if not self._held:
                self._next = (packet.seq + 1) & 0xFFFF
                self._played = (self._played << 1 | 1) & _HISTORY
                self._played_ts = packet.rtp_ts
                return (packet,)
            self._held[packet.seq] = (packet, now)
            return [*self._run(), *self.expire(now)]
        if ahead < 0:
            return self._behind(packet, ahead)
        if ahead > MAX_DROPOUT:
            return self._restart(packet)
        if packet.seq in self._held:
            self.duplicates += 1
        else:
            self._held[packet.seq] = (packet, now)
        return self.expire(now)

    def expire(self, now: float) -> Sequence[Item]:
        """Return what a deadline sets free: the gap, then the packets behind it."""
        released: list[Item] = []
        while self._held:
            waiting_since = min(arrival for _, arrival in self._held.values())
            if now - waiting_since < self._max_wait and len(self._held) <= MAX_HELD:
                break
            released += self._skip()
        return released

    def _skip(self) -> list[Item]:
        """Give up on the first gap."""
        frames = min(seq_delta(seq, self._next) for seq in self._held)
        self.lost += frames
        self._next = (self._next + frames) & 0xFFFF
        self._played = (self._played << min(frames, 128)) & _HISTORY
        return [Gap(frames), *self._run()]

    def _run(self) -> list[Item]:
        """Take the held packets that are in order now."""
        run: list[Item] = []
        while (entry := self._held.pop(self._next, None)) is not None:
            run.append(entry[0])
            self._next = (self._next + 1) & 0xFFFF
            self._played = (self._played << 1 | 1) & _HISTORY
            self._played_ts = entry[0].rtp_ts
        return run

    def _behind(self, packet: RtpPacket, ahead: int) -> Sequence[Item]:
        """A packet whose turn is over: a duplicate, a late one, or a sender that began anew."""
        in_sequence = seq_delta(packet.seq, self._last_late) == 1
        self._late_run = self._late_run + 1 if in_sequence and self._late_run else 1
        self._last_late = packet.seq
        newer = ts_delta(packet.rtp_ts, self._played_ts) > 0
        if ahead <= -MAX_MISORDER or newer or self._late_run >= MAX_LATE_RUN:
            return self._restart(packet)
        if self._played >> (-ahead - 1) & 1:
            self.duplicates += 1
        else:
            self.late += 1
        return ()

    def _restart(self, packet: RtpPacket) -> Sequence[Item]:
        """Release what is held of the old numbering, then begin at `packet`."""
        released: list[Item] = []
        while self._held:
            released += self._skip()
        self._ssrc = packet.ssrc
        self._next = (packet.seq + 1) & 0xFFFF
        self._played = 1
        self._played_ts = packet.rtp_ts
        self._late_run = 0
        released.append(packet)
        return released
