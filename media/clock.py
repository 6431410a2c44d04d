"""The 20 ms beat of a node: one timer for all its legs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, TypeAlias

from media.audio import FRAME_MS

TICK_S: Final = FRAME_MS / 1000
MAX_CATCH_UP: Final = 5
"""Missed ticks made good in one go; beyond that the beat is set anew."""

Tick: TypeAlias = Callable[[float], None]
"""Called with the tick's deadline, loop seconds."""


class Lateness:
    """Histogram of how late ticks came: 0.25 ms steps up to 100 ms, constant in memory."""

    STEP_MS: Final = 0.25
    _STEPS: Final = 400

    __slots__ = ("_counts", "max_ms", "total")

    def __init__(self) -> None:
        self._counts = [0] * (self._STEPS + 1)
        self.max_ms = 0.0
        self.total = 0

    def add(self, late_ms: float) -> None:
        """Count one tick."""
        self._counts[min(int(late_ms / self.STEP_MS), self._STEPS)] += 1
        self.total += 1
        if late_ms > self.max_ms:
            self.max_ms = late_ms

    def percentile_ms(self, share: float) -> float:
        """Upper edge of the step that holds `share` (0 … 1) of the ticks, at most `max_ms`."""
        wanted, seen = share * self.total, 0
        for step, count in enumerate(self._counts):
            seen += count
            if seen and seen >= wanted:
                if step == self._STEPS:
                    break
                return min((step + 1) * self.STEP_MS, self.max_ms)
        return self.max_ms

    @property
    def p50_ms(self) -> float:
        """Median lateness."""
        return self.percentile_ms(0.50)

    @property
    def p99_ms(self) -> float:
        """99th percentile of lateness."""
        return self.percentile_ms(0.99)


class Clock:
    """Call every leg at `t0 + n * 20 ms`; stands before every pacer of a node.

    Deadlines are absolute, so lateness does not add up. Up to five missed ticks are made good at
    once; after a longer stall the beat starts anew and `resyncs` counts it. The loop's timer runs
    only while a leg is there.
    """

    __slots__ = ("_deadline", "_legs", "_loop", "_n", "_t0", "_timer", "lateness", "resyncs")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._legs: dict[Tick, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._t0 = 0.0
        self._n = 0
        self._deadline = 0.0
        self.lateness = Lateness()
        self.resyncs = 0

    def add(self, leg: Tick) -> None:
        """Call `leg` on every tick from the next one on."""
        self._legs[leg] = None
        if self._timer is None:
            self._start(self._loop.time())

    def remove(self, leg: Tick) -> None:
        """Stop calling `leg`; unknown ones are ignored. The beat stops with the last one."""
        self._legs.pop(leg, None)

    def _start(self, now: float) -> None:
        self._t0, self._n = now, 1
        self._deadline = now + TICK_S
        self._timer = self._loop.call_at(self._deadline, self._beat)

    def _beat(self) -> None:
        if not self._legs:
            self._timer = None
            return
        now = self._loop.time()
        self.lateness.add(max(0.0, (now - self._deadline) * 1000))
        for _ in range(MAX_CATCH_UP):
            self._tick(self._deadline)
            self._n += 1
            self._deadline = self._t0 + self._n * TICK_S
            if self._deadline > now:
                self._timer = self._loop.call_at(self._deadline, self._beat)
                return
        self.resyncs += 1
        self._start(now)

    def _tick(self, deadline: float) -> None:
        for leg in tuple(self._legs):
            try:
                leg(deadline)
            except Exception as error:  # one leg's fault must not stop the others' beat
                self._loop.call_exception_handler(
                    {"message": "a leg failed in its tick", "exception": error}
                )
