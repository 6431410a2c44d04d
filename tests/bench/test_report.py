"""The numbers of a report and the way they are told."""

import json
from pathlib import Path

import pytest
from rich.console import Console

from bench.report import Distribution, Measure, Report


def test_percentiles_of_known_samples() -> None:
    found = Distribution.of([float(n) for n in range(1, 101)])
    assert found == Distribution(p50=50.5, p95=95.05, max=100.0, n=100)


def test_no_samples_have_no_percentiles() -> None:
    assert Measure("M1", "ms", []).distribution is None


def report() -> Report:
    measures = [Measure("M1 voice-to-voice", "ms", [400.0, 420.0], "p50 ≤ 500")]
    return Report("latency", measures, {"calls": 2}, ("a note",), seed=7, command="offhook bench")


def test_the_json_holds_machine_command_seed_and_samples(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "latency.json"
    report().write(path)
    found = json.loads(path.read_text("utf-8"))
    assert found["seed"] == 7
    assert found["command"] == "offhook bench"
    assert found["machine"]["cores"] >= 1
    assert found["measures"][0]["samples"] == [400.0, 420.0]
    assert found["measures"][0]["p50"] == pytest.approx(410)


def test_the_table_shows_every_measure() -> None:
    console = Console(width=120, record=True, quiet=False, file=None)
    with console.capture() as captured:
        report().show(console)
    assert "M1 voice-to-voice" in captured.get()
    assert "410.0" in captured.get()
