"""A node whose engines take no time; run as `python -m bench.stub_node serve --config FILE`."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Annotated

import typer
import uvloop

from bench.stub_engines import StubBrain, stub_engines
from server.app import Application, EngineSet
from server.settings import load_settings

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def _commands() -> None:
    """Keeps `serve` a command of its own."""


@app.command()
def serve(config: Annotated[Path, typer.Option()]) -> None:
    """Run the node until it is told to stop."""
    uvloop.run(_serve(config))


async def _serve(config: Path) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    engines = EngineSet(stub_engines(), make_brain=lambda task, call_id: StubBrain())
    application = Application(load_settings(config), engines)
    await application.start()
    print(f"Ready: {application.url}")
    await stop.wait()
    await application.stop()


if __name__ == "__main__":
    app()
