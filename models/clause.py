"""What the voices share: where the words of a clause lie in its text and in its audio."""

import math
from bisect import bisect_right
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from models.resample import resample
from models.spoken import Piece

Pcm = npt.NDArray[np.int16]
Float32 = npt.NDArray[np.float32]
SpokenWord = tuple[str, int]
"""A word as written, and the sample (from the chunk's first) at which it has been said."""

SPEECH_LEVEL_DB = -22.0
"""Of full scale, RMS while speaking; every voice is brought to it by one fixed gain."""
CALIBRATION = "The quick brown fox jumps over the lazy dog."
"""What a voice says to itself once, to learn its gain."""
LEADING_SILENCE_MS = 20
_VOICED = 0.01  # of the peak


def placed(parts: Sequence[Piece]) -> tuple[str, list[int]]:
    """Join what is said, and tell at which character each piece begins."""
    text, starts = "", []
    for part in parts:
        if part.said and text:
            text += " "
        starts.append(len(text))
        text += part.said
    return text, starts


def word_ends(events: Sequence[tuple[int, int]], starts: Sequence[int], length: int) -> list[int]:
    """The sample at which each piece has been said.

    events: (character, sample) of each spoken word's beginning, in order. starts: the character
    at which each piece begins. A piece ends where the first word of a later piece begins, and
    the last one with the audio; a silent piece ends with the one before it.
    """
    ends = [length] * len(starts)
    for character, sample in events:
        piece = bisect_right(starts, character) - 1
        for earlier in range(piece - 1, -1, -1):
            if ends[earlier] != length:
                break
            ends[earlier] = sample
    return ends


def trimmed(audio: Float32, rate_hz: int) -> tuple[Float32, int]:
    """Cut leading silence to 20 ms. Returns the rest and the number of samples cut."""
    peak = float(np.abs(audio).max(initial=0.0))
    voiced = np.flatnonzero(np.abs(audio) > _VOICED * peak)
    if peak == 0.0 or not len(voiced):
        return audio, 0
    cut = max(0, int(voiced[0]) - rate_hz * LEADING_SILENCE_MS // 1000)
    return audio[cut:], cut


def gain_to_level(audio: Float32, rate_hz: int) -> float:
    """The gain that brings a voice, heard saying `CALIBRATION`, to the level of all voices.

    audio: on the scale of int16. Only 20 ms frames within 20 dB of the loudest count.
    """
    frame = rate_hz // 50
    power = np.square(audio[: len(audio) // frame * frame].reshape(-1, frame)).mean(axis=1)
    active = power[power > 0.01 * power.max(initial=0.0)]
    if not len(active):
        return 1.0
    return float(32768 * 10 ** (SPEECH_LEVEL_DB / 20) / math.sqrt(float(active.mean())))


def as_chunk(
    audio: Float32, ends: Sequence[int], parts: Sequence[Piece], from_hz: int, to_hz: int
) -> tuple[Pcm, list[SpokenWord]]:
    """Finish a clause: trim, resample and round it, and move the words' ends along.

    audio: shape (n,), on the scale of int16, at `from_hz`. ends: in samples of it.
    """
    trimmed_audio, cut = trimmed(audio, from_hz)
    pcm = np.clip(resample(trimmed_audio, from_hz, to_hz), -32768, 32767).astype(np.int16)
    places = (math.ceil((end - cut) * to_hz / from_hz) for end in ends)
    words = [
        (part.written, min(len(pcm), max(0, place)))
        for part, place in zip(parts, places, strict=True)
    ]
    return pcm, words
