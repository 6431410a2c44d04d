"""Processes the bench starts: each with its own log, and each ended by its own pid."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Mapping, Sequence
from pathlib import Path

from bench.errors import ChildDied


class Child:
    """One process; its error output goes to a log, its standard output is read line by line."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path) -> None:
        self.name = name
        self.log = log
        self._process = process
        self._reader: asyncio.Task[None] | None = None

    @classmethod
    async def start(
        cls, name: str, module: str, *args: str, log: Path, env: Mapping[str, str] | None = None
    ) -> Child:
        """Run `python -m module args` in a session of its own: Ctrl-C reaches only us."""
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as errors:
            process = await asyncio.create_subprocess_exec(
                *_command(module, args),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **(env or {})},
                start_new_session=True,
            )
        return cls(name, process, log)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.returncode is None

    async def line(self, timeout_s: float) -> str:
        """Read its next line of output. Raises ChildDied when none comes."""
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(timeout_s):
                line = await self._process.stdout.readline()
        except TimeoutError:
            raise ChildDied(f"{self.name} said nothing for {timeout_s:.0f} s") from None
        if not line:
            await self._process.wait()
            raise ChildDied(f"{self.name} ended with status {self._process.returncode}")
        return line.decode("utf-8", "replace").rstrip("\n")

    async def expect(self, word: str, timeout_s: float) -> str:
        """Read lines until one begins with `word`, and return it; the rest goes to the log."""
        async with asyncio.timeout(timeout_s):
            while not (line := await self.line(timeout_s)).startswith(word):
                pass
        self.keep_log()
        return line

    def keep_log(self) -> None:
        """From now on its standard output is appended to the log."""
        self._reader = asyncio.get_running_loop().create_task(self._drain())

    async def _drain(self) -> None:
        assert self._process.stdout is not None
        with self.log.open("ab") as log:
            async for line in self._process.stdout:
                log.write(line)
                log.flush()

    async def alive_until(self, work: Awaitable[None]) -> None:
        """Await `work` as long as the process lives. Raises ChildDied if it ends first."""
        task = asyncio.ensure_future(work)
        death = asyncio.ensure_future(self._process.wait())
        try:
            await asyncio.wait((task, death), return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise ChildDied(f"{self.name} ended with status {self._process.returncode}")
            await task
        finally:
            task.cancel()
            death.cancel()

    async def stop(self, grace_s: float = 5.0) -> int:
        """Ask it to end, wait, then insist. Returns its exit status; safe to call twice."""
        if self.running:
            self._process.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(grace_s):
                    await self._process.wait()
            except TimeoutError:
                self._process.kill()
                await self._process.wait()
        if self._reader is not None:
            await self._reader
            self._reader = None
        return self._process.returncode or 0

    def tail(self, lines: int = 25) -> str:
        """The last lines of its log."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-lines:])


async def output_of(module: str, *args: str, timeout_s: float = 30.0) -> str:
    """Run `python -m module args` to its end. Raises ChildDied with its errors if it fails."""
    process = await asyncio.create_subprocess_exec(
        *_command(module, args),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(timeout_s):
            out, errors = await process.communicate()
    except BaseException:
        process.kill()
        await process.wait()
        raise
    if process.returncode:
        raise ChildDied(f"{module} {' '.join(args)}: {errors.decode('utf-8', 'replace').strip()}")
    return out.decode().strip()


def _command(module: str, args: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", module, *args]


def free_port(kind: socket.SocketKind, host: str = "127.0.0.1") -> int:
    """A port nobody holds at this moment."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])
