from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.jitter import Gap, Item, JitterBuffer
from media.rtp import RtpPacket

WAIT_S = 0.06


def packet(seq: int, ssrc: int = 1, rtp_ts: int | None = None) -> RtpPacket:
    stamp = seq * 160 if rtp_ts is None else rtp_ts
    return RtpPacket(0, seq & 0xFFFF, stamp & 0xFFFFFFFF, ssrc, seq.to_bytes(4, "big"))


def numbers(items: Sequence[Item]) -> list[int | Gap]:
    return [
        item if isinstance(item, Gap) else int.from_bytes(item.payload, "big") for item in items
    ]


def push(buffer: JitterBuffer, seq: int, now: float) -> list[int | Gap]:
    return numbers(buffer.push(packet(seq), now))


def test_a_packet_in_order_is_released_at_once() -> None:
    buffer = JitterBuffer()
    assert [push(buffer, seq, seq * 0.02) for seq in (5, 6, 7)] == [[5], [6], [7]]


def test_a_packet_behind_a_gap_waits_and_follows_the_one_it_waited_for() -> None:
    buffer = JitterBuffer()
    push(buffer, 1, 0.0)
    assert push(buffer, 3, 0.02) == []
    assert push(buffer, 2, 0.03) == [2, 3]
    assert buffer.lost == 0


def test_a_gap_is_given_up_after_the_longest_wait() -> None:
    buffer = JitterBuffer()
    push(buffer, 1, 0.0)
    push(buffer, 4, 0.02)
    assert list(buffer.expire(0.02 + WAIT_S - 0.001)) == []
    assert numbers(buffer.expire(0.02 + WAIT_S)) == [Gap(2), 4]
    assert buffer.lost == 2


def test_the_next_packet_enforces_the_deadline_too() -> None:
    buffer = JitterBuffer()
    push(buffer, 1, 0.0)
    push(buffer, 3, 0.02)
    assert push(buffer, 4, 0.09) == [Gap(1), 3, 4]


def test_two_gaps_have_two_deadlines() -> None:
    buffer = JitterBuffer()
    push(buffer, 1, 0.0)
    push(buffer, 3, 0.02)
    push(buffer, 5, 0.06)
    assert numbers(buffer.expire(0.08)) == [Gap(1), 3]
    assert numbers(buffer.expire(0.12)) == [Gap(1), 5]


def test_the_sequence_wraps() -> None:
    buffer = JitterBuffer()
    assert [push(buffer, seq, 0.0) for seq in (65534, 65535, 65536, 65537)] == [
        [65534],
        [65535],
        [65536],
        [65537],
    ]


def test_a_gap_across_the_wrap_is_one_gap() -> None:
    buffer = JitterBuffer()
    push(buffer, 65534, 0.0)
    push(buffer, 65537, 0.02)
    assert numbers(buffer.expire(1.0)) == [Gap(2), 65537]


@pytest.mark.parametrize("copy", [1, 2])
def test_a_duplicate_of_a_played_packet_is_dropped_even_with_nothing_waiting(copy: int) -> None:
    buffer = JitterBuffer()
    push(buffer, 1, 0.0)
    push(buffer, 2, 0.02)
    assert push(buffer, copy, 0.021) == []
    assert (buffer.duplicates, buffer.late) == (1, 0)


def test_a_duplicate_of_a_waiting_packet_is_dropped() -> None:
    buffer = JitterBuffer()
    push(buffer, 1, 0.0)
    push(buffer, 3, 0.02)
    push(buffer, 3, 0.03)
    assert push(buffer, 2, 0.04) == [2, 3]
    assert buffer.duplicates == 1


def test_a_packet_after_its_gap_was_given_up_is_late() -> None:
    buffer = JitterBuffer()
    push(buffer, 1, 0.0)
    push(buffer, 3, 0.02)
    buffer.expire(0.1)
    assert push(buffer, 2, 0.11) == []
    assert (buffer.late, buffer.duplicates) == (1, 0)


def test_a_new_ssrc_starts_afresh_and_releases_what_waited() -> None:
    buffer = JitterBuffer()
    push(buffer, 100, 0.0)
    push(buffer, 102, 0.02)
    released = list(buffer.push(packet(7, ssrc=2), 0.03))
    assert numbers(released) == [Gap(1), 102, 7]
    assert numbers(buffer.push(packet(8, ssrc=2), 0.04)) == [8]


@pytest.mark.parametrize("jump", [10_000, -10_000, -150])
def test_a_large_jump_either_way_is_a_restart_and_not_172_seconds_of_lateness(jump: int) -> None:
    buffer = JitterBuffer()
    push(buffer, 20_000, 0.0)
    assert push(buffer, 20_000 + jump, 0.02) == [20_000 + jump]
    assert push(buffer, 20_001 + jump, 0.04) == [20_001 + jump]


def test_a_small_step_back_with_a_running_timestamp_is_a_restart() -> None:
    buffer = JitterBuffer()
    for seq in range(50):
        push(buffer, seq, seq * 0.02)
    released = [list(buffer.push(packet(seq, rtp_ts=(50 + seq) * 160), 1.0)) for seq in range(3)]
    assert [numbers(items) for items in released] == [[0], [1], [2]]


def test_a_small_step_back_with_an_older_timestamp_recovers_within_ten_packets() -> None:
    buffer = JitterBuffer()
    for seq in range(1000, 1050):
        push(buffer, seq, 0.0)
    heard = [bool(buffer.push(packet(seq, rtp_ts=seq), 1.0)) for seq in range(1000, 1020)]
    assert heard == [False] * 9 + [True] * 11


def test_contiguous_packets_with_a_timestamp_jump_have_no_gap() -> None:
    buffer = JitterBuffer()
    push(buffer, 1, 0.0)
    assert list(buffer.push(packet(2, rtp_ts=160_000), 20.0)) == [packet(2, rtp_ts=160_000)]
    assert buffer.lost == 0


def test_a_flood_behind_a_gap_does_not_grow_without_bound() -> None:
    buffer = JitterBuffer()
    push(buffer, 0, 0.0)
    released = [number for seq in range(2, 200) for number in push(buffer, seq, 0.001)]
    assert released == [Gap(1), *range(2, 200)]


TICKS = 1024
"""Steps per second, a power of two so that deadlines are exact; the buffer waits 64 of them."""
WAIT_TICKS = 64

fates = st.lists(
    st.tuples(st.integers(0, 9).map(bool), st.integers(0, 200), st.booleans()),
    min_size=1,
    max_size=60,
)
"""Per packet: whether it arrives, after how many ticks, and whether twice."""


def deliver(first: int, arrivals: list[tuple[int, int]]) -> list[tuple[int | Gap, int]]:
    """Everything a buffer releases, with its tick, deadlines kept on every tick."""
    buffer = JitterBuffer(max_wait_ms=WAIT_TICKS / TICKS * 1000)
    released: list[tuple[int | Gap, int]] = []
    for tick in range(arrivals[-1][0] + WAIT_TICKS + 1):
        released += [(item, tick) for item in numbers(buffer.expire(tick / TICKS))]
        for at, index in arrivals:
            if at == tick:
                released += [(item, tick) for item in push(buffer, first + index, tick / TICKS)]
    return released


def flat(items: list[int | Gap]) -> list[int | None]:
    """One entry per packet, None for a missing one."""
    entries: list[int | None] = []
    for item in items:
        entries += [None] * item.frames if isinstance(item, Gap) else [item]
    return entries


@settings(max_examples=200, deadline=None)
@given(first=st.sampled_from([0, 1000, 65520]), fates=fates)
def test_out_comes_the_sequence_with_gaps_exactly_where_packets_never_came_in_time(
    first: int, fates: list[tuple[bool, int, bool]]
) -> None:
    came_at = {i: i * 20 + delay for i, (arrives, delay, _) in enumerate(fates) if arrives}
    copies = [(at + 7, i) for i, at in came_at.items() if fates[i][2]]
    arrivals = sorted([*((at, i) for i, at in came_at.items()), *copies])
    if not arrivals:
        return
    begin = arrivals[0][1]
    expected: list[int | None] = []
    for i in range(begin, max(came_at) + 1):
        given_up = min((at for j, at in came_at.items() if j > i), default=1 << 30) + WAIT_TICKS
        expected.append(first + i if came_at.get(i, given_up) < given_up else None)

    released = deliver(first, arrivals)

    assert flat([item for item, _ in released]) == expected
    for item, tick in released:
        assert isinstance(item, Gap) or tick - came_at[item - first] <= WAIT_TICKS
