import pytest

from media.dtmf import DtmfReceiver, DtmfSender, EventPacket
from media.errors import DtmfError
from media.rtp import RtpPacket


def event(
    code: int, rtp_ts: int, duration: int = 160, end: bool = False, ssrc: int = 1
) -> RtpPacket:
    payload = bytes((code, 0x8A if end else 0x0A)) + duration.to_bytes(2, "big")
    return RtpPacket(101, 0, rtp_ts, ssrc, payload)


def heard(*packets: tuple[RtpPacket, float]) -> str:
    receiver = DtmfReceiver()
    return "".join(receiver.push(packet, now) or "" for packet, now in packets)


def test_an_event_of_many_packets_and_three_ends_is_one_digit() -> None:
    steps = [(event(5, 800, 160 * n, end=n > 4), n * 0.02) for n in range(1, 8)]
    assert heard(*steps) == "5"


def test_without_marker_and_with_erratic_durations_it_is_still_one_digit() -> None:
    durations = (0, 400, 160, 65535, 320)
    assert heard(*((event(11, 800, d), i * 0.02) for i, d in enumerate(durations))) == "#"


def test_an_end_packet_alone_is_a_digit() -> None:
    assert heard((event(1, 800, 1600, end=True), 0.0)) == "1"


def test_the_same_digit_twice_is_two_digits() -> None:
    assert heard((event(2, 800), 0.0), (event(2, 2400), 0.2)) == "22"


def test_an_event_restamped_midway_is_one_digit() -> None:
    assert heard((event(2, 800), 0.0), (event(2, 960), 0.02), (event(2, 1120), 0.04)) == "2"


def test_an_event_restamped_up_to_its_three_ends_is_one_digit() -> None:
    ends = [(event(2, 960 + n, 800, end=True), 0.02 + n / 1000) for n in range(3)]
    assert heard((event(2, 800), 0.0), *ends) == "2"


def test_the_same_digit_right_after_an_end_is_a_second_digit() -> None:
    end = event(2, 800, 800, end=True)
    assert heard((event(2, 800), 0.0), (end, 0.1), (event(2, 1800), 0.125)) == "22"


def test_two_different_digits_close_together_are_both_heard() -> None:
    assert heard((event(2, 800), 0.0), (event(3, 960), 0.02)) == "23"


def test_a_straggler_of_the_event_before_is_not_a_digit() -> None:
    late = event(1, 800, 1600, end=True)
    assert heard((event(1, 800), 0.0), (event(2, 2400), 0.2), (late, 0.21)) == "12"


def test_the_timestamp_may_wrap_between_digits() -> None:
    assert heard((event(1, 0xFFFFFF00), 0.0), (event(2, 900), 0.2)) == "12"


def test_another_ssrc_begins_another_event() -> None:
    assert heard((event(1, 800), 0.0), (event(1, 800, ssrc=2), 0.2)) == "11"


@pytest.mark.parametrize("payload", [b"", b"\1\2\3", b"\x10\x0a\0\xa0", b"\xff\x0a\0\xa0"])
def test_short_payloads_flash_and_unknown_events_are_no_digits(payload: bytes) -> None:
    assert DtmfReceiver().push(RtpPacket(101, 0, 0, 1, payload), 0.0) is None


def sent(sender: DtmfSender, ticks: int) -> list[EventPacket | None]:
    return [sender.tick(1000 + n * 160) for n in range(ticks)]


def test_a_digit_has_one_timestamp_one_marker_growing_duration_and_three_ends() -> None:
    sender = DtmfSender(8000, tone_ms=100)
    sender.send("7")
    packets = [packet for packet in sent(sender, 7) if packet is not None]
    assert {packet.rtp_ts for packet in packets} == {1000}
    assert [packet.marker for packet in packets] == [True] + [False] * 6
    durations = [int.from_bytes(packet.payload[2:], "big") for packet in packets]
    assert durations == [160, 320, 480, 640, 800, 800, 800]
    assert [packet.payload[1] >> 7 for packet in packets] == [0, 0, 0, 0, 1, 1, 1]
    assert {packet.payload[0] for packet in packets} == {7}


def test_digits_are_apart_and_the_audio_returns_after_the_last() -> None:
    sender = DtmfSender(8000, tone_ms=100, gap_ms=100)
    sender.send("1#")
    packets = sent(sender, 21)
    starts = [tick for tick, packet in enumerate(packets) if packet and packet.marker]
    assert starts == [0, 10]
    assert not sender.active


def test_a_w_waits_half_a_second() -> None:
    sender = DtmfSender(8000)
    sender.send("w1")
    assert [packet is not None for packet in sent(sender, 26)].index(True) == 25


def test_nothing_queued_is_not_active() -> None:
    sender = DtmfSender(8000)
    assert not sender.active
    assert sender.tick(0) is None


def test_lower_case_letters_are_digits() -> None:
    sender = DtmfSender(8000)
    sender.send("a")
    packet = sender.tick(0)
    assert packet is not None
    assert packet.payload[0] == 12


@pytest.mark.parametrize("digits", ["1x", "+49", "1 2", "é"])
def test_what_is_no_digit_is_refused_whole(digits: str) -> None:
    sender = DtmfSender(8000)
    with pytest.raises(DtmfError):
        sender.send(digits)
    assert not sender.active


def test_what_the_sender_sends_the_receiver_hears() -> None:
    sender, receiver = DtmfSender(8000), DtmfReceiver()
    sender.send("1123")
    digits = ""
    for tick, packet in enumerate(sent(sender, 60)):
        if packet is not None:
            wire = RtpPacket(101, tick, packet.rtp_ts, 1, packet.payload, packet.marker)
            digits += receiver.push(wire, tick * 0.02) or ""
    assert digits == "1123"
