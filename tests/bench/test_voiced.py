"""Voiced and silent stretches, of samples and of packets."""

import numpy as np
import pytest

from bench.noise import tones
from bench.voiced import (
    Heard,
    Span,
    first_voiced_after,
    join,
    last_voiced_sample,
    lost_packets,
    speech_on_wire,
    voiced_spans,
)
from media.audio import Pcm, silence


def second(*parts: tuple[float, bool]) -> Pcm:
    """A signal of (seconds, voiced) parts at 8 kHz."""
    made = [tones((300.0,), s) if voiced else silence(int(s * 8000)) for s, voiced in parts]
    return np.concatenate(made)


def packets(start: float, seconds: float, level_dbfs: float, seq: int = 0) -> list[Heard]:
    count = round(seconds / 0.02)
    return [Heard(start + n * 0.02, (seq + n) & 0xFFFF, n * 160, level_dbfs) for n in range(count)]


def test_spans_of_a_signal_are_found_to_ten_milliseconds() -> None:
    spans = voiced_spans(second((0.5, False), (0.4, True), (0.6, False), (0.3, True)), 8000)
    assert len(spans) == 2
    assert spans[0].start_s == pytest.approx(0.5, abs=0.011)
    assert spans[0].end_s == pytest.approx(0.9, abs=0.011)
    assert spans[1].start_s == pytest.approx(1.5, abs=0.011)


def test_a_breath_does_not_end_a_span() -> None:
    signal = second((0.4, True), (0.2, False), (0.4, True))
    assert len(voiced_spans(signal, 8000)) == 1


def test_a_click_is_no_speech() -> None:
    signal = silence(8000)
    signal[4000:4008] = 20000
    assert voiced_spans(signal, 8000) == []


def test_silence_has_no_last_voiced_sample() -> None:
    assert last_voiced_sample(silence(800), 8000) == 0


def test_the_last_voiced_sample_precedes_trailing_silence() -> None:
    signal = second((0.3, True), (0.5, False))
    assert last_voiced_sample(signal, 8000) == pytest.approx(2400, abs=16)


def test_packets_form_spans_by_their_arrival() -> None:
    log = packets(10.0, 1.0, -20) + packets(11.0, 1.0, -90) + packets(12.0, 0.5, -20)
    spans = speech_on_wire(log)
    assert spans == [Span(10.0, pytest.approx(10.98)), Span(12.0, pytest.approx(12.48))]


def test_the_first_voiced_packet_after_a_moment() -> None:
    log = packets(0.0, 1.0, -90) + packets(1.0, 1.0, -20)
    assert first_voiced_after(log, 0.5) == pytest.approx(1.0)
    assert first_voiced_after(log, 5.0) is None


def test_spans_may_touch_at_exactly_the_join() -> None:
    assert join([(0.0, 1.0), (1.3, 2.0)], 0.3) == [Span(0.0, 2.0)]


def test_lost_packets_are_counted_across_the_wrap_of_the_sequence() -> None:
    log = packets(0.0, 0.2, -20, seq=65530)
    assert lost_packets(log) == 0
    assert lost_packets([*log[:4], *log[6:]]) == 2
    assert lost_packets([]) == 0
