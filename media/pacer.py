"""The outgoing queue of one leg: speech is pushed as it is made, popped as it is played."""

from __future__ import annotations

from collections import deque

import numpy as np

from media.audio import Pcm


class Pacer:
    """Hold speech until its tick; stands after the voice, before the encoder."""

    __slots__ = ("_chunks", "_offset", "_paused", "_pending", "_played", "rate_hz")

    def __init__(self, rate_hz: int) -> None:
        self.rate_hz = rate_hz
        self._chunks: deque[Pcm] = deque()
        self._offset = 0
        self._pending = 0
        self._played = 0
        self._paused = False

    @property
    def pending_samples(self) -> int:
        """Pushed samples not yet popped nor flushed."""
        return self._pending

    @property
    def played_samples(self) -> int:
        """Pushed samples handed out so far; never falls, padding not counted."""
        return self._played

    def push(self, pcm: Pcm) -> None:
        """Queue samples at `rate_hz`. The array is kept, not copied: do not write to it after."""
        if pcm.size:
            self._chunks.append(pcm)
            self._pending += pcm.size

    def flush(self) -> int:
        """Discard all that is queued and return how many samples that was."""
        discarded = self._pending
        self._chunks.clear()
        self._offset = 0
        self._pending = 0
        return discarded

    def pause(self) -> None:
        """Hand out nothing and keep what is queued."""
        self._paused = True

    def resume(self) -> None:
        """Go on where `pause` stopped."""
        self._paused = False

    def pop(self, samples: int) -> Pcm | None:
        """Return the next `samples`, the last frame padded with zeros; None if nothing is to play.

        The result may share memory with a pushed array: read it, do not write to it.
        """
        if not self._pending or self._paused:
            return None
        taken = min(samples, self._pending)
        self._pending -= taken
        self._played += taken
        head = self._chunks[0]
        end = self._offset + samples
        if end < head.size:
            frame = head[self._offset : end]
            self._offset = end
            return frame
        return self._gather(samples, taken)

    def _gather(self, samples: int, taken: int) -> Pcm:
        frame = np.zeros(samples, dtype=np.int16)
        filled = 0
        while filled < taken:
            head = self._chunks[0]
            part = head[self._offset : self._offset + taken - filled]
            frame[filled : filled + part.size] = part
            filled += part.size
            self._offset += part.size
            if self._offset == head.size:
                self._chunks.popleft()
                self._offset = 0
        return frame
