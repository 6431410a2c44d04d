"""A node in a process of its own, with engines that take no time, killed where it is told to be.

It is forked from a process that has loaded everything: a start costs what the node itself does.
"""

import asyncio
import os
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

import uvloop

from bench.stub_engines import StubBrain, stub_engines
from server.app import Application, EngineSet
from server.calls.attempts import Attempts
from server.calls.durable import Durable
from server.calls.store import CallStore
from server.calls.webhooks.deliveries import Deliveries
from server.calls.workflow import CallWorkflow
from server.node import Node
from server.settings import Settings

_last_acts: list["asyncio.Task[None]"] = []


def _die(*_: Any, **__: Any) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


def _after(owner: Any, name: str) -> None:
    wrapped: Callable[..., Any] = getattr(owner, name)

    async def then_die(*args: Any, **named: Any) -> Any:
        await wrapped(*args, **named)
        _die()

    setattr(owner, name, then_die)


def _on_answer(end: Callable[[Any, str], None]) -> None:
    wrapped = Attempts._report

    def report(self: Any, live: Any, kind: str, data: Any) -> None:
        wrapped(self, live, kind, data)
        if data.get("status") == "in-progress":
            end(self._store, live.record.id)

    Attempts._report = report  # type: ignore[method-assign]


def _once_written(store: CallStore, call_id: str) -> None:
    async def wait() -> None:
        await store.events_after(call_id)
        _die()

    _last_acts.append(asyncio.get_running_loop().create_task(wait()))


STEPS: dict[str, Callable[[], object]] = {
    "admitted": lambda: setattr(CallWorkflow, "_set_out", _die),
    "begun": lambda: _after(Durable, "begin"),
    "inviting": lambda: setattr(Node, "converse", _die),
    "answered": lambda: _on_answer(_die),
    "talking": lambda: _on_answer(_once_written),
    "conversed": lambda: setattr(Attempts, "_keep", _die),
    "kept": lambda: _after(Attempts, "_keep"),
    "concluded": lambda: _after(CallStore, "conclude"),
    "delivering": lambda: setattr(Deliveries, "_deliver", _die),
    "delivered": lambda: setattr(Deliveries, "_settle", _die),
}
"""Places in the life of a call, in order; `talking`: what it takes to hang up is written."""


def serve(settings: Settings, line: Connection) -> None:
    """Run a node; tells its URL on the line, takes the step to die at, ends when it is closed."""
    uvloop.run(_serve(settings, line))


async def _serve(settings: Settings, line: Connection) -> None:
    over = asyncio.Event()
    engines = EngineSet(stub_engines(), lambda task, call_id: StubBrain())
    application = Application(settings, engines)
    await application.start()

    def told() -> None:
        try:
            step = line.recv()
        except EOFError:
            asyncio.get_running_loop().remove_reader(line.fileno())
            over.set()
        else:
            STEPS[step]()
            line.send(step)

    asyncio.get_running_loop().add_reader(line.fileno(), told)
    line.send(application.url)
    await over.wait()
    await application.stop()
