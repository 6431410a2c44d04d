import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.audio import Pcm
from media.resample import Resampler

RATES = (8000, 16000, 22050, 24000, 48000)
PAIRS = [(a, b) for a in RATES for b in RATES if a != b]


def tone(hz: float, rate_hz: int, samples: int) -> Pcm:
    return (10000 * np.sin(2 * np.pi * hz * np.arange(samples) / rate_hz)).astype(np.int16)


def resampled(pcm: Pcm, from_hz: int, to_hz: int) -> Pcm:
    resampler = Resampler(from_hz, to_hz)
    return np.concatenate((resampler.feed(pcm), resampler.flush()))


@pytest.mark.parametrize(("from_hz", "to_hz"), PAIRS)
def test_a_tone_keeps_its_pitch_level_and_place(from_hz: int, to_hz: int) -> None:
    out = resampled(tone(1000, from_hz, from_hz // 2), from_hz, to_hz)
    assert out.size == to_hz // 2
    edge = to_hz // 100
    error = out.astype(int) - tone(1000, to_hz, out.size)
    assert np.abs(error[edge:-edge]).max() < 20


@settings(max_examples=30, deadline=None)
@given(
    pair=st.sampled_from([(22050, 8000), (8000, 48000), (48000, 8000), (16000, 22050)]),
    cuts=st.lists(st.integers(0, 700), max_size=12),
)
def test_however_the_stream_is_cut_the_output_is_the_same(
    pair: tuple[int, int], cuts: list[int]
) -> None:
    pcm = np.random.default_rng(7).integers(-20000, 20000, 3000).astype(np.int16)
    resampler = Resampler(*pair)
    parts = [resampler.feed(part) for part in np.split(pcm, np.cumsum(cuts).clip(0, pcm.size))]
    pieced = np.concatenate((*parts, resampler.flush()))
    assert pieced.tolist() == resampled(pcm, *pair).tolist()


def test_what_the_lower_rate_cannot_carry_is_not_folded_into_it() -> None:
    assert np.abs(resampled(tone(5000, 22050, 22050), 22050, 8000)[100:-100]).max() < 20


def test_speech_up_to_3300_hz_passes_unchanged_in_level() -> None:
    out = resampled(tone(3300, 22050, 22050), 22050, 8000)[100:-100]
    assert np.abs(out).max() == pytest.approx(10000, rel=0.02)


def test_it_holds_back_no_more_than_3_ms() -> None:
    out = Resampler(22050, 8000).feed(tone(500, 22050, 441))
    assert out.size >= 160 - 25


def test_full_scale_is_clipped_and_does_not_wrap() -> None:
    square = np.where(np.arange(4000) // 20 % 2, 32767, -32768).astype(np.int16)
    out = resampled(square, 8000, 16000)
    assert np.all(out[50:70] < 0) or np.all(out[50:70] > 0)
    assert out.max() == 32767


def test_after_a_flush_another_stream_begins() -> None:
    resampler = Resampler(22050, 8000)
    pcm = tone(700, 22050, 1000)
    first = np.concatenate((resampler.feed(pcm), resampler.flush()))
    second = np.concatenate((resampler.feed(pcm), resampler.flush()))
    assert first.tolist() == second.tolist()


def test_the_same_rate_passes_through() -> None:
    pcm = tone(700, 8000, 160)
    assert Resampler(8000, 8000).feed(pcm) is pcm


def test_a_rate_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="sample rates"):
        Resampler(0, 8000)
