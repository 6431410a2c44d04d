"""Audio of the stretch of speech that is being heard."""

from collections import deque
from itertools import islice, takewhile

import numpy as np

from media.audio import Pcm

_LOOK_BACK = 60
"""Frames that are looked at: a little more than a second."""
_QUIET = 0.1
"""Of the mean amplitude of the loudest frame: 20 dB below it."""


class TurnAudio:
    """Frames since the onset and a little before it. Stands beside the detector."""

    def __init__(self, pre_roll_s: float, rate_hz: int) -> None:
        self._frames: deque[Pcm] = deque()
        self._samples = 0
        self._pre_roll_samples = int(pre_roll_s * rate_hz)
        self._rate_hz = rate_hz

    @property
    def length_s(self) -> float:
        """Seconds held."""
        return self._samples / self._rate_hz

    def push(self, pcm: Pcm) -> None:
        """Append a frame."""
        self._frames.append(pcm)
        self._samples += len(pcm)

    def trim(self) -> None:
        """Forget all but the pre-roll."""
        while self._frames and self._samples - len(self._frames[0]) >= self._pre_roll_samples:
            self._samples -= len(self._frames.popleft())

    def stretch(self) -> Pcm:
        """All that is held, as one array."""
        return np.concatenate(self._frames) if self._frames else np.zeros(0, np.int16)

    def silence_s(self) -> float:
        """Seconds of quiet at the end of what is held; frames far below its loudest are quiet.

        A neural detector calls speech over some 100 ms late; the level tells when it was.
        """
        last = list(islice(reversed(self._frames), _LOOK_BACK))
        levels = [float(np.abs(frame).mean()) for frame in last]
        limit = _QUIET * max(levels, default=0.0)
        quiet = takewhile(lambda pair: pair[1] <= limit, zip(last, levels, strict=True))
        return sum(len(frame) for frame, _ in quiet) / self._rate_hz
