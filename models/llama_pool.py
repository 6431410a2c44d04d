"""Who sits where in a key-value pool: which tokens each conversation has evaluated.

Pure bookkeeping above `models.llama_context`. A cell that two conversations share counts once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Protocol

from models.errors import EngineBusy, EngineError


class Cells(Protocol):
    """The part of a context that moves cells about."""

    can_share: bool

    def cut(self, sequence: int, position: int) -> int:
        """Drop a sequence's cells from a position on. Returns how many are kept."""

    def share(self, source: int, target: int, length: int) -> None:
        """Let an empty sequence begin with the first cells of another."""


@dataclass(slots=True)
class Seat:
    """One conversation's place in the pool."""

    sequence: int
    tokens: list[int] = field(default_factory=list)
    """Evaluated so far."""
    cells: list[int] = field(default_factory=list)
    """A number for each token's cell; shared cells have the same number."""
    turn: int = 0
    """Grows with each request, so that an older one notices that it is over."""
    reserved: int = 0
    """Tokens that the running request may still add; an idle seat has none."""

    def trim(self, length: int) -> None:
        """Forget the tokens behind the first `length`."""
        del self.tokens[length:], self.cells[length:]


class Pool:
    """Seats for `sequences` conversations in `capacity` cells."""

    def __init__(self, context: Cells, capacity: int, sequences: int) -> None:
        self._context = context
        self._capacity = capacity
        self._free = list(range(sequences))
        self._seats: dict[str, Seat] = {}  # the longest unused first
        self._numbers = count()

    def begin(self, conversation: str, tokens: Sequence[int], more: int) -> tuple[Seat, int]:
        """Prepare a seat for a prompt and `more` tokens of reply. Returns it and its turn.

        As much of the prompt as some sequence already holds is in place, but never its last
        token, whose logits are wanted. Raises EngineBusy, or EngineError if it can never fit.
        """
        if len(tokens) + more > self._capacity:
            raise EngineError(
                f"a prompt of {len(tokens)} tokens and {more} of reply do not fit into the "
                f"context of {self._capacity}"
            )
        seat = self._seats.pop(conversation, None) or Seat(self._sequence())
        self._seats[conversation] = seat
        seat.turn += 1
        seat.reserved = 0
        self._reuse(seat, tokens[:-1])
        wanted = len(tokens) - len(seat.tokens) + more
        while self._used() + wanted > self._capacity:
            self._evict_idle(seat)
        seat.reserved = wanted
        return seat, seat.turn

    def extend(self, seat: Seat, tokens: Sequence[int]) -> None:
        """Note tokens that have been evaluated."""
        seat.tokens.extend(tokens)
        seat.cells.extend(next(self._numbers) for _ in tokens)
        seat.reserved = max(0, seat.reserved - len(tokens))

    def finish(self, seat: Seat, turn: int) -> None:
        """End a request, unless a newer one has taken the seat."""
        if seat.turn == turn:
            seat.reserved = 0

    def release(self, conversation: str) -> None:
        """Take a conversation's seat away; its running request, if any, is over."""
        seat = self._seats.pop(conversation, None)
        if seat:
            seat.turn += 1
            self._context.cut(seat.sequence, 0)
            self._free.append(seat.sequence)

    def _sequence(self) -> int:
        if not self._free:
            self._evict_idle(None)
        return self._free.pop()

    def _evict_idle(self, keep: Seat | None) -> None:
        for conversation, seat in self._seats.items():
            if seat is not keep and not seat.reserved:
                self.release(conversation)
                return
        raise EngineBusy("the language model has no room for another conversation")

    def _used(self) -> int:
        seats = self._seats.values()
        cells = {cell for seat in seats for cell in seat.cells}
        return len(cells) + sum(seat.reserved for seat in seats)

    def _reuse(self, seat: Seat, tokens: Sequence[int]) -> None:
        """Keep, or take over from another sequence, the longest beginning of `tokens`."""
        kept = _common(seat.tokens, tokens)
        others = [other for other in self._seats.values() if other is not seat]
        if self._context.can_share and others:
            donor = max(others, key=lambda other: _common(other.tokens, tokens))
            shared = _common(donor.tokens, tokens)
            if shared > kept:
                self._context.cut(seat.sequence, 0)
                self._context.share(donor.sequence, seat.sequence, shared)
                seat.tokens, seat.cells = donor.tokens[:shared], donor.cells[:shared]
                return
        seat.trim(self._context.cut(seat.sequence, kept))


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    """How many elements two sequences have in common from the start."""
    for i, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return i
    return min(len(one), len(other))
