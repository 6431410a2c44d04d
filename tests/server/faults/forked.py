"""Nodes in processes of their own, forked from one that has loaded everything."""

import asyncio
import multiprocessing
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess

from bench.client import BenchClient
from server.settings import Settings
from tests.server.faults.dying_node import serve
from tests.server.real_node import until

PATIENCE_S = 120.0
"""No condition of these tests is waited for longer."""

_fork = multiprocessing.get_context("forkserver")
_fork.set_forkserver_preload(["pytest", "tests.server.faults.dying_node"])


@dataclass
class ForkedNode:
    """A node that may be killed."""

    client: BenchClient
    _process: ForkServerProcess
    _line: Connection

    async def is_to_die_at(self, step: str) -> None:
        """Have it killed when a call comes to a step."""
        self._line.send(step)
        assert await _heard(self._line) == step

    async def dies(self) -> None:
        """Kill it as the kernel does when memory runs out."""
        self._process.kill()
        await self.died()

    async def died(self) -> None:
        """Wait until it is dead."""
        await until(lambda: self._process.exitcode is not None, PATIENCE_S)


@asynccontextmanager
async def forked_node(settings: Settings, key: str) -> AsyncIterator[ForkedNode]:
    """Start a node and wait until it is ready; stop it, if it lives."""
    line, far_end = _fork.Pipe()
    process = _fork.Process(target=serve, args=(settings, far_end))
    await asyncio.to_thread(process.start)
    far_end.close()
    try:
        async with BenchClient(await _heard(line), key) as client:
            yield ForkedNode(client, process, line)
    finally:
        line.close()
        await asyncio.to_thread(process.join, PATIENCE_S)
        process.kill()
        await asyncio.to_thread(process.join)
        process.close()


async def _heard(line: Connection) -> str:
    """What the node says next. Raises EOFError where it died."""
    if not await asyncio.to_thread(line.poll, PATIENCE_S):
        raise TimeoutError
    said: str = line.recv()
    return said
