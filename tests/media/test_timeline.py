import pytest

from media.timeline import ListeningTimeline, RecordingTimeline


def listening() -> ListeningTimeline:
    timeline = ListeningTimeline(8000, 8000)
    timeline.begin(0.0)
    return timeline


def test_contiguous_audio_owes_no_silence() -> None:
    timeline = listening()
    assert [timeline.silence_before(1, n * 160, 160, n * 0.02) for n in range(5)] == [0] * 5


def test_a_timestamp_jump_owes_the_silence_it_skips() -> None:
    timeline = listening()
    timeline.silence_before(1, 0, 160, 0.0)
    assert timeline.silence_before(1, 160 + 800, 160, 0.12) == 800


def test_an_absurd_jump_owes_no_more_than_200_ms() -> None:
    timeline = listening()
    timeline.silence_before(1, 0, 160, 0.0)
    assert timeline.silence_before(1, 1 << 30, 160, 0.02) == 1600


def test_another_ssrc_owes_nothing_for_its_timestamp() -> None:
    timeline = listening()
    timeline.silence_before(1, 0, 160, 0.0)
    assert timeline.silence_before(2, 80_000, 160, 0.02) == 0


def test_a_quiet_line_is_filled_with_as_much_silence_as_time_has_passed() -> None:
    timeline = listening()
    timeline.silence_before(1, 0, 160, 0.0)
    fills = [timeline.silence_due(n * 0.02 + 1e-6) for n in range(1, 16)]
    assert fills == [0] * 9 + [1600] + [160] * 5


def test_silence_filled_in_is_not_owed_again_by_the_timestamp() -> None:
    timeline = listening()
    timeline.silence_before(1, 0, 160, 0.0)
    timeline.silence_due(1.001)
    assert timeline.silence_before(1, 160 + 8000, 160, 1.02) == 0


def test_silence_filled_in_is_not_concealed_again_as_loss() -> None:
    timeline = listening()
    timeline.silence_before(1, 0, 160, 0.0)
    timeline.silence_due(0.241)
    assert timeline.still_lost(1600) == 0
    assert timeline.still_lost(1600) == 1280


def test_concealed_loss_is_not_owed_again_as_silence() -> None:
    timeline = listening()
    timeline.silence_before(1, 0, 160, 0.0)
    assert timeline.still_lost(160) == 160
    assert timeline.silence_before(1, 320, 160, 0.04) == 0


def test_a_line_that_never_spoke_is_silent_too() -> None:
    assert listening().silence_due(0.301) == 2400


def recording() -> RecordingTimeline:
    timeline = RecordingTimeline(8000, 8000)
    timeline.begin(100.0)
    return timeline


def test_network_jitter_leaves_no_trace_in_the_places() -> None:
    timeline = recording()
    arrivals = [100.5, 100.57, 100.571, 100.572, 100.6]
    places = [timeline.place(1, n * 160, at) for n, at in enumerate(arrivals)]
    assert places == [4000 + n * 160 for n in range(5)]


def test_a_pause_of_the_sender_is_a_pause_in_the_recording() -> None:
    timeline = recording()
    timeline.place(1, 0, 100.0)
    assert timeline.place(1, 80_000, 110.0) == 80_000


def test_a_sender_whose_clock_runs_ahead_is_put_back_to_its_arrival() -> None:
    timeline = recording()
    timeline.place(1, 0, 100.0)
    assert timeline.place(1, 8000, 100.9) == 7200


def test_a_sender_whose_clock_falls_behind_is_put_forward() -> None:
    timeline = recording()
    timeline.place(1, 0, 100.0)
    assert timeline.place(1, 160, 101.0) == 8000


def test_a_new_ssrc_is_placed_where_it_arrives() -> None:
    timeline = recording()
    timeline.place(1, 0, 100.0)
    assert timeline.place(2, 0xFFFF0000, 103.0) == 24_000


def test_the_timestamp_may_wrap() -> None:
    timeline = recording()
    first = timeline.place(1, 0xFFFFFFB0, 100.0)
    assert timeline.place(1, 80, 100.02) - first == pytest.approx(160)
