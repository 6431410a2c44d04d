"""How well a leg is heard: counts, interarrival jitter and an estimate of opinion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from media.audio import FRAME_MS

G711_PLC_ROBUSTNESS: Final = 25.1
"""Bpl of G.711 with loss concealment (ITU-T G.113 appendix I)."""
_BEST_R: Final = 93.2


@dataclass(frozen=True, slots=True)
class Quality:
    """Snapshot of one leg; times are monotonic seconds."""

    at: float
    """When the snapshot was taken."""
    received: int
    """RTP packets from the latched source, whatever became of them."""
    lost: int
    """Packets that did not come in time."""
    late: int
    duplicates: int
    strangers: int
    """Datagrams dropped because they came from elsewhere."""
    malformed: int
    jitter_ms: float
    """Interarrival jitter (RFC 3550 §6.4.1)."""
    concealed_ms: float
    sent: int
    first_packet_at: float | None
    last_packet_at: float | None

    @property
    def loss(self) -> float:
        """Share of the expected packets that did not come in time, 0 … 1."""
        expected = self.received - self.late - self.duplicates + self.lost
        return self.lost / expected if expected > 0 else 0.0

    @property
    def mos(self) -> float:
        """Estimated listening quality; network delay is not known here and left out."""
        return mos(self.loss, FRAME_MS + 2 * self.jitter_ms)


def mos(loss: float, delay_ms: float) -> float:
    """Mean opinion score 1 … 4.5 by the E-model (ITU-T G.107 §7), G.711 with random loss.

    loss: 0 … 1. delay_ms: one way, mouth to ear.
    """
    percent = 100 * loss
    impairment = 95 * percent / (percent + G711_PLC_ROBUSTNESS)
    delay = 0.024 * delay_ms + 0.11 * max(0.0, delay_ms - 177.3)
    rating = _BEST_R - delay - impairment
    if rating <= 0:
        return 1.0
    return max(1.0, 1 + 0.035 * rating + rating * (rating - 60) * (100 - rating) * 7e-6)


class Arrivals:
    """Watches packets as they come, before they are put in order."""

    __slots__ = ("_clock_hz", "_jitter", "_ssrc", "_transit", "first_at", "last_at", "received")

    def __init__(self, clock_hz: int) -> None:
        self._clock_hz = clock_hz
        self._ssrc: int | None = None
        self._transit = 0.0
        self._jitter = 0.0
        self.first_at: float | None = None
        self.last_at: float | None = None
        self.received = 0

    @property
    def jitter_ms(self) -> float:
        """Interarrival jitter so far."""
        return self._jitter * 1000

    def count(self, ssrc: int, rtp_ts: int, now: float) -> None:
        """Take note of one packet. now: monotonic seconds."""
        self.received += 1
        self.last_at = now
        transit = now - rtp_ts / self._clock_hz
        change = abs(transit - self._transit)
        if ssrc != self._ssrc:
            self._ssrc = ssrc
            if self.first_at is None:
                self.first_at = now
        elif change < 1.0:  # more is a wrapped or restarted timestamp
            self._jitter += (change - self._jitter) / 16
        self._transit = transit
