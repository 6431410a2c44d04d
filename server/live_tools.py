"""Tools that the brain asks for during a call, carried out beside the media."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Container, Mapping
from typing import Any, Final, Protocol

from pipeline.ports import Act
from pipeline.session import Session
from pipeline.tools import result
from server.live_actions import Tell

log = logging.getLogger(__name__)

FILLER: Final = "One moment, please."
FILLER_AFTER_S: Final = 0.7
"""Beyond this a silence sounds like reluctance."""

_detached: set[asyncio.Task[None]] = set()
"""Uses that outlive their call, kept from being forgotten."""


class ToolAnswer(Protocol):
    """What came of a tool."""

    @property
    def ok(self) -> bool:
        """Whether it did what was asked."""

    @property
    def value(self) -> Any:
        """Its answer, or why there is none: a JSON value."""


UseTool = Callable[[str, Mapping[str, object]], Awaitable[ToolAnswer]]
"""Carries a tool out by its name and arguments; cancelling it stops the work."""


class ToolRunner:
    """The tools of one call. Stands between the brain's acts and whoever carries them out.

    detached: names of those whose work goes on when the call is over; others are cancelled.
    """

    def __init__(
        self, session: Session, use: UseTool | None, detached: Container[str], tell: Tell
    ) -> None:
        self.calls: list[dict[str, object]] = []
        """One for each use: name, arguments, status, and what came of it."""
        self._session, self._use, self._detached, self._tell = session, use, detached, tell
        self._running: dict[asyncio.Task[None], dict[str, object]] = {}
        self._filler: asyncio.TimerHandle | None = None
        self._over = False

    def start(self, name: str, arguments: Mapping[str, object]) -> None:
        """Begin a tool; without anybody to carry it out, it is recorded and that is all."""
        use = self._use
        call = self._called(name, arguments, "running" if use else "recorded")
        if use is None or self._over:
            return
        self._session.tool_began()
        self._arm_filler()
        task = asyncio.get_running_loop().create_task(self._run(use, call, name, arguments))
        if name in self._detached:
            _detached.add(task)
            task.add_done_callback(_detached.discard)
        else:
            self._running[task] = call
            task.add_done_callback(lambda task: self._running.pop(task, None))

    def done(self, name: str, arguments: Mapping[str, object], failure: str | None) -> None:
        """Take down a tool that was carried out at once; the brain speaks only of a failure."""
        call = self._called(name, arguments, "running")
        self._session.tool_began()
        self._finish(call, name, arguments, ok=failure is None, value=failure or "done")

    def stop(self) -> None:
        """The call is over: cancel what is not to outlive it."""
        self._over = True
        self._disarm_filler()
        for task, call in self._running.items():
            call["status"] = "cancelled"
            task.cancel()

    async def _run(
        self, use: UseTool, call: dict[str, object], name: str, arguments: Mapping[str, object]
    ) -> None:
        try:
            answer = await use(name, arguments)
            ok, value = answer.ok, answer.value
        except Exception:
            log.exception("the tool %s failed", name)
            ok, value = False, "it failed"
        self._finish(call, name, arguments, ok=ok, value=value)

    def _called(self, name: str, arguments: Mapping[str, object], status: str) -> dict[str, object]:
        call: dict[str, object] = {"name": name, "arguments": dict(arguments), "status": status}
        self.calls.append(call)
        self._tell("tool.called", dict(call))
        return call

    def _finish(
        self,
        call: dict[str, object],
        name: str,
        arguments: Mapping[str, object],
        *,
        ok: bool,
        value: Any,
    ) -> None:
        call.update(status="done" if ok else "failed", result=value)
        if self._over:
            return
        self._tell("tool.ended", dict(call))
        told = result(Act(name, arguments), ok=ok, value=value)
        self._disarm_filler()
        self._session.tool_ended(told, ask=not ok or name != "press_digits")

    def _arm_filler(self) -> None:
        if self._filler is None:
            loop = asyncio.get_running_loop()
            self._filler = loop.call_later(FILLER_AFTER_S, self._fill)

    def _fill(self) -> None:
        """Say that it takes a moment, unless that is what was just said."""
        said = [m.content for m in self._session.messages if m.role == "assistant"]
        if FILLER not in said[-1:]:
            self._session.say_when_silent(FILLER)

    def _disarm_filler(self) -> None:
        """No more waiting, or not this one: what still runs is waited for with the filler said."""
        if self._filler is not None:
            self._filler.cancel()
            self._filler = None
        self._session.withdraw(FILLER)
