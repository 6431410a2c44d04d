"""Pairing of what the callee did with what the wire brought back, on logs of known answers."""

import pytest

from bench.measured import barge_in_ms, effect_of, last_before_silence, pair_replies
from bench.voiced import Heard


def log_of(*parts: tuple[float, bool]) -> list[Heard]:
    """Packets every 20 ms from time 0: (until, voiced) parts."""
    made: list[Heard] = []
    at, n = 0.0, 0
    for until, voiced in parts:
        while at < until - 1e-9:
            made.append(Heard(at, n, n * 160, -20.0 if voiced else -90.0))
            n += 1
            at = n * 0.02
    return made


def test_a_reply_is_timed_from_last_voiced_to_first_voiced() -> None:
    log = log_of((1.0, True), (3.42, False), (5.0, True))
    [reply] = pair_replies([3.0], log)
    assert reply.ms == pytest.approx(420, abs=1)


def test_each_utterance_gets_its_own_reply() -> None:
    log = log_of((2.3, False), (3.0, True), (5.5, False), (6.0, True))
    assert [round(reply.ms) for reply in pair_replies([2.0, 5.0], log)] == [300, 500]


def test_an_utterance_nobody_answered_is_no_sample() -> None:
    log = log_of((2.3, False), (3.0, True), (20.0, False))
    assert len(pair_replies([2.0, 5.0], log)) == 1


def test_an_answer_to_the_next_utterance_does_not_count_for_this_one() -> None:
    log = log_of((5.5, False), (6.0, True))
    assert [round(reply.ms) for reply in pair_replies([4.0, 5.2], log)] == [300]


def test_an_utterance_into_ongoing_speech_is_an_overlap_and_no_sample() -> None:
    assert pair_replies([3.0], log_of((8.0, True))) == []


def test_barge_in_is_timed_to_the_last_voiced_packet() -> None:
    log = log_of((3.16, True), (5.0, False))
    assert barge_in_ms(3.0, log) == pytest.approx(140, abs=1)


def test_a_pause_that_turns_into_a_stop_counts_from_the_pause() -> None:
    log = log_of((3.1, True), (3.4, False), (3.44, True), (5.0, False))
    assert barge_in_ms(3.0, log) == pytest.approx(80, abs=1)


def test_speech_that_goes_on_was_not_stopped() -> None:
    log = log_of((3.16, True), (3.5, False), (9.0, True))
    assert barge_in_ms(3.0, log) is None


def test_an_onset_into_silence_is_no_barge_in() -> None:
    assert last_before_silence(3.0, log_of((1.0, True), (6.0, False))) is None


def test_speech_that_flows_on_shows_no_effect() -> None:
    assert effect_of(3.0, 0.3, log_of((8.0, True))) == "none"


def test_a_short_silence_is_a_pause() -> None:
    assert effect_of(3.0, 0.3, log_of((3.1, True), (3.5, False), (8.0, True))) == "pause"


def test_a_long_silence_is_a_stop() -> None:
    assert effect_of(3.0, 0.3, log_of((3.1, True), (5.4, False), (9.0, True))) == "stop"


def test_speech_that_never_comes_back_is_a_stop() -> None:
    assert effect_of(3.0, 0.3, log_of((3.1, True), (8.0, False))) == "stop"


def test_a_gap_long_after_the_noise_is_not_its_doing() -> None:
    assert effect_of(3.0, 0.3, log_of((6.0, True), (7.0, False), (8.0, True))) == "none"
