"""What a listener without any overhead would have known, and when: the detector, replayed.

The audio that crossed the wire goes through the same detector once more, offline. What the
turn machine could know at best is when the packet arrived that completed the last voiced window.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import numpy as np

from media.audio import TELEPHONE_HZ
from media.codecs import PCMU
from models.silero import SileroDetector
from pipeline.turn import TurnSettings


async def speech_known_until(payloads: Sequence[bytes], sent_at: Sequence[float]) -> list[float]:
    """When each packet was sent that completed a voiced window, monotonic seconds.

    payloads: all that was sent since the answer, mu-law; sent_at: when each of them was sent.
    """
    window = SileroDetector.window_ms / 1000 * TELEPHONE_HZ
    scores: list[float] = []
    stream = SileroDetector().open(lambda probability, now: scores.append(probability))
    stream.feed(np.concatenate([PCMU.decode(payload) for payload in payloads]), 0.0)
    await asyncio.sleep(0)
    stream.close()
    ends = np.cumsum([len(payload) for payload in payloads])
    threshold = TurnSettings().off_probability
    voiced = [n for n, probability in enumerate(scores) if probability >= threshold]
    completing = np.searchsorted(ends, [(n + 1) * window for n in voiced])
    return [sent_at[packet] for packet in completing]


def last_before(known: Sequence[float], at: float) -> float | None:
    """The latest of some moments that is not after `at`."""
    earlier = [moment for moment in known if moment <= at]
    return earlier[-1] if earlier else None
