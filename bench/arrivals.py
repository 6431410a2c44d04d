"""How punctual a leg's packets are, from the moments the kernel took them. Pure; no sockets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from media.audio import TELEPHONE_HZ

_AROUND = 50
"""Packets before and after one, a second each, whose earliest sets the leg's schedule."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """One RTP packet of a leg, as it came."""

    at: float
    """Seconds of the system's clock, stamped by the kernel."""
    seq: int
    rtp_ts: int


def within(arrivals: Sequence[Arrival], began: float, ended: float) -> list[Arrival]:
    """Those that came from `began` until before `ended`."""
    return [arrival for arrival in arrivals if began <= arrival.at < ended]


def gaps_ms(arrivals: Sequence[Arrival]) -> NDArray[np.float64]:
    """By how much each gap between packets is longer than the audio of the earlier one.

    A packet that follows too soon, as after a late one, counts as 0.
    """
    return np.maximum(0.0, np.diff(_offsets_ms(arrivals)))


def lateness_ms(arrivals: Sequence[Arrival]) -> NDArray[np.float64]:
    """How far each packet is behind its leg's schedule, which the earliest one nearby sets.

    Nearby is within a second: after a stall the sender may set its beat anew.
    """
    offsets = _offsets_ms(arrivals)
    if not offsets.size:
        return offsets
    padded = np.pad(offsets, _AROUND, mode="edge")
    nearby = np.lib.stride_tricks.sliding_window_view(padded, 2 * _AROUND + 1)
    return np.asarray(offsets - nearby.min(axis=1))


def lost(arrivals: Sequence[Arrival]) -> int:
    """Sequence numbers missing between the first and the last."""
    if not arrivals:
        return 0
    seqs = np.unwrap(np.asarray([a.seq for a in arrivals], float), period=65536)
    return int(np.ptp(seqs)) + 1 - len(np.unique(seqs))


def _offsets_ms(arrivals: Sequence[Arrival]) -> NDArray[np.float64]:
    """Arrival minus media time, from an arbitrary zero."""
    if not arrivals:
        return np.zeros(0)
    at = np.asarray([a.at for a in arrivals]) - arrivals[0].at
    ticks = np.unwrap(np.asarray([a.rtp_ts for a in arrivals], float), period=2.0**32)
    return np.asarray(at * 1000 - (ticks - ticks[0]) * 1000 / TELEPHONE_HZ)
