"""What a measurement came to: percentiles, the machine it ran on, and how to run it again."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

_VERSIONED = ("offhook", "numpy", "uvloop", "onnxruntime", "ctranslate2", "faster-whisper")


@dataclass(frozen=True, slots=True)
class Distribution:
    """Samples of one quantity, summed up."""

    p50: float
    p95: float
    max: float
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Distribution:
        """Sum up at least one sample."""
        p50, p95 = (float(p) for p in np.percentile(values, (50, 95)))
        return cls(round(p50, 2), round(p95, 2), round(float(max(values)), 2), len(values))


@dataclass(frozen=True, slots=True)
class Measure:
    """One line of a report."""

    name: str
    """With its number in the list of measures: `M1 voice-to-voice`."""
    unit: str
    values: Sequence[float]
    reach: str = ""
    """What is aimed at, in words."""

    @property
    def distribution(self) -> Distribution | None:
        """Its percentiles; None when there are no samples."""
        return Distribution.of(self.values) if len(self.values) else None


@dataclass(frozen=True, slots=True)
class Report:
    """All that one bench found."""

    bench: str
    measures: Sequence[Measure]
    counts: Mapping[str, float] = field(default_factory=dict)
    """Single numbers, by name."""
    notes: Sequence[str] = ()
    seed: int = 1
    command: str = field(default_factory=lambda: " ".join(["offhook", *sys.argv[1:]]))

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON has it, samples included."""
        return {
            "bench": self.bench,
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "command": self.command,
            "seed": self.seed,
            "machine": machine(),
            "measures": [_measure(measure) for measure in self.measures],
            "counts": dict(self.counts),
            "notes": list(self.notes),
        }

    def write(self, path: Path) -> None:
        """Write it as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.as_dict(), indent=2, ensure_ascii=False), "utf-8")

    def show(self, console: Console) -> None:
        """Print it as a table."""
        table = Table(box=box.SIMPLE_HEAD, title=self.bench, title_justify="left", pad_edge=False)
        table.add_column("measure")
        for column in ("p50", "p95", "max", "n"):
            table.add_column(column, justify="right")
        table.add_column("unit")
        table.add_column("aim", style="bright_black")
        for measure in self.measures:
            found = measure.distribution
            if found is None:
                table.add_row(measure.name, "–", "–", "–", "0", measure.unit, measure.reach)
                continue
            numbers = (f"{x:.1f}" for x in (found.p50, found.p95, found.max))
            table.add_row(measure.name, *numbers, str(found.n), measure.unit, measure.reach)
        console.print(table)
        for name, value in self.counts.items():
            console.print(Text(f"  {name}: ", style="bright_black").append(f"{value:g}"))
        for note in self.notes:
            console.print(Text(f"  {note}", style="bright_black"))
        here = machine()
        console.print(
            Text(
                f"  {here['cores']} cores, {here['cpu']}, Python {here['python']}; "
                f"seed {self.seed}; {self.command}\n",
                style="bright_black",
            )
        )


def machine() -> dict[str, Any]:
    """Cores, processor and versions of what took part."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "cpu": _cpu(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": {name: found for name in _VERSIONED if (found := _version(name))},
    }


def _measure(measure: Measure) -> dict[str, Any]:
    found = measure.distribution
    numbers = (
        {}
        if found is None
        else {"p50": found.p50, "p95": found.p95, "max": found.max, "n": found.n}
    )
    return {
        "name": measure.name,
        "unit": measure.unit,
        **numbers,
        "reach": measure.reach,
        "samples": [round(float(value), 3) for value in measure.values],
    }


def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
