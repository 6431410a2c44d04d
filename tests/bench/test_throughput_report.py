"""What windows of known content come to."""

import json
from collections import Counter
from pathlib import Path

import pytest

from bench.placing import Load
from bench.process_time import ProcessTime
from bench.report import Report
from bench.throughput_report import ROUND, Kind, Window, draw, ratios, report


def window(kind: Kind, late_ms: float, answers: int, cpu_s: float) -> Window:
    """Two seconds, and one to settle in which the node does as much again as in a second."""
    load = Load(answers, [5.0] * answers, Counter({"overloaded": 1} if answers else {}))
    late = [late_ms] * 200
    return Window(
        kind,
        2.0,
        load,
        ProcessTime(cpu_s, 0.5),
        3.0,
        ProcessTime(1.5 * cpu_s, 0.7),
        late,
        late,
        1,
        [0.1] * 200,
    )


WINDOWS = [
    window("no requests", 2.0, 0, 0.2),
    window("dialled at once", 6.0, 100, 0.8),
    window("no requests", 4.0, 0, 0.2),
    window("scheduled", 4.0, 200, 0.6),
]


@pytest.fixture
def found() -> Report:
    return report(WINDOWS, calls=10, clients=4, seed=3)


def test_a_round_is_what_the_windows_here_are() -> None:
    assert tuple(each.kind for each in WINDOWS) == ROUND


def test_each_loaded_window_is_held_against_the_quiet_one_before_it() -> None:
    assert ratios(WINDOWS, "dialled at once") == [pytest.approx(3)]
    assert ratios(WINDOWS, "scheduled") == [pytest.approx(1)]


def test_requests_per_second_and_their_cpu_are_told_for_each_kind(found: Report) -> None:
    assert found.counts["dialled at once: requests per second"] == 50
    assert found.counts["scheduled: requests per second"] == 100
    assert found.counts["dialled at once: node's CPU per request, ms"] == pytest.approx(9)
    assert found.counts["scheduled: node's CPU per request, ms"] == pytest.approx(3)


def test_refusals_losses_and_waiting_are_told(found: Report) -> None:
    assert found.counts["scheduled: refused as overloaded"] == 1
    assert found.counts["no requests: packets lost"] == 2
    assert found.counts["no requests: node's loop had to wait for a core, % of the time"] == 25


def test_the_report_names_calls_clients_and_versions(found: Report) -> None:
    notes = "\n".join(found.notes)
    for part in ("10 calls", "4 requests at a time", "stub", "aiohttp 3"):
        assert part in notes
    json.dumps(found.as_dict())


def test_one_picture_is_drawn(tmp_path: Path) -> None:
    draw(WINDOWS, tmp_path / "deep" / "requests.png")
    assert (tmp_path / "deep" / "requests.png").read_bytes().startswith(b"\x89PNG")
