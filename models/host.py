"""Engines run in child processes, so that no call ever waits for a model's lock.

Stands between a node's event loop and `models.child`. Each host is one process at a lower
scheduling priority with one inference thread; the node imports none of the model libraries.
A process that ends, or hangs with work in hand, is replaced; a request never outlives it.
"""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.errors import EngineBusy, EngineError, EngineLost, error_of
from models.frames import LENGTH, Frame, pack, unpack

QUEUE_LIMIT = 64
NICENESS = 10
FIRST_DELAY_S = 0.25
LONGEST_DELAY_S = 30.0
LOADING_S = 300.0
"""A large model on a slow disk takes minutes."""
ANSWER_S = 30.0
"""A process that owes an answer and gives no sign of life for so long hangs."""

_Answers = asyncio.Queue[Frame]


@dataclass(frozen=True, slots=True)
class _Child:
    """A running engine process and the two directions of its socket."""

    process: subprocess.Popen[bytes]
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def frame(self) -> Frame:
        """The next frame; asyncio.IncompleteReadError or OSError once the process is gone."""
        (size,) = LENGTH.unpack(await self.reader.readexactly(LENGTH.size))
        return unpack(await self.reader.readexactly(size))

    async def end(self) -> None:
        """Kill the process if it still runs, and reap it."""
        self.writer.close()
        self.process.kill()
        with contextlib.suppress(RuntimeError):  # no thread to spare: the next Popen reaps it
            await asyncio.to_thread(self.process.wait)


class EngineHost:
    """One engine in its own process, restarted when it dies.

    name: for messages. factory: "module:function", called in the child with `arguments`
    (picklable); its result's methods are what `call` and `stream` name. queue_limit: requests
    unanswered at one time, beyond which EngineBusy is raised. answer_s: see `ANSWER_S`.
    """

    def __init__(
        self,
        name: str,
        factory: str,
        arguments: Mapping[str, object] | None = None,
        *,
        queue_limit: int = QUEUE_LIMIT,
        answer_s: float = ANSWER_S,
    ) -> None:
        self.name = name
        self.restarts = 0
        self._first_frame = pack("load", factory, dict(arguments or {}), NICENESS)
        self._queue_limit = queue_limit
        self._answer_s = answer_s
        self._pending: dict[int, _Answers] = {}
        self._unfinished: set[int] = set()
        """What the child still owes a last frame, be it cancelled meanwhile."""
        self._patience: asyncio.TimerHandle | None = None
        self._last_id = 0
        self._child: _Child | None = None
        self._settled = asyncio.Event()
        self._trouble = EngineLost(f"the {name} engine has not been started")
        self._supervisor: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The engine's process id, or None while there is none."""
        return self._child.process.pid if self._child else None

    async def start(self) -> None:
        """Start the process and load the engine. Raises what the loading raised."""
        self._child = await self._launch()
        self._settled.set()
        self._supervisor = asyncio.create_task(self._supervise(self._child))
        self._supervisor.add_done_callback(lambda _: self._settled.set())

    async def close(self) -> None:
        """End the process; what is pending fails with EngineLost."""
        if self._supervisor:
            self._supervisor.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._supervisor
        child = self._child
        self._lose(EngineLost(f"the {self.name} engine has been closed"))
        if child:  # the supervisor has not had its first step
            await child.end()

    async def call(self, method: str, *args: object) -> Any:
        """Run one method and return its result. Cancelling drops it, or drops its result."""
        async with self._request(method, args) as answers:
            _, value = _checked(await answers.get())
            return value

    async def stream(self, method: str, *args: object) -> AsyncGenerator[Any, None]:
        """Run a generator method and yield its pieces. Closing stops it at the next piece."""
        async with self._request(method, args) as answers:
            while True:
                kind, value = _checked(await answers.get())
                if kind == "end":
                    return
                yield value

    def post(self, method: str, *args: object) -> None:
        """Run one method without an answer; does nothing while there is no process."""
        if self._child:
            self._child.writer.write(pack("do", 0, method, args))

    @contextlib.asynccontextmanager
    async def _request(self, method: str, args: tuple[object, ...]) -> AsyncIterator[_Answers]:
        """Send a request, collect its answers, and cancel it unless it has been finished."""
        if len(self._pending) >= self._queue_limit:
            raise EngineBusy(f"the {self.name} engine has {len(self._pending)} requests waiting")
        self._last_id += 1
        request, answers = self._last_id, _Answers()
        self._pending[request] = answers
        try:
            if self._supervisor:
                await self._settled.wait()
            if self._child is None:
                raise self._trouble
            self._child.writer.write(pack("do", request, method, args))
            self._unfinished.add(request)
            if self._patience is None:
                self._be_patient()
            yield answers
        finally:
            if self._pending.pop(request, None) is not None and self._child:
                self._child.writer.write(pack("cancel", request))

    async def _launch(self) -> _Child:
        """Start a process and load the engine. Raises EngineError."""
        try:
            child = await _spawn()
        except OSError as error:  # out of memory, processes or descriptors
            raise EngineLost(f"no process for the {self.name} engine: {error}") from error
        try:
            child.writer.write(self._first_frame)
            async with asyncio.timeout(LOADING_S):
                first = await child.frame()
        except TimeoutError as error:
            await child.end()
            raise EngineLost(f"the {self.name} engine takes too long to load") from error
        except (asyncio.IncompleteReadError, OSError) as error:
            await child.end()
            status = child.process.returncode
            raise EngineLost(f"the {self.name} engine ended while loading ({status})") from error
        except BaseException:
            await child.end()
            raise
        if first[0] == "failed":
            await child.end()
            raise error_of(*first[1:])
        return child

    async def _supervise(self, child: _Child) -> None:
        """Read answers; replace the process whenever it is lost."""
        loop = asyncio.get_running_loop()
        delay_s = 0.0
        while True:
            born_s = loop.time()
            trouble = EngineLost(f"the {self.name} engine's process ended")
            try:
                await self._read(child)
            except TimeoutError:
                trouble = EngineLost(f"the {self.name} engine hung for {self._answer_s:g} s")
            except (asyncio.IncompleteReadError, OSError):
                pass
            finally:
                self._settled.clear()
                self._lose(trouble)
                await child.end()
            if loop.time() - born_s > LONGEST_DELAY_S:
                delay_s = 0.0
            while self._child is None:
                await asyncio.sleep(delay_s)
                delay_s = min(LONGEST_DELAY_S, max(FIRST_DELAY_S, 2 * delay_s))
                try:
                    self._child = child = await self._launch()
                except EngineError as error:
                    self._trouble = EngineLost(f"the {self.name} engine does not restart: {error}")
                self._settled.set()
            self.restarts += 1

    async def _read(self, child: _Child) -> None:
        """Hand out answers until the process is gone; TimeoutError if it hangs."""
        while True:
            kind, request, *values = await child.frame()
            final = kind not in ("piece", "working")
            if final:
                self._unfinished.discard(request)
            self._be_patient()
            answers = self._pending.get(request)
            if answers is None or kind == "working":  # None: cancelled meanwhile
                continue
            if final:
                del self._pending[request]
            answers.put_nowait((kind, *values))

    def _be_patient(self) -> None:
        """Give the process `answer_s` from now on, if it owes anything."""
        if self._patience:
            self._patience.cancel()
        loop = asyncio.get_running_loop()
        later = loop.call_later(self._answer_s, self._give_up) if self._unfinished else None
        self._patience = later

    def _give_up(self) -> None:
        if self._child:
            self._child.reader.set_exception(TimeoutError())

    def _lose(self, trouble: EngineLost) -> None:
        self._child = None
        self._trouble = trouble
        message = ("error", "EngineLost", str(trouble))
        for answers in self._pending.values():
            answers.put_nowait(message)
        self._pending.clear()
        self._unfinished.clear()
        self._be_patient()


class HostedEngine:
    """The node's side of an engine: all of them start and close their process alike."""

    def __init__(self, host: EngineHost) -> None:
        self.host = host

    async def start(self) -> None:
        """Load the engine; EngineMissing or EngineCorrupt if that cannot be done."""
        await self.host.start()

    async def close(self) -> None:
        """End the engine's process."""
        await self.host.close()


async def _spawn() -> _Child:
    """Start a process that waits for its first frame. Raises OSError and leaves nothing behind."""
    root = str(Path(__file__).parent.parent)
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    with contextlib.ExitStack() as undo:
        ours, theirs = socket.socketpair()
        undo.callback(ours.close)
        with theirs:
            process = subprocess.Popen(  # noqa: ASYNC220  (a vfork: about a millisecond)
                [sys.executable, "-P", "-m", "models.child", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
            )
        undo.callback(process.wait)
        undo.callback(process.kill)
        child = _Child(process, *await asyncio.open_unix_connection(sock=ours))
        undo.pop_all()
    return child


def _checked(frame: Frame) -> tuple[str, Any]:
    """Split an answer into its kind and value; an error is raised."""
    kind, *values = frame
    if kind == "error":
        raise error_of(*values)
    return kind, values[0] if values else None
