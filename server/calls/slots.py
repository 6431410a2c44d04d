"""Places for calls on this node: how many at a time, in all and to one number.

Stands before the dialler. Exact, because one loop alone counts; nobody waits behind a call
that may not go yet. DBOS's queues count only what went through them, and an immediate call
does not: direct and queued calls share these places.
"""

import asyncio
from bisect import insort
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Claim:
    """What a call takes up while it rings or talks."""

    call_id: str
    numbers: tuple[str, ...]
    key_id: str | None = None
    deployment_id: str | None = None
    due: float = 0.0
    """Unix seconds: who waits since earlier goes first."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """How many calls at a time; None is any number."""

    calls: int
    per_number: int | None = 1
    per_key: int | None = None
    per_deployment: int | None = None


@dataclass(order=True, slots=True)
class _Waiting:
    due: float
    order: int
    claim: Claim = field(compare=False)
    granted: "asyncio.Future[None]" = field(compare=False)


class Slots:
    """Who holds a place, and who waits for one."""

    def __init__(self, capacity: Capacity) -> None:
        self._capacity = capacity
        self._held: dict[str, Claim] = {}
        self._taken: Counter[tuple[str, str]] = Counter()
        self._line: list[_Waiting] = []
        self._order = 0

    @property
    def waiting(self) -> int:
        """How many stand in line."""
        return len(self._line)

    def take(self, claim: Claim) -> bool:
        """Take a place where there is one now; a call that holds one already keeps it."""
        if claim.call_id in self._held:
            return True
        if not self._fits(claim):
            return False
        self._held[claim.call_id] = claim
        self._taken.update(name for name, _ in self._limits(claim))
        return True

    async def wait(self, claim: Claim) -> None:
        """Stand in line for a place, in the order of when the calls were due."""
        if self.take(claim):
            return
        granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._order += 1
        waiting = _Waiting(claim.due, self._order, claim, granted)
        insort(self._line, waiting)
        try:
            await granted
        except asyncio.CancelledError:
            if granted.done() and not granted.cancelled():
                self.release(claim.call_id)
            raise
        finally:
            if waiting in self._line:
                self._line.remove(waiting)

    def release(self, call_id: str) -> None:
        """Give a place back, to whoever has waited longest and may go now. Idempotent."""
        claim = self._held.pop(call_id, None)
        if claim is None:
            return
        self._taken.subtract(name for name, _ in self._limits(claim))
        self._taken += Counter()  # forgets what is at zero
        for waiting in list(self._line):
            if len(self._held) >= self._capacity.calls:
                break
            if not waiting.granted.done() and self.take(waiting.claim):
                self._line.remove(waiting)
                waiting.granted.set_result(None)

    def _fits(self, claim: Claim) -> bool:
        if len(self._held) >= self._capacity.calls:
            return False
        return all(self._taken[name] < most for name, most in self._limits(claim))

    def _limits(self, claim: Claim) -> Iterator[tuple[tuple[str, str], int]]:
        capacity = self._capacity
        if capacity.per_number is not None:
            for number in claim.numbers:
                yield ("number", number), capacity.per_number
        if capacity.per_key is not None and claim.key_id is not None:
            yield ("key", claim.key_id), capacity.per_key
        if capacity.per_deployment is not None and claim.deployment_id is not None:
            yield ("deployment", claim.deployment_id), capacity.per_deployment
