"""The bookkeeping of a key-value pool."""

import pytest

from models.errors import EngineBusy, EngineError
from models.llama_pool import Pool, Seat


class FakeCells:
    """Notes what is asked of the context."""

    def __init__(self, *, can_share: bool = True, can_cut: bool = True) -> None:
        self.can_share = can_share
        self.can_cut = can_cut
        self.shared: list[tuple[int, int, int]] = []

    def cut(self, _sequence: int, position: int) -> int:
        return position if self.can_cut else 0

    def share(self, source: int, target: int, length: int) -> None:
        self.shared.append((source, target, length))


def run(pool: Pool, conversation: str, tokens: list[int], more: int = 0) -> Seat:
    """Serve one request to its end."""
    seat, turn = pool.begin(conversation, tokens, more)
    pool.extend(seat, tokens[len(seat.tokens) :])
    pool.finish(seat, turn)
    return seat


def test_the_common_beginning_stays() -> None:
    pool = Pool(FakeCells(), 100, 2)
    run(pool, "a", [1, 2, 3, 4])
    seat, _ = pool.begin("a", [1, 2, 9, 9], 0)
    assert seat.tokens == [1, 2]


def test_the_last_token_is_always_evaluated() -> None:
    pool = Pool(FakeCells(), 100, 2)
    run(pool, "a", [1, 2, 3])
    seat, _ = pool.begin("a", [1, 2, 3], 0)
    assert seat.tokens == [1, 2]


def test_a_newcomer_shares_the_longest_beginning() -> None:
    cells = FakeCells()
    pool = Pool(cells, 100, 3)
    run(pool, "a", [1, 2, 3])
    other = run(pool, "b", [1, 2, 3, 4, 5])
    new = run(pool, "c", [1, 2, 3, 4, 6])
    assert cells.shared[-1] == (other.sequence, new.sequence, 4)


def test_shared_cells_count_once() -> None:
    pool = Pool(FakeCells(), 12, 4)
    for name, last in (("a", 7), ("b", 8), ("c", 9)):
        run(pool, name, [1, 2, 3, 4, 5, 6, 6, 6, last])
    assert pool._used() == 11


def test_a_model_that_cannot_be_cut_starts_over() -> None:
    cells = FakeCells(can_share=False, can_cut=False)
    pool = Pool(cells, 100, 2)
    run(pool, "a", [1, 2, 3])
    seat, _ = pool.begin("a", [1, 2, 4], 0)
    assert seat.tokens == []
    run(pool, "b", [1, 2, 3])
    assert cells.shared == []


def test_the_longest_unused_conversation_makes_room() -> None:
    pool = Pool(FakeCells(), 10, 3)
    first = run(pool, "a", [1, 1, 1, 1])
    second = run(pool, "b", [2, 2, 2, 2])
    run(pool, "c", [3, 3, 3, 3])
    assert first.turn == 2
    assert second.turn == 1


def test_running_conversations_are_not_evicted() -> None:
    pool = Pool(FakeCells(), 10, 3)
    pool.begin("a", [1, 1, 1, 1], 4)
    with pytest.raises(EngineBusy):
        pool.begin("b", [2, 2, 2, 2], 0)


def test_more_conversations_than_sequences_take_turns() -> None:
    pool = Pool(FakeCells(), 100, 1)
    run(pool, "a", [1, 2])
    assert run(pool, "b", [3, 4]).tokens == [3, 4]
    pool.begin("c", [5, 6], 0)
    with pytest.raises(EngineBusy):
        pool.begin("d", [7, 8], 0)


def test_what_can_never_fit_is_an_error() -> None:
    with pytest.raises(EngineError, match="do not fit"):
        Pool(FakeCells(), 10, 1).begin("a", [1] * 8, 3)
