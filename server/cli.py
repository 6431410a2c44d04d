"""The `offhook` command."""

import asyncio
import signal
from pathlib import Path
from typing import Annotated

import typer
import uvloop
from rich.console import Console
from rich.table import Table
from rich.text import Text

from server.commands import audit, calls, documents, keys, mcp, numbers, playbooks, webhooks
from server.commands.options import FAILED, ConfigOption, fail, settings_of
from server.errors import ServerError, SettingsInvalid
from server.settings import Settings, load_settings

main = typer.Typer(
    name="offhook",
    help="A self-hosted phone agent: an objective and a number in, a verdict out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
weights = typer.Typer(
    help="Weights of recognisers, voices and language models.", no_args_is_help=True
)
main.add_typer(weights, name="models")

main.command()(calls.call)
main.command()(mcp.mcp)
for name, commands in (
    ("calls", calls.app),
    ("agents", documents.agents),
    ("deployments", documents.deployments),
    ("playbook", playbooks.app),
    ("keys", keys.app),
    ("do-not-call", numbers.app),
    ("webhooks", webhooks.app),
    ("audit", audit.app),
):
    main.add_typer(commands, name=name)


@main.command()
def serve(config: ConfigOption = None, log_level: str = "INFO") -> None:
    """Run a node until SIGTERM or Ctrl-C."""
    from server.logs import configure_logs

    settings = settings_of(config)
    configure_logs(log_level.upper())
    uvloop.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    from server.app import Application

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    application = Application(settings)
    try:
        await application.start()
    except (ServerError, OSError, RuntimeError) as error:
        raise fail(f"cannot start: {error}; `offhook doctor` may know more", FAILED) from error
    console = Console(highlight=False, soft_wrap=True)
    for choice in application.choices:
        console.print(Text(choice, style="bright_black"))
    if application.first_key is not None:
        console.print(Text("API key, shown only this once: ").append(application.first_key, "bold"))
    console.print(Text(f"Ready: {application.url}", style="bold green"))
    await stop.wait()
    await application.stop()


@main.command()
def doctor(config: ConfigOption = None) -> None:
    """Check what a call needs, and say what to do about what is missing."""
    from server.doctor import Finding, examine

    console = Console(highlight=False, soft_wrap=True)
    try:
        findings = asyncio.run(examine(load_settings(config)))
    except SettingsInvalid as error:
        findings = [Finding("configuration", str(error), "correct it as said")]
    else:
        findings.insert(0, Finding("configuration", "valid"))
    for finding in findings:
        sign = Text("✓ ", "green") if finding.ok else Text("✗ ", "bold red")
        console.print(sign.append(f"{finding.subject}: {finding.detail}", "default"))
        if not finding.ok:
            console.print(Text(f"    → {finding.remedy}"))
    raise typer.Exit(0 if all(finding.ok for finding in findings) else 1)


@weights.command("list")
def list_weights(config: ConfigOption = None) -> None:
    """The weights that `pull` knows, and which of them are here."""
    from models.catalogue import KNOWN

    folder = settings_of(config).engines.models_dir
    table = Table("name", "for", "size", "licence", "here", box=None, header_style="bold")
    for known in KNOWN:
        here = "yes" if (folder / known.name).is_dir() else ""
        table.add_row(known.name, known.kind, f"about {known.size_mb} MB", known.licence, here)
    Console(highlight=False).print(table)


@weights.command("pull")
def pull_weights(
    name: Annotated[str, typer.Argument(help="One of `offhook models list`.")],
    source: Annotated[
        Path | None, typer.Option(help="Copy from this folder, not from the hub.")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Fetch weights; the next start of the node takes them by itself."""
    from models.catalogue import pull
    from models.errors import EngineError

    try:
        folder = pull(name, settings_of(config).engines.models_dir, source)
    except EngineError as error:
        raise fail(str(error), FAILED) from error
    typer.echo(f"{name} is in {folder}")


@main.command()
def demo(
    scenario: Annotated[str, typer.Option(help="Whom to call.")] = "agrees",
    seed: int = 1,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    out: Annotated[Path, typer.Option(help="Where recording and graphs go.")] = Path("out/demo"),
    dialect: Annotated[
        str, typer.Option(help="native, talktomyagent, oneshot, voiceos or oneinbox.")
    ] = "native",
) -> None:
    """Call a simulated person over real SIP and RTP, on this machine alone."""
    from bench.demo import run

    raise typer.Exit(run(scenario, seed, as_json, out, dialect))


@main.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    add_help_option=False,
)
def bench(context: typer.Context) -> None:
    """Measure on the wire: latency, barge-in, density (`offhook bench --help`)."""
    from bench.cli import app

    app(args=context.args, prog_name="offhook bench")


if __name__ == "__main__":
    main()
