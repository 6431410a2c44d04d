import asyncio
from typing import Any

import pytest

from media.clock import Clock, Lateness
from tests.virtual_time import run, virtual_loop


def test_ticks_are_20_ms_apart_and_never_drift() -> None:
    async def main() -> None:
        loop, ticks = virtual_loop(), []
        start = loop.time()
        clock = Clock(loop)
        clock.add(lambda now: ticks.append((now, loop.time())))
        await asyncio.sleep(3600.01)
        assert len(ticks) == 180_000
        assert ticks[-1][0] == pytest.approx(start + 3600, abs=1e-6)
        assert max(at - due for due, at in ticks) < 1e-6

    run(main())


def test_every_leg_is_called_on_the_same_tick() -> None:
    async def main() -> None:
        one: list[float] = []
        two: list[float] = []
        clock = Clock(virtual_loop())
        clock.add(one.append)
        await asyncio.sleep(0.03)
        clock.add(two.append)
        await asyncio.sleep(0.04)
        assert one[1:] == two

    run(main())


def test_a_removed_leg_is_called_no_more_and_the_beat_stops_with_the_last() -> None:
    async def main() -> None:
        ticks: list[float] = []
        clock = Clock(virtual_loop())
        clock.add(ticks.append)
        await asyncio.sleep(0.05)
        clock.remove(ticks.append)
        await asyncio.sleep(1)
        assert len(ticks) == 2
        assert clock.lateness.total == 2

    run(main())


def test_a_leg_added_after_a_pause_starts_a_new_beat() -> None:
    async def main() -> None:
        ticks: list[float] = []
        clock = Clock(virtual_loop())
        clock.add(ticks.append)
        clock.remove(ticks.append)
        await asyncio.sleep(10)
        clock.add(ticks.append)
        await asyncio.sleep(0.05)
        assert len(ticks) == 2
        assert clock.resyncs == 0

    run(main())


def test_a_few_missed_ticks_are_made_good_in_one_go_and_the_beat_is_kept() -> None:
    async def main() -> None:
        loop = virtual_loop()
        ticks: list[float] = []
        start = loop.time()
        clock = Clock(loop)
        clock.add(ticks.append)
        loop.stall(0.09)
        await asyncio.sleep(0.025)
        expected = [start + n * 0.02 for n in range(1, 6)]
        assert ticks == pytest.approx(expected)
        assert clock.resyncs == 0
        assert clock.lateness.max_ms == pytest.approx(70)

    run(main())


def test_a_long_stall_causes_no_burst_beyond_five_and_is_counted() -> None:
    async def main() -> None:
        loop = virtual_loop()
        ticks: list[float] = []
        clock = Clock(loop)
        clock.add(ticks.append)
        loop.stall(2.0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert len(ticks) == 5
        assert clock.resyncs == 1
        await asyncio.sleep(0.021)
        assert ticks[5] == pytest.approx(loop.time() - 0.001)

    run(main())


def test_a_leg_that_fails_does_not_stop_the_others() -> None:
    async def main() -> None:
        loop = virtual_loop()
        faults: list[Any] = []
        ticks: list[float] = []
        loop.set_exception_handler(lambda _, context: faults.append(context["exception"]))

        def broken(now: float) -> None:
            raise ValueError("broken")

        clock = Clock(loop)
        clock.add(broken)
        clock.add(ticks.append)
        await asyncio.sleep(0.05)
        assert len(ticks) == len(faults) == 2

    run(main())


def test_percentiles_of_lateness_are_upper_edges_of_quarter_milliseconds() -> None:
    lateness = Lateness()
    for _ in range(98):
        lateness.add(0.1)
    lateness.add(7.1)
    lateness.add(500.0)
    assert (lateness.p50_ms, lateness.p99_ms, lateness.max_ms) == (0.25, 7.25, 500.0)


def test_no_ticks_have_no_lateness() -> None:
    assert Lateness().p99_ms == 0.0
