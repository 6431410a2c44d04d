"""`offhook agents`, `offhook deployments`: documents of a running node, as JSON files."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from server.commands.ask import ask, ask_list, at
from server.commands.options import (
    LOCAL,
    JsonOption,
    KeyOption,
    LimitOption,
    UrlOption,
    fail,
    read_file,
)
from server.commands.output import show_json, show_one, show_rows

FileArgument = Annotated[Path, typer.Argument(help="A JSON object as in docs/api.md; - for stdin.")]
NameArgument = Annotated[str, typer.Argument(help="Its id or name.")]


def document_commands(kind: str, what: str, columns: Sequence[str]) -> typer.Typer:
    """The commands of one kind of document."""
    app = typer.Typer(help=what, no_args_is_help=True)
    path = f"/v1/{kind}s"

    @app.command("list", help=f"The {kind}s, newest first.")
    def list_(
        limit: LimitOption = 100,
        as_json: JsonOption = False,
        url: UrlOption = LOCAL,
        key: KeyOption = "",
    ) -> None:
        show_rows(ask_list(url, key, path, limit), columns, as_json)

    @app.command(help=f"One {kind}, as JSON.")
    def show(name: NameArgument, url: UrlOption = LOCAL, key: KeyOption = "") -> None:
        show_json(find(url, key, path, name))

    @app.command(help=f"Keep the {kind} in a file; one of the same name is replaced.")
    def put(
        file: FileArgument,
        as_json: JsonOption = False,
        url: UrlOption = LOCAL,
        key: KeyOption = "",
    ) -> None:
        try:
            body = json.loads(read_file(file))
        except ValueError as error:
            raise fail(f"{file}: {error}") from error
        if not isinstance(body, dict) or not isinstance(body.get("name"), str):
            raise fail(f"{file}: not a JSON object with a name")
        kept = keep(url, key, path, body)
        show_one(kept if as_json else {"id": kept["id"], "name": kept["name"]}, as_json)

    @app.command(help=f"Delete a {kind}.")
    def delete(name: NameArgument, url: UrlOption = LOCAL, key: KeyOption = "") -> None:
        found = find(url, key, path, name)
        ask(url, key, "DELETE", at(path, found["id"]))
        typer.echo(f"{found['name']} is deleted")

    return app


def keep(url: str, key: str, path: str, body: dict[str, Any]) -> Any:
    """Replace the document of that name, or make one."""
    same = [one for one in _all(url, key, path) if one["name"] == body["name"]]
    if same:
        return ask(url, key, "PUT", at(path, same[0]["id"]), body)
    return ask(url, key, "POST", path, body)


def find(url: str, key: str, path: str, name: str) -> Any:
    """The document of this id or name, or the end of the command."""
    found = [one for one in _all(url, key, path) if name in (one["id"], one["name"])]
    if not found:
        raise fail(f"not-found: nothing has the id or name {name}", status=1)
    return found[0]


def _all(url: str, key: str, path: str) -> list[Any]:
    return ask_list(url, key, path, limit=10_000)


agents = document_commands("agent", "Agents of a running node.", ("id", "name", "agent_name"))
deployments = document_commands(
    "deployment", "Deployments of a running node.", ("id", "name", "number", "trunk", "playbook")
)
