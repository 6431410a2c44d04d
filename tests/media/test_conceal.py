import numpy as np

from media.audio import Pcm, rms_dbfs
from media.conceal import Concealer


def tone(samples: int, first: int = 0, hz: float = 200.0) -> Pcm:
    times = np.arange(first, first + samples) / 8000
    return (8000 * np.sin(2 * np.pi * hz * times)).astype(np.int16)


def after_tone(samples: int = 480) -> Concealer:
    concealer = Concealer(8000)
    for first in range(0, samples, 160):
        concealer.joined(tone(160, first))
    return concealer


def test_heard_audio_passes_untouched() -> None:
    assert Concealer(8000).joined(tone(160)).tolist() == tone(160).tolist()


def test_a_lost_packet_of_a_steady_sound_is_continued_in_phase() -> None:
    stand_in = after_tone().conceal(160)
    assert np.abs(stand_in[:40].astype(int) - tone(40, 480)).max() < 800


def test_the_join_does_not_click() -> None:
    joined = np.concatenate((tone(480), after_tone().conceal(160)))
    assert np.abs(np.diff(joined.astype(int)))[470:].max() < 1.5 * np.abs(np.diff(tone(480))).max()


def test_the_packet_after_the_gap_is_joined_without_a_click() -> None:
    concealer = after_tone()
    stand_in = concealer.conceal(160)
    joined = np.concatenate((stand_in, concealer.joined(tone(160, 640))))
    assert np.abs(np.diff(joined.astype(int))).max() < 2 * np.abs(np.diff(tone(480))).max()


def test_a_lost_packet_silences_no_more_than_itself() -> None:
    concealer = after_tone()
    concealer.conceal(160)
    heard = concealer.joined(tone(160, 640))
    assert heard[32:].tolist() == tone(160, 640)[32:].tolist()


def test_a_long_loss_fades_to_silence_within_60_ms() -> None:
    stand_in = after_tone().conceal(800)
    assert rms_dbfs(stand_in[:160]) > -20
    assert rms_dbfs(stand_in[320:480]) < rms_dbfs(stand_in[:160]) - 6
    assert not stand_in[480:].any()


def test_the_fade_goes_on_from_packet_to_packet() -> None:
    one, many = after_tone(), after_tone()
    whole = one.conceal(480)
    parts = [many.conceal(160) for _ in range(3)]
    assert np.concatenate(parts).tolist() == whole.tolist()


def test_loss_before_anything_was_heard_is_silence() -> None:
    assert not Concealer(8000).conceal(160).any()


def test_after_real_silence_no_echo_of_earlier_speech_is_made_up() -> None:
    concealer = after_tone()
    concealer.forget()
    assert not concealer.conceal(160).any()


def test_packets_shorter_than_a_pitch_period_are_concealed_too() -> None:
    concealer = Concealer(8000)
    concealer.joined(tone(8))
    assert concealer.conceal(160).size == 160
