"""`offhook playbook`: check a file, keep it in a node."""

from pathlib import Path
from typing import Annotated

import typer

from server.commands.ask import ask, ask_list, at
from server.commands.documents import NameArgument, find, keep
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

app = typer.Typer(help="Playbooks: scripts in markdown.", no_args_is_help=True)
PATH = "/v1/playbooks"
FileArgument = Annotated[Path, typer.Argument(help="Markdown; - for standard input.")]


@app.command()
def check(file: FileArgument, as_json: JsonOption = False) -> None:
    """Say how a playbook is understood. Exits 1 where something is odd."""
    from pipeline.check import check_playbook

    found = check_playbook(read_file(file))
    scripts = [
        {"script": one.name, "facts": list(one.facts), "branches": one.branches}
        for one in found.scripts
    ]
    if as_json:
        show_json({"scripts": scripts, "warnings": list(found.warnings)})
    else:
        show_rows(scripts, ("script", "facts", "branches"), as_json)
        for warning in found.warnings:
            typer.echo(f"warning: {warning}")
    raise typer.Exit(FAILED if found.warnings else 0)


@app.command("list")
def list_playbooks(
    limit: LimitOption = 100,
    as_json: JsonOption = False,
    url: UrlOption = LOCAL,
    key: KeyOption = "",
) -> None:
    """The playbooks of a running node."""
    show_rows(ask_list(url, key, PATH, limit), ("id", "name", "scripts"), as_json)


@app.command()
def show(name: NameArgument, url: UrlOption = LOCAL, key: KeyOption = "") -> None:
    """One playbook, to the letter."""
    typer.echo(find(url, key, PATH, name)["markdown"], nl=False)


@app.command()
def put(
    file: FileArgument,
    name: Annotated[str | None, typer.Option(help="The file's, where absent.")] = None,
    url: UrlOption = LOCAL,
    key: KeyOption = "",
) -> None:
    """Keep a playbook in a running node; one of the same name is replaced."""
    kept = keep(url, key, PATH, {"name": name or file.stem, "markdown": read_file(file)})
    typer.echo(f"{kept['id']} {kept['name']}: {', '.join(kept['scripts']) or 'no scripts'}")
    for warning in kept["warnings"]:
        typer.echo(f"warning: {warning}")


@app.command()
def delete(name: NameArgument, url: UrlOption = LOCAL, key: KeyOption = "") -> None:
    """Delete a playbook."""
    found = find(url, key, PATH, name)
    ask(url, key, "DELETE", at(PATH, found["id"]))
    typer.echo(f"{found['name']} is deleted")
