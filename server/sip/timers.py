"""Deadlines in virtual time: the only clock of the core is the `now` it is given."""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field

Callback = Callable[[float], None]


@dataclass(order=True, slots=True)
class Deadline:
    """One armed timer."""

    when: float
    """Monotonic seconds."""
    order: int
    callback: Callback | None = field(compare=False)

    def cancel(self) -> None:
        """Disarm; harmless when it already ran."""
        self.callback = None


class Timers:
    """A heap of deadlines; a cancelled one is dropped when it surfaces."""

    def __init__(self) -> None:
        self._heap: list[Deadline] = []
        self._order = 0

    def call_at(self, when: float, callback: Callback) -> Deadline:
        """Arm a timer that calls `callback(now)` at `when`."""
        self._order += 1
        deadline = Deadline(when, self._order, callback)
        heapq.heappush(self._heap, deadline)
        return deadline

    def next(self) -> float | None:
        """Return the earliest armed deadline, or None."""
        while self._heap and self._heap[0].callback is None:
            heapq.heappop(self._heap)
        return self._heap[0].when if self._heap else None

    def run(self, now: float) -> None:
        """Call everything due at `now`, in order, including what that arms for `now`."""
        while (when := self.next()) is not None and when <= now:
            deadline = heapq.heappop(self._heap)
            callback, deadline.callback = deadline.callback, None
            if callback is not None:
                callback(now)
