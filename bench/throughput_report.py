"""What windows with and without requests came to: a report and a picture."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final, Literal

import numpy as np

from bench import plotting
from bench.placing import Load
from bench.process_time import ProcessTime
from bench.report import Measure, Report

Kind = Literal["no requests", "dialled at once", "scheduled"]
ROUND: Final[tuple[Kind, ...]] = ("no requests", "dialled at once", "no requests", "scheduled")
"""Every window with requests follows one without."""
KINDS: Final[tuple[Kind, ...]] = ("no requests", "dialled at once", "scheduled")
LOADS: Final[tuple[Kind, ...]] = KINDS[1:]
_COLOURS: Final[dict[Kind, str]] = {
    "no requests": plotting.MUTED,
    "dialled at once": plotting.AGENT,
    "scheduled": plotting.LATENCY,
}
_TICK_P99_MS: Final = 10.0
_VERSIONED: Final = ("aiohttp", "sqlalchemy", "dbos")


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time, what was asked in it, and what it did to the calls."""

    kind: Kind
    length_s: float
    load: Load
    used: ProcessTime
    """By the node's process."""
    settled_s: float
    """Its length and the time until the calls it began were refused, and a second more."""
    settled: ProcessTime
    """By the node's process in `settled_s`."""
    lateness_ms: Sequence[float]
    """Of the calls' packets, all legs, against each leg's own schedule."""
    gaps_ms: Sequence[float]
    """By how much the gaps between packets were longer than 20 ms."""
    lost: int
    callee_late_ms: Sequence[float]
    """How late the callee, which runs beside the node, sent its own packets."""

    @property
    def p99_ms(self) -> float:
        """99th percentile of lateness."""
        return _p99(self.lateness_ms)


def report(windows: Sequence[Window], calls: int, clients: int, seed: int) -> Report:
    """Sum up windows that alternate as `ROUND` does."""
    measures = [Measure(f"POST, {kind}", "ms", _answers_ms(windows, kind)) for kind in LOADS]
    for kind in KINDS:
        mine = _of(windows, kind)
        late = _all(window.lateness_ms for window in mine)
        measures += [
            Measure(f"tick lateness, {kind}", "ms", late, "p99 ≤ 10"),
            Measure("   gap beyond 20 ms", "ms", _all(window.gaps_ms for window in mine)),
            Measure(
                "   the callee's own lateness", "ms", _all(window.callee_late_ms for window in mine)
            ),
        ]
    measures += [
        Measure(f"p99 by that of the window before, {kind}", "×", ratios(windows, kind))
        for kind in LOADS
    ]
    return Report(
        "requests",
        measures,
        counts={name: value for kind in KINDS for name, value in _counts(windows, kind).items()},
        notes=(
            f"{calls} calls talk all the while: G.711 both ways, detector and recording on, stub "
            "recogniser, voice and brain",
            f"{clients} requests at a time, the next one as soon as one is answered; dialled at "
            "once: the callee refuses with 486; scheduled: for tomorrow, which is admission and "
            "database alone",
            "lateness: at the callee, by the kernel's stamps, against each leg's own schedule; "
            "callee and clients run beside the node on the same machine",
            ", ".join(f"{name} {version(name)}" for name in _VERSIONED),
        ),
        seed=seed,
    )


def ratios(windows: Sequence[Window], kind: Kind) -> list[float]:
    """The p99 of lateness of each window of this kind, by that of the window before it."""
    return [
        window.p99_ms / max(before.p99_ms, 1e-3)
        for before, window in itertools.pairwise(windows)
        if window.kind == kind
    ]


def _counts(windows: Sequence[Window], kind: Kind) -> dict[str, float]:
    """Single numbers of one kind; CPU per request is what came on top of the calls' own."""
    mine = _of(windows, kind)
    seconds = sum(window.length_s for window in mine)
    found: dict[str, float] = {}
    if kind in LOADS:
        answers = _answers_ms(windows, kind)
        own = _cpu_share(_of(windows, "no requests"))
        more = sum(window.settled.cpu_s - own * window.settled_s for window in mine)
        found["requests per second"] = len(answers) / seconds
        found["p99 of the answer, ms"] = _p99(answers)
        found["node's CPU per request, ms"] = 1000 * more / len(answers)
        refused = sum((window.load.refused for window in mine), Counter[str]())
        found.update({f"refused as {code}": count for code, count in refused.items()})
    waited = sum(window.used.waited_s for window in mine) / seconds
    found["p99 of lateness, ms"] = _p99(_all(window.lateness_ms for window in mine))
    found["node's CPU, % of a core"] = 100 * _cpu_share(mine)
    found["node's loop had to wait for a core, % of the time"] = 100 * waited
    found["packets lost"] = sum(window.lost for window in mine)
    return {f"{kind}: {name}": round(value, 2) for name, value in found.items()}


def _cpu_share(windows: Sequence[Window]) -> float:
    return sum(w.used.cpu_s for w in windows) / sum(w.length_s for w in windows)


def _answers_ms(windows: Sequence[Window], kind: Kind) -> list[float]:
    return _all(window.load.accepted_ms for window in _of(windows, kind))


def _of(windows: Sequence[Window], kind: Kind) -> list[Window]:
    return [window for window in windows if window.kind == kind]


def _all(parts: Iterable[Sequence[float]]) -> list[float]:
    return list(itertools.chain.from_iterable(parts))


def _p99(values: Sequence[float]) -> float:
    return float(np.percentile(values, 99))


def draw(windows: Sequence[Window], path: Path) -> None:
    """Answers on the left, lateness of the calls' packets on the right."""
    made = plotting.figure(10, 4.2)
    left = made.add_axes((0.08, 0.15, 0.38, 0.70))
    for kind in LOADS:
        values = np.sort(_answers_ms(windows, kind))
        seconds = sum(window.length_s for window in _of(windows, kind))
        label = f"{kind}, {len(values) / seconds:.0f} per second"
        share = np.arange(1, len(values) + 1) / len(values)
        left.step(values, share, where="post", color=_COLOURS[kind], linewidth=2.2, label=label)
    left.set_xlim(left=0)
    left.set_ylim(0, 1.02)
    left.legend(frameon=False, fontsize=9, loc="lower right")
    plotting.tidy(left, title="POST to its answer", x="milliseconds", y="share of requests")
    right = made.add_axes((0.58, 0.15, 0.38, 0.70))
    for kind in KINDS:
        late = np.sort(_all(window.lateness_ms for window in _of(windows, kind)))
        later = 100 * (1 - np.arange(len(late)) / len(late))
        right.step(late, later, where="post", color=_COLOURS[kind], linewidth=2.0, label=kind)
    right.axvline(_TICK_P99_MS, color=plotting.ALARM, linewidth=1.2, linestyle=(0, (3, 3)))
    right.axhline(1, color=plotting.ALARM, linewidth=1.2, linestyle=(0, (3, 3)))
    right.set_yscale("log")
    right.set_yticks([100, 10, 1, 0.1], ["100", "10", "1", "0.1"])
    right.set_ylim(0.05, 110)
    right.set_xlim(left=0)
    right.legend(frameon=False, fontsize=9, loc="upper right")
    plotting.tidy(
        right, title="Packets later than that", x="milliseconds behind schedule", y="% of packets"
    )
    plotting.save(made, path)
