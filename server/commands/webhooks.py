"""`offhook webhooks`: what could not be delivered, and another try."""

from typing import Annotated

import typer

from server.commands.ask import ask, ask_list, at
from server.commands.options import LOCAL, JsonOption, KeyOption, LimitOption, UrlOption
from server.commands.output import show_rows

app = typer.Typer(help="Webhook deliveries of a running node.", no_args_is_help=True)
PATH = "/v1/webhooks/deliveries"
COLUMNS = ("id", "event", "call_id", "url", "status", "attempts", "last_error", "updated_at")


@app.command("list")
def list_deliveries(
    status: Annotated[
        str | None, typer.Option(help="pending, delivered, dead or disabled; all where absent.")
    ] = None,
    call: Annotated[str | None, typer.Option(help="Only of this call.")] = None,
    limit: LimitOption = 50,
    as_json: JsonOption = False,
    url: UrlOption = LOCAL,
    key: KeyOption = "",
) -> None:
    """Deliveries, newest first. `--status dead` are the dead letters."""
    show_rows(ask_list(url, key, PATH, limit, status=status, call_id=call), COLUMNS, as_json)


@app.command()
def replay(
    delivery_id: Annotated[str, typer.Argument(help="Its id.")],
    url: UrlOption = LOCAL,
    key: KeyOption = "",
) -> None:
    """Deliver again what was given up, under the same webhook-id."""
    ask(url, key, "POST", f"{at(PATH, delivery_id)}/replay")
    typer.echo(f"{delivery_id} is pending again")
