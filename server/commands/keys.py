"""`offhook keys`: on the database, for the first key has to come from somewhere."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from server.commands.database import on_database
from server.commands.options import FAILED, ConfigOption, JsonOption, fail
from server.commands.output import show_json, show_rows

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

app = typer.Typer(help="Keys of the API.", no_args_is_help=True)
COLUMNS = ("id", "name", "scopes", "deployment_id", "daily_spend_cents", "created_at", "revoked_at")


@app.command("create")
def create_key(
    name: Annotated[str, typer.Option(help="Whose it is.")] = "command line",
    scope: Annotated[
        list[str] | None, typer.Option(help="What it may do; may be repeated. Everything: *")
    ] = None,
    deployment: Annotated[str | None, typer.Option(help="Bind it to a deployment's id.")] = None,
    daily_spend_cents: Annotated[int | None, typer.Option(min=0)] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Make a key of the API and print it. It cannot be shown again."""
    from server.api.key_routes import tell_of_key
    from server.api.keys import KeyRing, key_id_of
    from server.api.scopes import ALL, GRANTABLE
    from server.calls.audit import AuditLog
    from server.calls.documents import Deployments

    scopes = scope or [ALL]
    if unknown := set(scopes) - GRANTABLE:
        raise fail(f"--scope is one of {', '.join(sorted(GRANTABLE))}, not {', '.join(unknown)}")

    async def run(engine: "AsyncEngine") -> str | None:
        if deployment is not None and await Deployments(engine).by_id(deployment) is None:
            return None
        ring = KeyRing(engine)
        key = await ring.create(name, scopes, deployment, daily_spend_cents)
        await tell_of_key(AuditLog(engine), await ring.get(key_id_of(key)), None)
        return key

    key = on_database(config, run)
    if key is None:
        raise fail(f"there is no deployment {deployment}")
    if as_json:
        show_json({"id": key_id_of(key), "key": key})
    else:
        typer.echo(key)


@app.command("list")
def list_keys(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """All keys, without their secrets."""
    from server.api.keys import KeyRing

    async def run(engine: "AsyncEngine") -> list[dict[str, Any]]:
        found = await KeyRing(engine).list(limit=10_000)
        return [{name: _plain(getattr(key, name)) for name in COLUMNS} for key in found]

    show_rows(on_database(config, run), COLUMNS, as_json)


@app.command("revoke")
def revoke_key(
    key_id: Annotated[str, typer.Argument(help="The part after ohk_.")], config: ConfigOption = None
) -> None:
    """Make a key useless; running nodes refuse it within 5 s."""
    from server.api.keys import KeyRing
    from server.calls.audit import AuditLog
    from server.calls.errors import NotFound

    async def run(engine: "AsyncEngine") -> bool | None:
        try:
            revoked = await KeyRing(engine).revoke(key_id)
        except NotFound:
            return None
        if revoked:
            await AuditLog(engine).append("key_revoked", None, None, {"id": key_id})
        return revoked

    revoked = on_database(config, run)
    if revoked is None:
        raise fail(f"there is no key {key_id}", FAILED)
    typer.echo(f"{key_id} is revoked" if revoked else f"{key_id} was revoked before")


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value
