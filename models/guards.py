"""Guards around a recogniser that writes fluent nonsense when it hears nothing.

Thresholds: SYSTRAN/faster-whisper transcribe.py unless said otherwise.
"""

import zlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

SILENT_RMS = 0.0025
"""Of full scale; below it there is nothing to recognise."""
MAX_COMPRESSION = 2.4
MIN_LOGPROB = -1.0
MAX_NO_SPEECH = 0.6
PHANTOM_NO_SPEECH = 0.06
"""A phantom phrase is dropped only with at least this much evidence of no speech."""

_PHANTOMS = frozenset(
    {
        "thank you",
        "thank you very much",
        "thank you for watching",
        "thanks for watching",
        "see you next time",
        "subtitles by the amara org community",
        "you",
        "bye",
    }
)
_LONGEST_REPEAT_WORDS = 8
_REPEATS_KEPT = 2


def is_silent(pcm: npt.NDArray[np.int16]) -> bool:
    """Say whether int16 audio is too quiet (or too short) to hold speech."""
    if len(pcm) == 0:
        return True
    rms = float(np.sqrt(np.mean(np.square(pcm, dtype=np.float32)))) / 32768
    return rms < SILENT_RMS


def is_repetitive(text: str) -> bool:
    """Say whether the text runs in circles: it compresses well, or has few different words."""
    words = text.lower().split()
    if len(words) >= 5 and len(set(words)) <= 0.4 * len(words):
        return True
    raw = text.encode()
    return len(raw) >= 40 and len(raw) / len(zlib.compress(raw)) > MAX_COMPRESSION


def without_repeats(text: str) -> str:
    """Keep at most two of anything (up to eight words) that is said again and again."""
    words = text.split()
    kept: list[str] = []
    for word in words:
        kept.append(word)
        for size in range(1, min(_LONGEST_REPEAT_WORDS, len(kept) // (_REPEATS_KEPT + 1)) + 1):
            if _ends_in_repeats(kept, size):
                del kept[-size:]
                break
    return " ".join(kept)


def _ends_in_repeats(words: Sequence[str], size: int) -> bool:
    last = words[-size:]
    return all(
        words[-(turn + 1) * size : -turn * size] == last for turn in range(1, _REPEATS_KEPT + 1)
    )


def is_phantom(text: str, no_speech: float, logprob: float) -> bool:
    """Say whether the text is what Whisper writes for noise, given evidence of no speech.

    no_speech: probability of the no-speech token. logprob: mean log probability of a token.
    A real "thank you." on a clear line stays.
    """
    if no_speech > MAX_NO_SPEECH and logprob < MIN_LOGPROB:
        return True
    plain = " ".join("".join(c if c.isalnum() else " " for c in text.lower()).split())
    return plain in _PHANTOMS and no_speech >= PHANTOM_NO_SPEECH


def token_cap(audio_ms: float, vocabulary: int) -> int:
    """How many tokens a stretch of speech can hold; small vocabularies need more for a word."""
    tokens_per_s = 10 if vocabulary > 8_000 else 30
    return 10 + int(tokens_per_s * audio_ms / 1000)
