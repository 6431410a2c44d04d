"""Punctuality of packets, on arrivals of known answers."""

from collections.abc import Sequence

import numpy as np
import pytest

from bench.arrivals import Arrival, gaps_ms, lateness_ms, lost, within


def leg(
    late_ms: Sequence[float], *, first_seq: int = 65530, first_ts: int = 2**32 - 800
) -> list[Arrival]:
    """Packets of 20 ms, so late each; sequence and clock wrap on the way."""
    return [
        Arrival(1e9 + n * 0.02 + ms / 1000, (first_seq + n) & 0xFFFF, (first_ts + n * 160) % 2**32)
        for n, ms in enumerate(late_ms)
    ]


def test_a_late_packet_is_late_by_its_distance_from_the_schedule() -> None:
    assert lateness_ms(leg([0, 0, 7, 0])) == pytest.approx([0, 0, 7, 0], abs=0.01)


def test_packets_that_stay_late_are_all_late_though_only_one_gap_is_long() -> None:
    arrivals = leg([0, 7, 7, 7])
    assert lateness_ms(arrivals) == pytest.approx([0, 7, 7, 7], abs=0.01)
    assert gaps_ms(arrivals) == pytest.approx([7, 0, 0], abs=0.01)


def test_a_packet_that_catches_up_is_no_negative_gap() -> None:
    assert gaps_ms(leg([0, 30, 10, 0])) == pytest.approx([30, 0, 0], abs=0.01)


def test_a_beat_that_was_set_anew_is_on_time_again_after_a_second() -> None:
    late = lateness_ms(leg([0] * 100 + [13] * 200))
    assert late[100] == pytest.approx(13, abs=0.01)
    assert np.max(late[160:]) == pytest.approx(0, abs=0.01)


def test_a_missing_packet_is_lost_and_makes_nothing_late() -> None:
    arrivals = leg([0] * 20)
    del arrivals[9]
    assert lost(arrivals) == 1
    assert np.max(gaps_ms(arrivals)) == pytest.approx(0, abs=0.01)


def test_a_repeated_packet_is_not_lost() -> None:
    arrivals = leg([0] * 20)
    assert lost(sorted([*arrivals, arrivals[3]], key=lambda a: a.at)) == 0


def test_a_window_holds_what_came_in_it() -> None:
    arrivals = leg([0] * 10)
    assert within(arrivals, arrivals[2].at, arrivals[5].at) == arrivals[2:5]


def test_nothing_arrived_is_nothing_late() -> None:
    assert (len(lateness_ms([])), len(gaps_ms([])), lost([])) == (0, 0, 0)
