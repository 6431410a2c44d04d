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

from server.errors import ServerError, SettingsInvalid
from server.settings import Settings, load_settings

main = typer.Typer(
    name="offhook",
    help="A self-hosted phone agent: an objective and a number in, a verdict out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
keys = typer.Typer(help="Keys of the API.", no_args_is_help=True)
main.add_typer(keys, name="keys")
weights = typer.Typer(
    help="Weights of recognisers, voices and language models.", no_args_is_help=True
)
main.add_typer(weights, name="models")

ConfigOption = Annotated[
    Path | None, typer.Option("--config", envvar="OFFHOOK_CONFIG", help="offhook.toml")
]
UNUSABLE = 2
"""Exit status where nothing could be tried."""


@main.command()
def serve(config: ConfigOption = None, log_level: str = "INFO") -> None:
    """Run a node until SIGTERM or Ctrl-C."""
    from server.logs import configure_logs

    settings = _settings(config)
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
        raise _fail(f"cannot start: {error}; `offhook doctor` may know more", 1) from error
    console = Console(highlight=False, soft_wrap=True)
    for choice in application.choices:
        console.print(Text(choice, style="bright_black"))
    if application.first_key is not None:
        console.print(Text("API key, shown only this once: ").append(application.first_key, "bold"))
    console.print(Text(f"Ready: {application.url}", style="bold green"))
    await stop.wait()
    await application.stop()


@main.command()
def call(
    number: Annotated[str, typer.Argument(help="Whom to call, such as +14165550123.")],
    objective: Annotated[str | None, typer.Option(help="What the call is for.")] = None,
    goal: Annotated[str | None, typer.Option(help="The same, for a task with facts.")] = None,
    script: Annotated[str | None, typer.Option(help="A script of the playbook.")] = None,
    fact: Annotated[list[str] | None, typer.Option(help="NAME=VALUE; may be repeated.")] = None,
    from_: Annotated[str | None, typer.Option("--from", help="Our number.")] = None,
    url: Annotated[str, typer.Option(envvar="OFFHOOK_URL")] = "http://127.0.0.1:8080",
    key: Annotated[str, typer.Option(envvar="OFFHOOK_KEY", help="API key.")] = "",
) -> None:
    """Place a call through a running node and watch it. Exits 0 on success, 1 without."""
    from server.client import NodeClient
    from server.terminal import show_call

    request: dict[str, object] = {"to": number}
    if from_ is not None:
        request["from"] = from_
    if objective is not None:
        request["objective"] = objective
    if goal is not None or script is not None or fact:
        request["task"] = _task(goal, script, fact or [])

    async def run() -> bool:
        async with NodeClient(url, key) as client:
            return await show_call(client, request, Console(highlight=False))

    try:
        success = asyncio.run(run())
    except ServerError as error:
        raise _fail(str(error)) from error
    raise typer.Exit(0 if success else 1)


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


@keys.command("create")
def create_key(name: str = "command line", config: ConfigOption = None) -> None:
    """Make a key of the API and print it. It cannot be shown again."""
    from server.api.keys import KeyRing
    from server.calls.database import open_database

    async def run(path: Path) -> str:
        engine = await open_database(path)
        try:
            return await KeyRing(engine).create(name)
        finally:
            await engine.dispose()

    typer.echo(asyncio.run(run(_settings(config).data.database)))


@weights.command("list")
def list_weights(config: ConfigOption = None) -> None:
    """The weights that `pull` knows, and which of them are here."""
    from models.catalogue import KNOWN

    folder = _settings(config).engines.models_dir
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
        folder = pull(name, _settings(config).engines.models_dir, source)
    except EngineError as error:
        raise _fail(str(error), 1) from error
    typer.echo(f"{name} is in {folder}")


@main.command()
def demo(
    scenario: Annotated[str, typer.Option(help="Whom to call.")] = "agrees",
    seed: int = 1,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    out: Annotated[Path, typer.Option(help="Where recording and graphs go.")] = Path("out/demo"),
) -> None:
    """Call a simulated person over real SIP and RTP, on this machine alone."""
    from bench.demo import run

    raise typer.Exit(run(scenario, seed, as_json, out))


@main.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    add_help_option=False,
)
def bench(context: typer.Context) -> None:
    """Measure on the wire: latency, barge-in, density (`offhook bench --help`)."""
    from bench.cli import app

    app(args=context.args, prog_name="offhook bench")


def _settings(config: Path | None) -> Settings:
    try:
        return load_settings(config)
    except SettingsInvalid as error:
        raise _fail(str(error)) from error


def _task(goal: str | None, script: str | None, facts: list[str]) -> dict[str, object]:
    pairs = {name: value for name, _, value in (fact.partition("=") for fact in facts)}
    if "" in pairs or not all("=" in fact for fact in facts):
        raise _fail("--fact takes NAME=VALUE")
    if goal is None and script is None:
        raise _fail("--fact needs --goal or --script")
    task: dict[str, object] = {"facts": pairs}
    task["goal"] = goal or f"Follow the script {script}."
    if script is not None:
        task["script"] = script
    return task


def _fail(message: str, status: int = UNUSABLE) -> typer.Exit:
    Console(stderr=True, highlight=False, soft_wrap=True).print(Text(f"offhook: {message}", "red"))
    return typer.Exit(status)


if __name__ == "__main__":
    main()
