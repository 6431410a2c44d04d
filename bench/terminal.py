"""The demo on a terminal: the call as it goes, then what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

_CALLEE, _AGENT, _QUIET = "cyan", "magenta", "bright_black"
_VERDICTS: dict[Any, tuple[str, str]] = {True: ("success", "green"), False: ("no success", "red")}
_WIDE = 110
"""Columns from which the two tables stand side by side."""
_STAGES = (
    ("voice_to_voice_ms", "voice to voice"),
    ("endpoint_ms", "end of turn"),
    ("stt_ms", "recogniser"),
    ("llm_first_token_ms", "brain"),
    ("tts_first_audio_ms", "voice"),
    ("barge_in_ms", "barge-in"),
)


class CallView:
    """Prints the events of one call as they come."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._latency_ms: float | None = None

    def show(self, event: Mapping[str, Any], after_s: float) -> None:
        """Show one event of the API's stream; `after_s`: seconds since the request."""
        data = event.get("data") or {}
        match event.get("type"):
            case "status":
                self._status(str(data.get("status", "")), after_s)
            case "reply":
                self._latency_ms = (data.get("latency") or {}).get("voice_to_voice_ms")
            case "interruption":
                self._note(f"silent {data['barge_in_ms']:.0f} ms after they broke in")
            case "transcript.final":
                self._turn(data)
            case "tool.called":
                self._note(f"tool {data.get('name')} {_arguments(data.get('arguments') or {})}")
            case "dtmf.received":
                self._note(f"key {data.get('digit')}")
            case _:
                pass

    def _status(self, status: str, after_s: float) -> None:
        signs = {"queued": "dialling", "ringing": "ringing", "in-progress": "answered"}
        if status in signs:
            line = Text(f"{after_s:6.1f} s  ", style=_QUIET).append(signs[status], style="bold")
            self._console.print(line)

    def _turn(self, message: Mapping[str, Any]) -> None:
        words = str(message.get("content") or "").strip()
        if not words:
            return
        agent = message.get("role") == "assistant"
        grid = Table.grid(padding=(0, 1), expand=True)
        grid.add_column(width=8, justify="right", style=_QUIET)
        grid.add_column(width=7, justify="right")
        grid.add_column(ratio=1)
        grid.add_column(width=9, justify="right", style="yellow")
        colour = _AGENT if agent else _CALLEE
        cut = " [dim]… cut off[/dim]" if message.get("interrupted") else ""
        latency = f"{self._latency_ms:.0f} ms" if agent and self._latency_ms is not None else ""
        grid.add_row(
            f"{float(message.get('start_s') or 0):.1f} s",
            Text("agent" if agent else "callee", style=f"bold {colour}"),
            Text(words, style=colour).append_text(Text.from_markup(cut)),
            latency,
        )
        self._console.print(grid)
        if agent:
            self._latency_ms = None

    def _note(self, words: str) -> None:
        self._console.print(Padding(Text(words, style="red"), (0, 0, 0, 17)))


def show_report(
    console: Console,
    call: Mapping[str, Any],
    misses: Sequence[str],
    files: Mapping[str, Path],
) -> None:
    """Print the verdict with its evidence, the measures and where the files are."""
    console.print()
    console.print(_verdict(call))
    latency, quality = _latency(call), _quality(call)
    tables = [table for table in (latency, quality) if table is not None]
    if console.width >= _WIDE:
        measures = Table.grid(padding=(0, 4))
        measures.add_row(*tables)
        console.print(measures)
    else:
        console.print(*tables, sep="\n")
    for name, path in files.items():
        console.print(Text(f"{name:>10}  ", style=_QUIET).append(str(path), style="default"))
    console.print()
    if misses:
        for miss in misses:
            console.print(Text(f"✗ {miss}", style="bold red"))
    else:
        console.print(Text("✓ the call went as its scenario expects", style="bold green"))


def _verdict(call: Mapping[str, Any]) -> Panel:
    outcome = call.get("outcome") or {}
    head = Text()
    word, colour = _VERDICTS.get(outcome.get("success"), ("no verdict", "yellow"))
    head.append(word, style=f"bold {colour}")
    for part in (disposition(call), call.get("ended_reason"), _answered_by(call)):
        if part:
            head.append("  ·  ", style=_QUIET).append(str(part).replace("_", " "))
    body = Table.grid(padding=(0, 1))
    body.add_column(width=1)
    body.add_column()
    body.add_column(style="italic")
    for criterion in outcome.get("criteria") or ():
        met = criterion.get("met")
        evidence = criterion.get("evidence")
        body.add_row(
            Text("✓" if met else "✗", style="green" if met else "red"),
            Text(str(criterion.get("text", ""))),
            Text(f"“{evidence}”" if evidence else "", style=_CALLEE),
        )
    whole = Table.grid(padding=(0, 0))
    whole.add_row(head)
    if call.get("summary"):
        whole.add_row(Text(str(call["summary"])))
    whole.add_row(body)
    return Panel(whole, title="verdict", title_align="left", border_style=colour, padding=(0, 1))


def _answered_by(call: Mapping[str, Any]) -> str:
    who = call.get("answered_by")
    return f"answered by a {who}" if who in ("human", "machine") else ""


def disposition(call: Mapping[str, Any]) -> str | None:
    """How the call went, in one word of the analysis."""
    value = (call.get("analysis") or {}).get("disposition")
    return None if value is None else str(value)


def _latency(call: Mapping[str, Any]) -> Table | None:
    stages = call.get("latency") or {}
    if not stages:
        return None
    table = Table(box=box.SIMPLE_HEAD, title="latency, ms", title_justify="left", pad_edge=False)
    table.add_column("stage")
    for column in ("p50", "p95", "max", "n"):
        table.add_column(column, justify="right")
    for stage, name in _STAGES:
        if stage in stages:
            values = stages[stage]
            table.add_row(name, *(f"{values[c]:.0f}" for c in ("p50", "p95", "max", "n")))
    return table


def _quality(call: Mapping[str, Any]) -> Table | None:
    directions = call.get("quality") or {}
    if not directions:
        return None
    table = Table(box=box.SIMPLE_HEAD, title="media quality", title_justify="left", pad_edge=False)
    table.add_column("direction")
    for column in ("packets", "loss", "jitter ms", "MOS"):
        table.add_column(column, justify="right")
    for direction, values in directions.items():
        loss = values.get("loss")
        table.add_row(
            direction,
            _number(values.get("packets"), ".0f"),
            "–" if loss is None else f"{100 * loss:.2f} %",
            _number(values.get("jitter_ms"), ".2f"),
            _number(values.get("mos"), ".2f"),
        )
    return table


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)


def _arguments(arguments: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in arguments.items())
