"""A finished call as its record and its recording show it: turns, and the time between them."""

from __future__ import annotations

import wave
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np

from bench.voiced import Span
from media.audio import Pcm

LONGEST_ROW_S = 17.0
"""Seconds in a row of the picture, at most, as in a line of music."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of the call's record."""

    role: str
    text: str
    start_s: float
    end_s: float
    interrupted: bool = False


@dataclass(frozen=True, slots=True)
class Handover:
    """From the callee's last voiced sample to the agent's first, in the recording."""

    from_s: float
    to_s: float

    @property
    def ms(self) -> float:
        """The reply's latency."""
        return (self.to_s - self.from_s) * 1000


def read_wav(path: Path) -> tuple[Pcm, Pcm, int]:
    """Left channel (the callee), right channel (the agent) and the rate of a recording."""
    with wave.open(str(path), "rb") as recording:
        samples = np.frombuffer(recording.readframes(recording.getnframes()), np.int16)
        stereo = samples.reshape(-1, recording.getnchannels())
        return stereo[:, 0], stereo[:, -1], recording.getframerate()


def turns_of(call: Mapping[str, Any]) -> list[Turn]:
    """The spoken messages of a call record, in order of time."""
    turns = [
        Turn(
            role=message["role"],
            text=message.get("content") or "",
            start_s=float(message.get("start_s") or 0.0),
            end_s=float(message.get("end_s") or 0.0),
            interrupted=bool(message.get("interrupted")),
        )
        for message in call.get("messages") or ()
        if (message.get("content") or "").strip() and message.get("role") in ("user", "assistant")
    ]
    return sorted(turns, key=lambda turn: turn.start_s)


def handovers(
    turns: Sequence[Turn], callee: Sequence[Span], agent: Sequence[Span]
) -> list[Handover]:
    """The reply latencies that can be seen in the recording itself.

    For each callee turn that an agent turn follows: from the end of the last callee sound
    that begins before the reply, to the beginning of the agent sound that is the reply.
    """
    found = []
    for before, after in pairwise(turns):
        if before.role != "user" or after.role != "assistant":
            continue
        begins = [span.start_s for span in agent if span.start_s >= after.start_s - 0.25]
        ends = [span.end_s for span in callee if span.start_s < after.start_s]
        if begins and ends and 0 < begins[0] - ends[-1] < 5:
            found.append(Handover(ends[-1], begins[0]))
    return found


def silent_from(turn: Turn, agent: Sequence[Span]) -> float:
    """When an agent's turn fell silent: its message ends a little later, when that was certain."""
    ends = [span.end_s for span in agent if turn.start_s <= span.end_s <= turn.end_s + 0.05]
    return ends[-1] if ends else turn.end_s


def row_length_s(total_s: float) -> float:
    """Seconds of each row, so that rows are about equally full."""
    rows = ceil(total_s / (LONGEST_ROW_S - 1.5))
    return max(8.0, min(LONGEST_ROW_S, total_s / rows + 1.5))


def row_starts(turns: Sequence[Turn], total_s: float) -> list[float]:
    """Where rows begin: every row's length, or earlier where that keeps a turn in one piece."""
    row_s = row_length_s(total_s)
    starts = [0.0]
    while total_s - starts[-1] > row_s:
        limit = starts[-1] + row_s
        cut = [t for t in turns if limit - 0.4 * row_s < t.start_s < limit < t.end_s]
        starts.append(cut[0].start_s - 0.3 if cut else limit)
    return starts
