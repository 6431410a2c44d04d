"""From a probe's log to samples: which packet answers which. Pure; knows no sockets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from bench.voiced import Heard, first_voiced_after, speech_on_wire

REPLY_WITHIN_S = 5.0
PAUSE_S = 0.22
"""A longer gap is no part of fluent speech: the benches let it play without full stops."""
STOP_S = 0.6
"""Silence of ours this long after their onset is the end of what we were saying."""
ABANDONED_S = 2.0
"""Speech that goes on within this was only paused."""
_ONSET_WITHIN_S = 0.8

Effect = Literal["none", "pause", "stop"]


@dataclass(frozen=True, slots=True)
class Reply:
    """One answered utterance, monotonic seconds."""

    said_until: float
    answered_at: float

    @property
    def ms(self) -> float:
        """Voice to voice."""
        return (self.answered_at - self.said_until) * 1000


def pair_replies(said_until: Sequence[float], log: Sequence[Heard]) -> list[Reply]:
    """Pair each utterance's last voiced packet with the first voiced one that answers it.

    An utterance during which, or right at whose end, they still spoke has no reply: that was
    an overlap. A reply later than `REPLY_WITHIN_S`, or after the next utterance, is none.
    """
    ends = [*said_until, float("inf")]
    found = []
    for end, following in pairwise(ends):
        if any(packet.voiced and end - 0.1 <= packet.at <= end for packet in log):
            continue
        answer = first_voiced_after(log, end)
        if answer is not None and answer < min(following, end + REPLY_WITHIN_S):
            found.append(Reply(end, answer))
    return found


def last_before_silence(
    onset: float, log: Sequence[Heard], *, within_s: float = 3.0
) -> float | None:
    """Arrival of the last voiced packet before they fell silent for `STOP_S` after an onset.

    None if they were not speaking at the onset, or never stopped.
    """
    for span in speech_on_wire(log, join_s=STOP_S):
        if span.start_s <= onset <= span.end_s:
            ended = span.end_s - onset <= within_s and (log[-1].at - span.end_s) >= STOP_S
            return span.end_s if ended else None
    return None


def barge_in_ms(onset: float, log: Sequence[Heard]) -> float | None:
    """From the callee's onset to our last voiced packet, before a silence of `PAUSE_S` at least.

    Taken at the first silence: a pause that turns into a stop is silence from its beginning.
    """
    if last_before_silence(onset, log) is None:
        return None
    spans = speech_on_wire(log, join_s=PAUSE_S)
    first = next((s for s in spans if s.start_s <= onset <= s.end_s), None)
    if first is None:
        first = next((s for s in spans if s.start_s > onset), None)
    return None if first is None else (first.end_s - onset) * 1000


def effect_of(onset: float, length_s: float, log: Sequence[Heard]) -> Effect:
    """What a noise from the callee did to speech that was going on.

    Looks at the gaps that begin between its onset and shortly after its end.
    """
    until = onset + length_s + _ONSET_WITHIN_S
    voiced = [packet.at for packet in log if packet.voiced and packet.at >= onset - PAUSE_S]
    edges = [*voiced, log[-1].at if log else onset]
    longest = max((b - a for a, b in pairwise(edges) if onset - PAUSE_S <= a <= until), default=0.0)
    if longest >= ABANDONED_S:
        return "stop"
    return "pause" if longest >= PAUSE_S else "none"
