"""The one thread of a process that writes recordings."""

from __future__ import annotations

import atexit
import logging
import threading
from functools import cache
from typing import Final, Protocol

PERIOD_S: Final = 0.5
"""Every recording is flushed once in this time."""
_ROUNDS: Final = 25
"""The recordings take turns within the period, so that no burst holds the interpreter lock."""


_log = logging.getLogger(__name__)


class Flushable(Protocol):
    """What the thread serves."""

    @property
    def closing(self) -> bool:
        """Whether it wants its last flush now."""

    @property
    def finished(self) -> bool:
        """Whether it may be forgotten."""

    def flush(self) -> None:
        """Write what is buffered."""


class RecordingWriter:
    """Flush recordings in turn from a daemon thread; it sleeps while there is none."""

    def __init__(self) -> None:
        self._roster = threading.Lock()
        self._flushing = threading.Lock()
        self._turns: list[list[Flushable]] = [[] for _ in range(_ROUNDS)]
        self._busy = threading.Event()
        self._wanted = threading.Event()
        threading.Thread(target=self._run, name="recordings", daemon=True).start()

    def add(self, recording: Flushable) -> None:
        """Serve `recording` until it is finished."""
        with self._roster:
            min(self._turns, key=len).append(recording)
        self._busy.set()

    def wake(self) -> None:
        """Serve closing recordings now."""
        self._wanted.set()

    def flush_all(self) -> None:
        """Write everything that is buffered, on the calling thread."""
        for recordings in self._turns:
            self._serve(recordings)

    def _run(self) -> None:
        turn = 0
        while self._busy.wait():
            if self._wanted.wait(PERIOD_S / _ROUNDS):
                self._wanted.clear()
                for recordings in self._turns:
                    self._serve(recordings, closing_only=True)
            self._serve(self._turns[turn])
            turn = (turn + 1) % _ROUNDS
            with self._roster:
                if not any(self._turns):
                    self._busy.clear()

    def _serve(self, recordings: list[Flushable], *, closing_only: bool = False) -> None:
        with self._flushing:
            for recording in tuple(recordings):
                if closing_only and not recording.closing:
                    continue
                try:
                    recording.flush()
                except Exception:
                    _log.exception("a recording's owner failed on hearing of its failure")
                if recording.finished:
                    with self._roster:
                        recordings.remove(recording)


@cache
def writer() -> RecordingWriter:
    """The process's writer, started by the first recording."""
    started = RecordingWriter()
    atexit.register(started.flush_all)
    return started
