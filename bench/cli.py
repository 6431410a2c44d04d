"""`offhook bench`: measures on the wire, each a table, a JSON file and a picture."""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated

import typer
import uvloop
from rich.console import Console

from bench import bargein, density, latency, throughput
from bench.errors import BenchError
from bench.report import Report
from server.errors import ServerError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Measure latency, barge-in and density on real packets on this machine.",
)

Bench = Callable[[bool, int, Path], Awaitable[Report]]
Quick = Annotated[bool, typer.Option("--quick", help="At most a minute for each.")]
Json = Annotated[Path | None, typer.Option("--json", help="Write the report here as JSON.")]
Out = Annotated[Path, typer.Option("--out", help="Folder of the pictures.")]
Seed = Annotated[int, typer.Option("--seed")]

_BENCHES: dict[str, Bench] = {
    "latency": latency.run,
    "bargein": bargein.run,
    "density": density.run,
    "requests": throughput.run,
}


@app.command("latency")
def latency_command(
    quick: Quick = False, json: Json = None, out: Out = Path("out/bench"), seed: Seed = 1
) -> None:
    """Voice to voice, orchestration, first word, dialling (M1, M2, M5, M15)."""
    _run(["latency"], quick, json, out, seed)


@app.command("bargein")
def bargein_command(
    quick: Quick = False, json: Json = None, out: Out = Path("out/bench"), seed: Seed = 1
) -> None:
    """Onset of their speech to our silence, and false stops (M3)."""
    _run(["bargein"], quick, json, out, seed)


@app.command("density")
def density_command(
    quick: Quick = False, json: Json = None, out: Out = Path("out/bench"), seed: Seed = 1
) -> None:
    """Calls that one core carries (M6)."""
    _run(["density"], quick, json, out, seed)


@app.command("requests")
def requests_command(
    quick: Quick = False, json: Json = None, out: Out = Path("out/bench"), seed: Seed = 1
) -> None:
    """Placing calls while ten others talk, and what it does to these."""
    _run(["requests"], quick, json, out, seed)


@app.command("all")
def all_command(
    quick: Quick = False, json: Json = None, out: Out = Path("out/bench"), seed: Seed = 1
) -> None:
    """One after the other."""
    _run(list(_BENCHES), quick, json, out, seed)


def _run(names: list[str], quick: bool, target: Path | None, out: Path, seed: int) -> None:
    console = Console(highlight=False)
    reports: list[Report] = []
    failed = False
    for name in names:
        try:
            report = uvloop.run(_report(_BENCHES[name], quick, seed, out))
        except (BenchError, ServerError, OSError, TimeoutError) as error:
            print(f"{name}: {error or type(error).__name__}", file=sys.stderr)
            failed = True
            continue
        report.write(out / f"{name}.json")
        report.show(console)
        reports.append(report)
    console.print(f"pictures and samples: {out}/", style="bright_black")
    if target is not None:
        target.parent.mkdir(parents=True, exist_ok=True)
        found = [report.as_dict() for report in reports]
        target.write_text(json.dumps(found[0] if len(names) == 1 and found else found, indent=2))
    if failed:
        raise typer.Exit(1)


async def _report(bench: Bench, quick: bool, seed: int, out: Path) -> Report:
    return await bench(quick, seed, out)
