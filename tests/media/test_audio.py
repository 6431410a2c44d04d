import numpy as np
import pytest

from media.audio import FLOOR_DBFS, frame_samples, rms_dbfs, silence


def test_a_frame_is_20_ms_at_any_rate() -> None:
    assert [frame_samples(rate) for rate in (8000, 16000, 48000)] == [160, 320, 960]


def test_a_full_scale_square_wave_is_0_dbfs() -> None:
    assert rms_dbfs(np.full(160, -32768, np.int16)) == pytest.approx(0.0)


def test_a_full_scale_sine_is_3_db_below() -> None:
    sine = (32767 * np.sin(np.arange(8000) * 0.1 * np.pi)).astype(np.int16)
    assert rms_dbfs(sine) == pytest.approx(-3.01, abs=0.01)


def test_silence_and_nothing_have_a_finite_level() -> None:
    assert rms_dbfs(silence(160)) == rms_dbfs(silence(0)) == FLOOR_DBFS
