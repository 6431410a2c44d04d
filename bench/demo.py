"""`offhook demo`: a real node calls a simulated person, over real SIP and RTP, on this machine.

Three processes that share nothing but the wire: the node, the callee, and this one, which is
the customer: it posts the request, follows the events and judges the record.
"""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from rich.console import Console
from rich.text import Text

from bench import timeline
from bench.child import Child, free_port
from bench.client import BenchClient
from bench.errors import BenchError
from bench.faces import DIALECTS, RECORDS, Dialect, native, post
from bench.node_process import NodePlan, running_node
from bench.persona import Expect, Persona
from bench.requests import REQUESTS
from bench.terminal import CallView, disposition, show_report
from server.errors import ServerError

CALL_S = 150.0
"""No scenario talks for longer."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a run of the demo came to."""

    scenario: str
    seed: int
    call: dict[str, Any]
    misses: list[str]
    """Where the call differs from what the scenario expects."""
    files: dict[str, Path]
    wall_s: float

    def json(self) -> str:
        """One object, for programs."""
        return json.dumps(
            {
                "scenario": self.scenario,
                "seed": self.seed,
                "passed": not self.misses,
                "misses": self.misses,
                "wall_s": round(self.wall_s, 2),
                "files": {name: str(path) for name, path in self.files.items()},
                "call": self.call,
            },
            ensure_ascii=False,
        )


def run(
    scenario: str = "agrees",
    seed: int = 1,
    as_json: bool = False,
    out: Path = Path("out/demo"),
    dialect: str = "native",
) -> int:
    """Place one call to one persona. Returns 0 only if it ended as the scenario expects.

    dialect: the API that the call is asked through.
    """
    console = Console(stderr=as_json, quiet=as_json, highlight=False)
    try:
        face = _face(dialect)
        persona = Persona.load(scenario)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    demo = _Demo(scenario, persona, seed, out, console, face)
    try:
        result = asyncio.run(demo.run())
    except (KeyboardInterrupt, asyncio.CancelledError):
        console.print("interrupted; both processes are gone")
        return 130
    except (BenchError, ServerError, TimeoutError, OSError, aiohttp.ClientError) as error:
        demo.explain(error)
        return 1
    if as_json:
        print(result.json())
    else:
        show_report(console, result.call, result.misses, result.files)
    return 1 if result.misses else 0


@dataclass(slots=True)
class _Demo:
    scenario: str
    persona: Persona
    seed: int
    out: Path
    console: Console
    dialect: Dialect = "native"
    began: float = field(default_factory=time.monotonic)

    @property
    def node_log(self) -> Path:
        return self.out / "node.log"

    @property
    def callee_log(self) -> Path:
        return self.out / "callee.log"

    async def run(self) -> Result:
        _cancel_on_signal()
        self._clear()
        head = Text("offhook demo", style="bold").append(f"  {self.scenario}: ", style="default")
        self.console.print(head.append(self.persona.about, style="default"))
        with tempfile.TemporaryDirectory(prefix="offhook-demo-") as folder:
            port = free_port(socket.SOCK_DGRAM)
            plan = NodePlan(Path(folder), self.node_log, callee_port=port)
            async with self._callee(port), running_node(plan) as node:
                ready_s = time.monotonic() - self.began
                self.console.print(f"node and callee ready after {ready_s:.1f} s", style="dim")
                call = await self._call(node.client)
                files = await self._keep(node.client, call)
        misses = compare(self.persona.expect, call)
        return Result(self.scenario, self.seed, call, misses, files, time.monotonic() - self.began)

    def _clear(self) -> None:
        """Nothing of an earlier run may pass for this one's."""
        self.out.mkdir(parents=True, exist_ok=True)
        for name in (
            "node.log",
            "callee.log",
            "call.json",
            "face.json",
            "call.wav",
            "timeline.png",
        ):
            (self.out / name).unlink(missing_ok=True)

    @asynccontextmanager
    async def _callee(self, port: int) -> AsyncIterator[None]:
        arguments = ("--persona", self.scenario, "--port", str(port), "--seed", str(self.seed))
        callee = await Child.start("the callee", "bench.callee", *arguments, log=self.callee_log)
        try:
            await callee.expect("ready", 30.0)
            yield
        finally:
            await callee.stop()

    async def _call(self, client: BenchClient) -> dict[str, Any]:
        """Post the request, show the call as it goes, and return its record."""
        began = time.monotonic()
        path, call_id = await post(client, self.persona.call, self.dialect)
        self.console.print(f"\nPOST {path} → {call_id}  to {REQUESTS[self.persona.call]['to']}")
        view = CallView(self.console)
        async with asyncio.timeout(CALL_S):
            async for event in client.events(call_id):
                view.show(event, time.monotonic() - began)
        return native(await client.finished(call_id, 15.0))

    async def _keep(self, client: BenchClient, call: dict[str, Any]) -> dict[str, Path]:
        """Write the record, the recording and the picture of both."""
        files = {"record": self.out / "call.json"}
        files["record"].write_text(json.dumps(call, indent=2, ensure_ascii=False), "utf-8")
        told = await client.request("GET", RECORDS[self.dialect].format(call["id"]))
        files[f"as {self.dialect}"] = self.out / "face.json"
        files[f"as {self.dialect}"].write_text(json.dumps(told, indent=2, ensure_ascii=False))
        wav = await client.recording(call["id"])
        if wav is not None:
            files["recording"] = self.out / "call.wav"
            files["recording"].write_bytes(wav)
            files["timeline"] = self.out / "timeline.png"
            title = f"{self.scenario}: {self.persona.about}"
            timeline.draw(call, files["recording"], files["timeline"], title=title)
        files["node log"] = self.node_log
        return files

    def explain(self, error: BaseException) -> None:
        """Say what went wrong, and what the two processes said last."""
        problem = Console(stderr=True, highlight=False)
        words = str(error) or type(error).__name__
        problem.print(Text(f"the demo failed: {words}", style="bold red"))
        for name, log in (("node", self.node_log), ("callee", self.callee_log)):
            if log.exists() and log.stat().st_size:
                problem.print(f"\nlast lines of the {name}, {log}:", style="bold")
                lines = log.read_text("utf-8", "replace").splitlines()
                problem.print("\n".join(lines[-20:]), markup=False)


def _face(name: str) -> Dialect:
    for dialect in DIALECTS:
        if dialect == name:
            return dialect
    raise ValueError(f"no dialect {name!r}; there are: {', '.join(DIALECTS)}")


def compare(expect: Expect, call: dict[str, Any]) -> list[str]:
    """Say where a call's record differs from what was expected of it."""
    success = (call.get("outcome") or {}).get("success")
    found: list[tuple[str, object, object]] = [
        ("ended_reason", expect.ended_reason, call.get("ended_reason")),
        ("success", expect.success, bool(success)),
    ]
    if expect.disposition is not None:
        found.append(("disposition", expect.disposition, disposition(call)))
    return [f"{name} is {got!r}, expected {want!r}" for name, want, got in found if got != want]


def _cancel_on_signal() -> None:
    """SIGTERM ends the demo as Ctrl-C does: by unwinding, so that both processes are ended."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
