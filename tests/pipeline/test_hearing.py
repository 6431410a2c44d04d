import numpy as np
import pytest

from pipeline.hearing import TurnAudio


def test_only_the_pre_roll_is_kept_while_nobody_speaks() -> None:
    audio = TurnAudio(0.3, 8000)
    for _ in range(100):
        audio.push(np.zeros(160, np.int16))
        audio.trim()
    assert audio.length_s == pytest.approx(0.3)


def test_the_quiet_at_the_end_is_measured_by_level() -> None:
    audio = TurnAudio(0.3, 8000)
    rng = np.random.default_rng(1)
    for n in range(50):
        level = 6000 if n < 38 else 60
        audio.push(rng.normal(0, level, 160).clip(-32768, 32767).astype(np.int16))
    assert audio.silence_s() == pytest.approx(12 * 0.02)


def test_nothing_held_has_no_quiet_end() -> None:
    assert TurnAudio(0.3, 8000).silence_s() == 0.0
