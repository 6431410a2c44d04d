"""Where sound is and where silence is: from samples, or from packets as they crossed the wire."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from media.audio import Pcm

VOICED_DBFS = -45.0
"""A frame louder than this is voiced; prepared speech and ours lie 20 dB above it."""
JOIN_S = 0.3
"""Gaps up to this belong to the speech around them: stops, breaths."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of sound, seconds."""

    start_s: float
    end_s: float

    @property
    def length_s(self) -> float:
        """Seconds between its ends."""
        return self.end_s - self.start_s


def frame_levels_dbfs(pcm: Pcm, frame_samples: int) -> NDArray[np.float64]:
    """RMS level of each whole frame, dB of full scale, -100 for digital silence."""
    whole = pcm[: len(pcm) // frame_samples * frame_samples].astype(np.float64)
    square = np.mean(whole.reshape(-1, frame_samples) ** 2, axis=1)
    return np.asarray(10 * np.log10(np.maximum(square, 32768.0**2 * 1e-10) / 32768.0**2))


def voiced_spans(
    pcm: Pcm, rate_hz: int, *, threshold_dbfs: float = VOICED_DBFS, join_s: float = JOIN_S
) -> list[Span]:
    """Stretches of sound in a signal, in 10 ms steps; clicks under 30 ms do not count."""
    frame = rate_hz // 100
    loud = np.flatnonzero(frame_levels_dbfs(pcm, frame) > threshold_dbfs)
    joined = join(((n * 0.01, (n + 1) * 0.01) for n in loud.tolist()), join_s)
    return [span for span in joined if span.length_s >= 0.03]


def last_voiced_sample(pcm: Pcm, rate_hz: int) -> int:
    """Index just behind the last voiced millisecond of a prepared utterance; 0 if all silent."""
    frame = rate_hz // 1000
    loud = np.flatnonzero(frame_levels_dbfs(pcm, frame) > VOICED_DBFS)
    return int(loud[-1] + 1) * frame if loud.size else 0


def join(parts: Iterable[tuple[float, float]], join_s: float) -> list[Span]:
    """Merge (start, end) pairs in order of time whose gaps are at most `join_s`."""
    spans: list[Span] = []
    for start, end in parts:
        if spans and start - spans[-1].end_s <= join_s + 1e-9:
            spans[-1] = Span(spans[-1].start_s, max(end, spans[-1].end_s))
        else:
            spans.append(Span(start, end))
    return spans


@dataclass(frozen=True, slots=True)
class Heard:
    """One RTP packet that arrived, as the probe logs it."""

    at: float
    """Arrival, monotonic seconds."""
    seq: int
    rtp_ts: int
    level_dbfs: float

    @property
    def voiced(self) -> bool:
        """Whether it carries speech."""
        return self.level_dbfs > VOICED_DBFS


def speech_on_wire(log: Sequence[Heard], *, join_s: float = JOIN_S) -> list[Span]:
    """Stretches of voiced packets by arrival: from the first one's to the last one's."""
    return join(((packet.at, packet.at) for packet in log if packet.voiced), join_s)


def first_voiced_after(log: Sequence[Heard], at: float) -> float | None:
    """Arrival of the first voiced packet at or after `at`."""
    return next((packet.at for packet in log if packet.voiced and packet.at >= at), None)


def lost_packets(log: Sequence[Heard]) -> int:
    """Sequence numbers missing between the first and the last arrival."""
    if not log:
        return 0
    span = sum(((b.seq - a.seq + 0x8000) & 0xFFFF) - 0x8000 for a, b in pairwise(log)) + 1
    return max(0, span - len({packet.seq for packet in log}))
