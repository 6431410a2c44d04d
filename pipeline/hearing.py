"""Audio of the stretch of speech that is being heard."""

from collections import deque

import numpy as np

from media.audio import Pcm


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
