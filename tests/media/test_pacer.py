import numpy as np

from media.pacer import Pacer


def ramp(first: int, count: int) -> "np.ndarray":
    return np.arange(first, first + count, dtype=np.int16)


def test_an_empty_pacer_has_nothing_to_pop() -> None:
    assert Pacer(8000).pop(160) is None


def test_frames_come_out_in_the_order_of_pushing_across_pieces_of_any_size() -> None:
    pacer = Pacer(8000)
    for first, count in ((0, 7), (7, 400), (407, 1), (408, 72)):
        pacer.push(ramp(first, count))
    frames = [pacer.pop(160) for _ in range(3)]
    assert np.concatenate([f for f in frames if f is not None]).tolist() == list(range(480))


def test_the_last_frame_is_padded_with_zeros() -> None:
    pacer = Pacer(8000)
    pacer.push(ramp(1, 100))
    frame = pacer.pop(160)
    assert frame is not None
    assert frame.tolist() == [*range(1, 101), *[0] * 60]


def test_played_counts_pushed_samples_and_not_the_padding() -> None:
    pacer = Pacer(8000)
    pacer.push(ramp(0, 200))
    pacer.pop(160)
    assert (pacer.played_samples, pacer.pending_samples) == (160, 40)
    pacer.pop(160)
    assert (pacer.played_samples, pacer.pending_samples) == (200, 0)


def test_flush_discards_everything_at_once_and_says_how_much() -> None:
    pacer = Pacer(8000)
    pacer.push(ramp(0, 1000))
    pacer.pop(160)
    assert pacer.flush() == 840
    assert pacer.pop(160) is None
    assert pacer.played_samples == 160


def test_speech_after_a_flush_starts_at_its_first_sample() -> None:
    pacer = Pacer(8000)
    pacer.push(ramp(0, 1000))
    pacer.pop(160)
    pacer.flush()
    pacer.push(ramp(5000, 160))
    frame = pacer.pop(160)
    assert frame is not None
    assert frame[0] == 5000


def test_an_empty_push_is_nothing() -> None:
    pacer = Pacer(8000)
    pacer.push(ramp(0, 0))
    assert pacer.pop(160) is None


def test_pushing_after_a_frame_ended_exactly_at_a_piece_continues() -> None:
    pacer = Pacer(8000)
    pacer.push(ramp(0, 160))
    pacer.pop(160)
    pacer.push(ramp(160, 160))
    frame = pacer.pop(160)
    assert frame is not None
    assert frame[0] == 160


def test_a_pause_hands_out_nothing_and_loses_nothing() -> None:
    pacer = Pacer(8000)
    pacer.push(ramp(0, 320))
    pacer.pop(160)
    pacer.pause()
    assert pacer.pop(160) is None
    pacer.resume()
    frame = pacer.pop(160)
    assert frame is not None
    assert frame[0] == 160
