"""`offhook call` and `offhook calls`."""

import asyncio
from typing import Annotated, Any

import typer

from server.commands.ask import ask, ask_list, at
from server.commands.options import (
    FAILED,
    LOCAL,
    JsonOption,
    KeyOption,
    LimitOption,
    UrlOption,
    ended_by,
    fail,
)
from server.commands.output import show_json, show_rows
from server.errors import ServerError

app = typer.Typer(help="Calls of a running node.", no_args_is_help=True)
PATH = "/v1/calls"
CallArgument = Annotated[str, typer.Argument(help="Its id.")]


def call(
    number: Annotated[str, typer.Argument(help="Whom to call, such as +14165550123.")],
    objective: Annotated[str | None, typer.Option(help="What the call is for.")] = None,
    goal: Annotated[str | None, typer.Option(help="The same, for a task with facts.")] = None,
    script: Annotated[str | None, typer.Option(help="A script of the playbook.")] = None,
    fact: Annotated[list[str] | None, typer.Option(help="NAME=VALUE; may be repeated.")] = None,
    agent: Annotated[str | None, typer.Option(help="A stored agent, by id or name.")] = None,
    from_: Annotated[str | None, typer.Option("--from", help="Our number.")] = None,
    url: UrlOption = LOCAL,
    key: KeyOption = "",
) -> None:
    """Place a call through a running node and watch it. Exits 0 on success, 1 without."""
    asked = {"to": number, "from": from_, "agent_id": agent, "objective": objective}
    request: dict[str, object] = {n: value for n, value in asked.items() if value is not None}
    if goal is not None or script is not None or fact:
        request["task"] = _task(goal, script, fact or [])

    async def run() -> bool:
        from rich.console import Console

        from server.client import NodeClient
        from server.terminal import show_call

        async with NodeClient(url, key) as client:
            return await show_call(client, request, Console(highlight=False))

    try:
        success = asyncio.run(run())
    except ServerError as error:
        raise ended_by(error) from error
    raise typer.Exit(0 if success else FAILED)


@app.command("list")
def list_calls(
    status: Annotated[str | None, typer.Option(help="Such as scheduled or ended.")] = None,
    number: Annotated[str | None, typer.Option(help="Of either side.")] = None,
    limit: LimitOption = 20,
    as_json: JsonOption = False,
    url: UrlOption = LOCAL,
    key: KeyOption = "",
) -> None:
    """The newest calls."""
    found = ask_list(url, key, PATH, limit, status=status, number=number)
    columns = ("id", "status", "to", "created_at", "duration_s", "ended_reason", "success")
    shown = found if as_json else [{**one, "success": _success(one)} for one in found]
    show_rows(shown, columns, as_json)


@app.command()
def show(
    call_id: CallArgument,
    as_json: JsonOption = False,
    url: UrlOption = LOCAL,
    key: KeyOption = "",
) -> None:
    """One call: what was said and what came of it."""
    record = ask(url, key, "GET", at(PATH, call_id))
    if as_json:
        show_json(record)
        return
    from rich.console import Console

    from server.terminal import show_record

    show_record(Console(highlight=False, soft_wrap=True), record)


@app.command("hang-up")
def hang_up(call_id: CallArgument, url: UrlOption = LOCAL, key: KeyOption = "") -> None:
    """End a call that is going on, or cancel one that is not yet dialled."""
    ask(url, key, "POST", f"{at(PATH, call_id)}/actions", {"action": "hang_up"})
    typer.echo(f"{call_id} is being ended")


@app.command()
def erase(
    call_id: CallArgument,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    url: UrlOption = LOCAL,
    key: KeyOption = "",
) -> None:
    """Erase recording, transcript and facts of a call for good; the audit stays."""
    if not yes:
        typer.confirm(f"Erase {call_id} for good?", abort=True)
    ask(url, key, "DELETE", at(PATH, call_id))
    typer.echo(f"{call_id} is erased")


def _success(record: dict[str, Any]) -> str:
    outcome = record.get("outcome")
    return "" if outcome is None else "yes" if outcome["success"] else "no"


def _task(goal: str | None, script: str | None, facts: list[str]) -> dict[str, object]:
    pairs = {name: value for name, _, value in (fact.partition("=") for fact in facts)}
    if "" in pairs or not all("=" in fact for fact in facts):
        raise fail("--fact takes NAME=VALUE")
    if goal is None and script is None:
        raise fail("--fact needs --goal or --script")
    task: dict[str, object] = {"facts": pairs}
    task["goal"] = goal or f"Follow the script {script}."
    if script is not None:
        task["script"] = script
    return task
