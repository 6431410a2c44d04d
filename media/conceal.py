"""Stand-in audio for lost packets: the last pitch period repeated and faded."""

from __future__ import annotations

from typing import Final

import numpy as np

from media.audio import Pcm, silence

FADE_MS: Final = 60
"""A burst of loss fades to silence within this time."""
_LOWEST_PITCH_MS: Final = 15
_HIGHEST_PITCH_MS: Final = 5 / 2
_BLEND_MS: Final = 4


class Concealer:
    """Fill gaps; stands after `codecs`, before the sink.

    One lost packet never silences more than itself: the fade restarts with each packet heard.
    """

    __slots__ = ("_concealed", "_previous", "_recent", "_wave", "rate_hz")

    def __init__(self, rate_hz: int) -> None:
        self.rate_hz = rate_hz
        self._previous = self._recent = silence(0)
        self._wave = silence(0)
        self._concealed = 0

    def joined(self, pcm: Pcm) -> Pcm:
        """Remember decoded audio and return it, its start blended with a concealment before it."""
        if self._concealed:
            pcm = self._blended(pcm)
            self._concealed = 0
        self._previous, self._recent = self._recent, pcm
        return pcm

    def forget(self) -> None:
        """Forget what was heard: real silence follows, and is not to be filled with echoes."""
        self._previous = self._recent = silence(0)
        self._concealed = 0

    def conceal(self, samples: int) -> Pcm:
        """Return `samples` in place of lost ones; zeros beyond 60 ms after the last heard."""
        if not self._concealed:
            self._wave = self._period()
        stand_in = self._continued(samples)
        self._concealed += samples
        return stand_in

    def _continued(self, samples: int) -> Pcm:
        """What the concealment says next, from where it is now."""
        fade_samples = self.rate_hz * FADE_MS // 1000
        audible = max(0, min(samples, fade_samples - self._concealed))
        stand_in = silence(samples)
        if audible and self._wave.size:
            place = np.arange(self._concealed, self._concealed + audible)
            gain = 1.0 - place / fade_samples
            stand_in[:audible] = self._wave[place % self._wave.size] * gain
        return stand_in

    def _period(self) -> Pcm:
        """The end of the heard audio that, repeated, continues it best."""
        heard = np.concatenate((self._previous, self._recent))
        longest = min(self.rate_hz * _LOWEST_PITCH_MS // 1000, heard.size // 2)
        shortest = int(self.rate_hz * _HIGHEST_PITCH_MS // 1000)
        if longest <= shortest:
            return heard
        wide = heard[-2 * longest :].astype(np.float32)
        template = wide[-longest:]
        scores = np.correlate(wide, template, mode="valid")[:-shortest]
        energy = np.concatenate(([0.0], np.cumsum(wide * wide)))
        window = (energy[longest:] - energy[:-longest])[: scores.size]
        best = int(np.argmax(scores / np.sqrt(window + 1.0)))
        return heard[-(longest - best) :]

    def _blended(self, pcm: Pcm) -> Pcm:
        """Cross-fade from the concealment into `pcm`, so that neither edge clicks."""
        overlap = min(self.rate_hz * _BLEND_MS // 1000, pcm.size)
        rising = np.arange(overlap) / overlap if overlap else np.zeros(0)
        blended = pcm.copy()
        blended[:overlap] = pcm[:overlap] * rising + self._continued(overlap) * (1.0 - rising)
        return blended
