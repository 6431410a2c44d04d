"""The engine's side of `models.host`: one process, one engine, one inference thread.

Run as `python -m models.child <fd>`. Frames in, after the first, ("load", factory, arguments,
niceness): ("do", id, method, args) and ("cancel", id); id 0 wants no answer. Frames out:
("ready",) or ("failed", kind, message) once, then for each request any number of ("piece", id,
value) and ("working", id), and at last, cancelled or not, one of ("result", id, value),
("end", id) and ("error", id, kind, message).

A method that returns a generator streams. Streams take turns, one step each, so that a long
one holds nobody up; a step that gives None is a chance to stop and a sign of life. Everything
is cancelled between steps. The process ends when the socket does.
"""

import contextlib
import ctypes
import importlib
import inspect
import os
import queue
import signal
import socket
import sys
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from models.errors import EngineError
from models.frames import LENGTH, Frame, pack, unpack

_PR_SET_PDEATHSIG = 1  # prctl(2)


@dataclass(slots=True)
class _Work:
    id: int
    method: str
    args: tuple[Any, ...]
    steps: Iterator[Any] | None = None
    """The generator, once it runs."""


class Worker:
    """Runs an engine's methods in the order asked, interleaving streams."""

    def __init__(self, engine: object, connection: socket.socket) -> None:
        self._engine = engine
        self._connection = connection
        self._work: deque[_Work] = deque()

    def run(self, inbox: "queue.SimpleQueue[Frame]") -> None:
        """Serve until the process ends."""
        while True:
            if not self._work:
                self._take(inbox.get())
            with contextlib.suppress(queue.Empty):
                while True:
                    self._take(inbox.get_nowait())
            if self._work:
                self._step(self._work.popleft())

    def _take(self, frame: Frame) -> None:
        if frame[0] == "do":
            self._work.append(_Work(*frame[1:]))
        else:
            self._cancel(frame[1])

    def _cancel(self, request: int) -> None:
        for work in self._work:
            if work.id == request:
                if inspect.isgenerator(work.steps):
                    work.steps.close()
                self._work.remove(work)
                self._send(request, "end")
                return

    def _step(self, work: _Work) -> None:
        try:
            if work.steps is None:
                value = getattr(self._engine, work.method)(*work.args)
                if not inspect.isgenerator(value):
                    self._send(work.id, "result", value)
                    return
                work.steps = value
            value = next(work.steps)
        except StopIteration:
            self._send(work.id, "end")
        except Exception as error:
            self._send(work.id, "error", *_described(error))
        else:
            self._send(work.id, *(("working",) if value is None else ("piece", value)))
            self._work.append(work)

    def _send(self, request: int, kind: str, *values: Any) -> None:
        if request:
            self._connection.sendall(pack(kind, request, *values))


def _described(error: Exception) -> tuple[str, str]:
    if isinstance(error, EngineError):
        return type(error).__name__, str(error)
    return "EngineError", f"{type(error).__name__}: {error}"


def _read_exactly(connection: socket.socket, size: int) -> bytes:
    """Read `size` bytes; the end of the stream ends the process, whatever it is doing."""
    data = bytearray()
    while len(data) < size:
        try:
            part = connection.recv(size - len(data))
        except OSError:
            part = b""
        if not part:
            os._exit(0)
        data += part
    return bytes(data)


def _read_frame(connection: socket.socket) -> Frame:
    (size,) = LENGTH.unpack(_read_exactly(connection, LENGTH.size))
    return unpack(_read_exactly(connection, size))


def _listen(connection: socket.socket, inbox: "queue.SimpleQueue[Frame]") -> None:
    while True:
        inbox.put(_read_frame(connection))


def _die_with_parent() -> None:
    """Ask for SIGKILL when the node goes; where there is no prctl, the socket's end does it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def main(fd: int) -> None:
    """Load the engine named in the first frame, then serve it."""
    _die_with_parent()
    # The node drains its calls after Ctrl-C or SIGTERM and needs its engines until then.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    connection = socket.socket(fileno=fd)
    _, factory, arguments, niceness = _read_frame(connection)
    inbox: queue.SimpleQueue[Frame] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(connection, inbox), daemon=True).start()
    module, _, function = factory.partition(":")
    try:
        if niceness:
            os.nice(niceness)
        engine = getattr(importlib.import_module(module), function)(**arguments)
    except Exception as error:
        connection.sendall(pack("failed", *_described(error)))
        return
    connection.sendall(pack("ready"))
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        Worker(engine, connection).run(inbox)


if __name__ == "__main__":
    main(int(sys.argv[1]))
