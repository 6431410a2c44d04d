"""Where received audio belongs in time: for the listener, and for the recording."""

from __future__ import annotations

from typing import Final

from media.audio import frame_samples
from media.rtp import ts_delta

STARVED_S: Final = 0.2
"""So long without audio, the listener is given silence instead."""
_EARLY_S: Final = 0.02
_DELAYED_S: Final = 0.5


class ListeningTimeline:
    """Keeps the audio fed equal to the time passed; stands after `jitter`, before the sink.

    A peer that stops sending while nobody speaks (RFC 3551 §4.1) still owes the listener its
    silence: it is filled in while the line is quiet, or by the timestamp of the next packet,
    and never twice. Samples are of the codec's audio.
    """

    __slots__ = ("_filled", "_frame", "_heard_at", "_next_ts", "_rate_hz", "_ssrc", "_ticks")

    def __init__(self, rate_hz: int, clock_hz: int) -> None:
        self._rate_hz = rate_hz
        self._ticks = clock_hz / rate_hz
        self._frame = frame_samples(rate_hz)
        self._heard_at = 0.0
        self._ssrc: int | None = None
        self._next_ts = 0
        self._filled = 0
        """Samples of silence given since audio was last heard, not yet set against lost ones."""

    def begin(self, now: float) -> None:
        """Owe the listener audio from `now` on. now: monotonic seconds."""
        self._heard_at = now

    def still_lost(self, samples: int) -> int:
        """Return how many of `samples` lost ones are still to be filled."""
        self._next_ts = (self._next_ts + int(samples * self._ticks)) & 0xFFFFFFFF
        covered = min(samples, self._filled)
        self._filled -= covered
        return samples - covered

    def silence_before(self, ssrc: int, rtp_ts: int, samples: int, now: float) -> int:
        """Note audio about to be fed and return the samples of silence owed before it."""
        owed = 0
        if ssrc == self._ssrc and rtp_ts != self._next_ts:
            skipped = int(ts_delta(rtp_ts, self._next_ts) / self._ticks)
            owed = max(0, min(skipped - self._filled, int(STARVED_S * self._rate_hz)))
        self._ssrc = ssrc
        self._next_ts = (rtp_ts + int(samples * self._ticks)) & 0xFFFFFFFF
        self._filled = 0
        self._heard_at = now
        return owed

    def silence_due(self, now: float) -> int:
        """Return the samples of silence due because nothing came, in whole frames."""
        quiet = now - self._heard_at
        if quiet < STARVED_S:
            return 0
        due = int(quiet * self._rate_hz) - self._filled
        due -= due % self._frame
        if due <= 0:
            return 0
        self._filled += due
        return due


class RecordingTimeline:
    """Places packets by their timestamp, so that network jitter leaves no trace in a recording.

    Anchored at the arrival of the first packet of an SSRC and again where the sender's clock has
    run 20 ms ahead of ours or fallen 500 ms behind.
    """

    __slots__ = ("_anchor_at", "_anchor_ts", "_clock_hz", "_rate_hz", "_ssrc", "_start")

    def __init__(self, rate_hz: int, clock_hz: int) -> None:
        self._rate_hz = rate_hz
        self._clock_hz = clock_hz
        self._start = 0.0
        self._ssrc: int | None = None
        self._anchor_at = 0.0
        self._anchor_ts = 0

    def begin(self, now: float) -> None:
        """Take `now` for the recording's zero. now: monotonic seconds."""
        self._start = now

    def place(self, ssrc: int, rtp_ts: int, now: float) -> int:
        """Return the sample of the recording at which the packet's audio begins."""
        at = self._anchor_at + ts_delta(rtp_ts, self._anchor_ts) / self._clock_hz
        if ssrc != self._ssrc or not now - _DELAYED_S < at < now + _EARLY_S:
            self._ssrc, self._anchor_at, self._anchor_ts = ssrc, now, rtp_ts
            at = now
        return max(0, round((at - self._start) * self._rate_hz))
