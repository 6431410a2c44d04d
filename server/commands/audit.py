"""`offhook audit`: on the database, so that it can be verified without trusting a node."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from server.commands.database import on_database
from server.commands.options import FAILED, ConfigOption, JsonOption, LimitOption, fail
from server.commands.output import show_json, show_rows

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from server.calls.audit import Verdict

app = typer.Typer(help="Every decision: who was let in, called, refused.", no_args_is_help=True)


@app.command("list")
def list_audit(
    call: Annotated[str | None, typer.Option(help="Only of this call.")] = None,
    limit: LimitOption = 50,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """The newest decisions first. Numbers are written out: mind who reads it."""
    from server.calls.audit import AuditLog

    async def run(engine: "AsyncEngine") -> list[dict[str, Any]]:
        rows = await AuditLog(engine).list(call_id=call, limit=limit)
        return [dict(row) for row in rows]

    rows = on_database(config, run)
    if not as_json:
        rows = [{**row, "data": json.dumps(row["data"], ensure_ascii=False)} for row in rows]
    show_rows(rows, ("seq", "at", "kind", "call_id", "key_id", "data"), as_json)


@app.command()
def verify(
    since: Annotated[
        str | None, typer.Option(help="SEQ:HASH that an earlier verification printed.")
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Check every row against the one before. Exits 1 at the first that is wrong.

    Prints the head, SEQ:HASH. Keep it where nobody with access to the database can change it,
    and give it as --since the next time: then an audit written anew is found too.
    """
    from server.calls.audit import AuditLog, Head

    try:
        noted = Head.parse(since) if since is not None else None
    except ValueError as error:
        raise fail(f"--since: {error}") from error

    async def run(engine: "AsyncEngine") -> "Verdict":
        return await AuditLog(engine).verify(noted)

    verdict = on_database(config, run)
    broken = verdict.broken
    if as_json:
        found = (
            None
            if broken is None
            else {"seq": broken.seq, "why": broken.why, "detail": broken.detail}
        )
        show_json({"whole": broken is None, "head": str(verdict.head), "broken": found})
    elif broken is None:
        typer.echo(f"whole: {verdict.head.seq} rows\nhead: {verdict.head}")
    else:
        typer.echo(f"broken at row {broken.seq}: {broken.why}: {broken.detail}")
        typer.echo(f"whole up to row {verdict.head.seq}")
    raise typer.Exit(0 if broken is None else FAILED)
