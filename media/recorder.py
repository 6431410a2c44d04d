"""Stereo WAV of a call on its true timeline, written behind the packet path's back."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np

from media.audio import TELEPHONE_HZ, Pcm
from media.errors import RecordingFailed
from media.wav import HEADER_OCTETS, stereo_header
from media.writer import writer

CALLEE: Final = 0
"""Left channel."""
AGENT: Final = 1
"""Right channel."""
BUFFER_S: Final = 10
"""Audio kept per channel while the disk does not follow; beyond it samples are dropped."""

OnFailure: TypeAlias = Callable[[RecordingFailed], None]
Piece: TypeAlias = tuple[int, int, Pcm]
"""First sample, channel, audio."""

_FRAME_OCTETS = 4
_RUN_BREAK_SAMPLES = 8000
"""Silence as long as this is left as a hole in the file instead of being written."""


class StereoRecorder:
    """Record one call; stands beside the sink (left) and the pacer (right).

    `write` only appends to memory. The process's writer thread puts it into the file at least
    twice a second and corrects the header, so the file is readable at any moment and a killed
    process loses less than a second. What was never written is silence, and so is what came
    while it was paused; the time of both passes in the file.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        rate_hz: int = TELEPHONE_HZ,
        on_failure: OnFailure | None = None,
    ) -> None:
        """Begin a file at `path`; opened, and failures reported, on the writer thread."""
        self.path = Path(path)
        self.rate_hz = rate_hz
        self.dropped_samples = 0
        self.failure: RecordingFailed | None = None
        self._on_failure = on_failure
        self._pieces: deque[Piece] = deque()
        self._taken_samples = 0  # counted by the packet path alone …
        self._moved_samples = 0  # … and by the writer thread alone
        self._descriptor: int | None = None
        self._samples = 0
        self._paused = False
        self._paused_until = 0
        """The sample up to which a pause is known to have lasted."""
        self._closing: Future[None] | None = None
        writer().add(self)

    def write(self, channel: int, pcm: Pcm, at_sample: int) -> None:
        """Put `pcm` at `at_sample` of CALLEE or AGENT. Keeps the array. Never raises, never waits.

        Later audio replaces earlier audio at the same place.
        """
        if self._closing is not None or self.failure is not None:
            return
        if self._paused:
            self._paused_until = max(self._paused_until, at_sample + pcm.size)
            return
        if self._taken_samples - self._moved_samples >= 2 * BUFFER_S * self.rate_hz:
            self.dropped_samples += pcm.size
            return
        self._taken_samples += pcm.size
        self._pieces.append((max(0, at_sample), channel, pcm))

    def pause(self) -> None:
        """Take nothing down from now on, of either channel."""
        self._paused = True

    def resume(self) -> None:
        """Go on; the pause stays in the file as silence."""
        self._paused = False

    def close(self) -> Future[None]:
        """End the recording; done when the file is whole. Never fails: see `failure`."""
        if self._closing is None:
            self._closing = Future()
            writer().wake()
        return self._closing

    async def aclose(self) -> None:
        """Close, and return when the file is whole."""
        await asyncio.wrap_future(self.close())

    # On the writer thread

    @property
    def finished(self) -> bool:
        """Whether the writer may forget this recording."""
        return self._closing is not None and self._closing.done()

    @property
    def closing(self) -> bool:
        """Whether the next `flush` is the last."""
        return self._closing is not None

    def flush(self) -> None:
        """Move what is buffered into the file; the writer thread's to call."""
        closing = self._closing  # read first: what was written before `close` is buffered by now
        try:
            if self.failure is None:
                self._move()
                if closing is not None:
                    self._release()
        except OSError as error:
            self._fail(error)
        finally:
            if closing is not None and not closing.done():
                closing.set_result(None)

    def _move(self) -> None:
        if self._descriptor is None:
            self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o640)
            self._write_header(self._descriptor)
        pieces = [self._pieces.popleft() for _ in range(len(self._pieces))]
        self._moved_samples += sum(pcm.size for _, _, pcm in pieces)
        if pieces:
            for run in _runs(sorted(pieces, key=lambda piece: piece[0])):
                self._write_run(self._descriptor, run)
        lengthened = self._paused_until > self._samples
        if lengthened:
            self._samples = self._paused_until
            os.ftruncate(self._descriptor, HEADER_OCTETS + self._samples * _FRAME_OCTETS)
        if pieces or lengthened:
            self._write_header(self._descriptor)

    def _write_run(self, descriptor: int, run: list[Piece]) -> None:
        """Lay the pieces over what the file holds at their place."""
        first = run[0][0]
        last = max(at + pcm.size for at, _, pcm in run)
        offset = HEADER_OCTETS + first * _FRAME_OCTETS
        block = np.zeros((last - first, 2), dtype="<i2")
        held = os.pread(descriptor, block.nbytes, offset) if first < self._samples else b""
        block.reshape(-1)[: len(held) // 2] = np.frombuffer(held[: len(held) // 2 * 2], "<i2")
        for at, channel, pcm in run:
            block[at - first : at - first + pcm.size, channel] = pcm
        _write_all(descriptor, block.tobytes(), offset)
        if last > self._samples:
            self._samples = last

    def _write_header(self, descriptor: int) -> None:
        _write_all(descriptor, stereo_header(self._samples, self.rate_hz), 0)

    def _release(self) -> None:
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            os.close(descriptor)

    def _fail(self, error: OSError) -> None:
        failure = RecordingFailed(f"{self.path}: {error.strerror or error}")
        failure.__cause__ = error
        self.failure = failure
        self._pieces.clear()
        try:
            self._release()
        finally:
            if self._on_failure is not None:
                self._on_failure(failure)


def _runs(pieces: list[Piece]) -> Iterator[list[Piece]]:
    """Split sorted pieces where a long silence lies between."""
    run: list[Piece] = []
    end = 0
    for piece in pieces:
        if run and piece[0] > end + _RUN_BREAK_SAMPLES:
            yield run
            run = []
        run.append(piece)
        end = max(end, piece[0] + piece[2].size)
    yield run


def _write_all(descriptor: int, octets: bytes, offset: int) -> None:
    view = memoryview(octets)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written
