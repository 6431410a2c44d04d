"""The node's command, but its process is killed at the step that $DIES_AT names."""

import os
import signal
from collections.abc import Callable
from typing import Any

from server.calls.attempts import Attempts
from server.calls.durable import Durable
from server.calls.store import CallStore
from server.calls.workflow import CallWorkflow
from server.cli import main
from server.node import Node


def _die(*_: Any, **__: Any) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


def _after(owner: Any, name: str) -> None:
    wrapped: Callable[..., Any] = getattr(owner, name)

    async def then_die(*args: Any, **named: Any) -> Any:
        await wrapped(*args, **named)
        _die()

    setattr(owner, name, then_die)


def _on_answer() -> None:
    wrapped = Attempts._report

    def report(self: Any, live: Any, kind: str, data: Any) -> None:
        wrapped(self, live, kind, data)
        if data.get("status") == "in-progress":
            _die()

    Attempts._report = report  # type: ignore[method-assign]


STEPS: dict[str, Callable[[], object]] = {
    "admitted": lambda: setattr(CallWorkflow, "_set_out", _die),
    "begun": lambda: _after(Durable, "begin"),
    "inviting": lambda: setattr(Node, "converse", _die),
    "answered": _on_answer,
    "conversed": lambda: setattr(Attempts, "_keep", _die),
    "kept": lambda: _after(Attempts, "_keep"),
    "concluded": lambda: _after(CallStore, "conclude"),
}

if __name__ == "__main__":
    if "DIES_AT" in os.environ:
        STEPS[os.environ["DIES_AT"]]()
    main()
