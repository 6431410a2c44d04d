"""A node as its operator runs it: a process, a config file, a key; on loopback, for one bench."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.child import Child, output_of
from bench.client import BenchClient

READY_S = 60.0
_HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class NodePlan:
    """What the node of one run is like."""

    folder: Path
    """For its config, database and recordings; temporary."""
    log: Path
    callee_port: int
    """The trunk: where its calls go."""
    module: str = "server.cli"
    """What is run with `serve`; a stub node has the same command line."""
    concurrent_calls: int = 20
    ring_timeout_s: float = 10.0
    """Nobody waits long for a persona that does not answer."""
    postgresql: str | None = None
    """The database that it shares; else a file of its own."""
    more: str = ""
    """Further tables of its configuration."""
    http_port: int = 0
    """0: the system chooses, and the node says which."""
    sip_port: int = 0

    @property
    def config(self) -> Path:
        """The node's configuration file."""
        return self.folder / "offhook.toml"

    def toml(self) -> str:
        """The configuration."""
        return f"""\
[http]
host = "{_HOST}"
port = {self.http_port}

[sip]
host = "{_HOST}"
port = {self.sip_port}

[media]
host = "{_HOST}"

[[trunks]]
name = "rehearsal"
host = "{_HOST}"
port = {self.callee_port}

[data]
dir = "{(self.folder / "data").as_posix()}"
{f'postgresql = "{self.postgresql}"' if self.postgresql else ""}

[call]
ring_timeout_s = {self.ring_timeout_s}

[limits]
concurrent_calls = {self.concurrent_calls}
calls_per_number = 1000

[policy]
home_region = "CA"
allowed_regions = ["CA", "US"]

[policy.hours]
outside = "allow"

{self.more}
"""


@dataclass(frozen=True, slots=True)
class RunningNode:
    """A node that is ready to take calls."""

    process: Child
    client: BenchClient


@asynccontextmanager
async def running_node(plan: NodePlan) -> AsyncIterator[RunningNode]:
    """Configure, key and start a node; stop it in the end, whatever happened."""
    plan.folder.mkdir(parents=True, exist_ok=True)
    plan.config.write_text(plan.toml(), "utf-8")
    config = ("--config", str(plan.config))
    key = (await output_of("server.cli", "keys", "create", *config)).split()[-1]
    process = await Child.start("the node", plan.module, "serve", *config, log=plan.log)
    try:
        url = (await process.expect("Ready:", READY_S)).split()[-1]
        async with BenchClient(url, key) as client:
            await process.alive_until(client.ready(READY_S))
            yield RunningNode(process, client)
    finally:
        await process.stop()
