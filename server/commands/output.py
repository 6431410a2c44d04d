"""What commands print: a table for people, JSON for programs."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import typer


def show_json(value: object) -> None:
    """One JSON value."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def show_rows(rows: Iterable[Mapping[str, Any]], columns: Sequence[str], as_json: bool) -> None:
    """A list of objects: all of them as JSON, or some of their fields as a table."""
    if as_json:
        show_json(list(rows))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    if not console.is_terminal:
        # Nobody knows how wide the other end of a pipe is; nothing may be cut off there.
        console = Console(highlight=False, width=10_000)
    table = Table(*columns, box=None, header_style="bold")
    for row in rows:
        table.add_row(*(Text(_cell(row.get(name))) for name in columns))
    console.print(table)


def show_one(row: Mapping[str, Any], as_json: bool) -> None:
    """One object: as JSON, or a line for each field that says something."""
    if as_json:
        show_json(row)
        return
    for name, value in row.items():
        if value not in (None, "", [], {}):
            typer.echo(f"{name}: {_cell(value)}")


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return ", ".join(_cell(item) for item in value)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)
