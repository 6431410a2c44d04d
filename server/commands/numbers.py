"""`offhook do-not-call`: numbers that are never called."""

from pathlib import Path
from typing import Annotated

import typer

from server.commands.ask import ask, ask_list, at
from server.commands.options import (
    FAILED,
    LOCAL,
    JsonOption,
    KeyOption,
    LimitOption,
    UrlOption,
    read_file,
)
from server.commands.output import show_json, show_rows

app = typer.Typer(help="Numbers that are never called.", no_args_is_help=True)
PATH = "/v1/do-not-call"
LINES = 500
"""In one request, which may hold 64 KB."""
NumberArgument = Annotated[str, typer.Argument(help="E.164, such as +14165550123.")]


@app.command()
def add(
    number: NumberArgument,
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    url: UrlOption = LOCAL,
    key: KeyOption = "",
) -> None:
    """Never call a number again."""
    entry = ask(url, key, "POST", PATH, {"number": number, "reason": reason})
    typer.echo(f"{entry['number']} is on the list")


@app.command()
def remove(number: NumberArgument, url: UrlOption = LOCAL, key: KeyOption = "") -> None:
    """Take a number off the list."""
    ask(url, key, "DELETE", at(PATH, number))
    typer.echo(f"{number} may be called")


@app.command("list")
def list_numbers(
    limit: LimitOption = 1000,
    as_json: JsonOption = False,
    url: UrlOption = LOCAL,
    key: KeyOption = "",
) -> None:
    """The numbers in order."""
    columns = ("number", "reason", "created_at")
    show_rows(ask_list(url, key, PATH, limit), columns, as_json)


@app.command("import")
def take_in(
    file: Annotated[Path, typer.Argument(help="CSV: number, reason; - for standard input.")],
    as_json: JsonOption = False,
    url: UrlOption = LOCAL,
    key: KeyOption = "",
) -> None:
    """Put the numbers of a file on the list. Exits 1 where a line holds none; the others count."""
    lines = read_file(file).splitlines()
    told = {"added": 0, "present": 0}
    rejected = []
    for start in range(0, len(lines), LINES):
        part = "\n".join(lines[start : start + LINES])
        if not part.strip():
            continue
        answer = ask(url, key, "POST", f"{PATH}/import", {"csv": part})
        told = {name: told[name] + answer[name] for name in told}
        rejected += [{**bad, "line": bad["line"] + start} for bad in answer["rejected"]]
    if as_json:
        show_json({**told, "rejected": rejected})
    else:
        typer.echo(f"{told['added']} added, {told['present']} on the list before")
        for bad in rejected:
            typer.echo(f"line {bad['line']}: {bad['error']}")
    raise typer.Exit(FAILED if rejected else 0)
