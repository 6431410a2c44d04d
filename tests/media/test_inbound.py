from types import MappingProxyType

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from media.audio import Pcm, rms_dbfs
from media.codecs import PCMA, PCMU
from media.inbound import Inbound
from media.rtp import RtpPacket
from media.sdp import Negotiated

NEGOTIATED = Negotiated(
    remote=("192.0.2.7", 4000),
    codec=PCMU,
    send_payload_type=0,
    receive_payload_types=MappingProxyType({0: PCMU, 8: PCMA}),
    dtmf_send=101,
    dtmf_receive=101,
    ptime_ms=20,
    direction="sendrecv",
)


class Listener:
    def __init__(self) -> None:
        self.frames: list[Pcm] = []
        self.times: list[float] = []
        self.digits = ""

    def feed(self, pcm: Pcm, now: float) -> None:
        self.frames.append(pcm)
        self.times.append(now)

    def digit(self, digit: str, now: float) -> None:
        self.digits += digit

    @property
    def samples(self) -> int:
        return sum(frame.size for frame in self.frames)


class Leg:
    """An inbound path, its listener, and a peer that counts."""

    def __init__(self) -> None:
        self.listener = Listener()
        self.path = Inbound(NEGOTIATED, self.listener, None)
        self.path.begin(0.0)

    def receive(self, n: int, at: float | None = None, skipped_ts: int = 0, pt: int = 0) -> None:
        payload = bytes((n * 7 + i) % 100 for i in range(160))
        packet = RtpPacket(pt, n, n * 160 + skipped_ts, 1, payload)
        self.path.datagram(bytes(packet), n * 0.02 if at is None else at)


def test_a_packet_is_heard_in_the_very_call_that_received_it() -> None:
    leg = Leg()
    leg.receive(0)
    assert (
        leg.listener.frames[0].tolist()
        == PCMU.decode(bytes(range(100)) + bytes(range(60))).tolist()
    )


def test_a_lost_packet_is_replaced_by_as_much_concealment_and_nothing_more() -> None:
    leg = Leg()
    for n in (0, 1, 2, 4, 5, 6, 7, 8):
        leg.receive(n)
    assert leg.listener.samples == 9 * 160
    assert leg.path.concealed_samples == 160
    assert min(rms_dbfs(frame) for frame in leg.listener.frames) > -20


def test_reordered_packets_are_heard_in_order_without_loss() -> None:
    leg, straight = Leg(), Leg()
    for n in (0, 2, 1, 3):
        leg.receive(n, at=0.01 * n)
    for n in range(4):
        straight.receive(n)
    heard, expected = leg.listener.frames, straight.listener.frames
    assert np.concatenate(heard).tolist() == np.concatenate(expected).tolist()


def test_a_gap_at_the_end_of_the_stream_is_released_by_the_tick() -> None:
    leg = Leg()
    leg.receive(0)
    leg.receive(2)
    leg.path.tick(0.11)
    assert leg.listener.samples >= 3 * 160


def test_each_payload_type_is_decoded_by_its_own_codec() -> None:
    leg = Leg()
    leg.receive(0, pt=0)
    leg.receive(1, pt=8)
    payload = bytes((7 + i) % 100 for i in range(160))
    assert leg.listener.frames[1].tolist() == PCMA.decode(payload).tolist()


def test_comfort_noise_and_unknown_payloads_are_neither_audio_nor_loss() -> None:
    leg = Leg()
    leg.receive(0)
    leg.receive(1, pt=13)
    leg.receive(2, pt=97)
    leg.receive(3)
    assert leg.path.jitter.lost == 0
    assert leg.path.concealed_samples == 0
    assert leg.listener.samples == 4 * 160


def test_a_peer_that_pauses_while_silent_is_heard_as_silence_in_real_time() -> None:
    leg = Leg()
    leg.receive(0, at=0.0)
    for tick in range(1, 101):
        leg.path.tick(tick * 0.02)
    assert abs(leg.listener.samples - 16_000) <= 160
    leg.receive(1, at=2.0, skipped_ts=16_000 - 160)
    assert abs(leg.listener.samples - 16_160) <= 160
    assert leg.path.jitter.lost == 0
    assert leg.path.concealed_samples == 0


def test_digits_are_heard_once_and_cost_no_audio() -> None:
    leg = Leg()
    leg.receive(0)
    for step in range(1, 8):
        payload = bytes((5, 0x80 if step > 4 else 0)) + (160 * min(step, 5)).to_bytes(2, "big")
        leg.path.datagram(bytes(RtpPacket(101, step, 160, 1, payload)), step * 0.02)
    assert leg.listener.digits == "5"
    assert leg.path.jitter.lost == 0


def test_a_lost_event_packet_does_not_lose_the_digit() -> None:
    leg = Leg()
    leg.receive(0)
    for step in (3, 4, 5):
        leg.path.datagram(bytes(RtpPacket(101, step, 160, 1, b"\x09\x0a\0\xa0")), step * 0.02)
    leg.path.tick(0.2)
    assert leg.listener.digits == "9"


def test_rtcp_and_rubbish_are_dropped() -> None:
    leg = Leg()
    leg.path.datagram(b"\x80\xc8\0\6" + bytes(24), 0.0)
    leg.path.datagram(b"GET / HTTP/1.1", 0.0)
    leg.path.datagram(b"", 0.0)
    assert leg.path.malformed == 2
    assert leg.path.arrivals.received == 0


def test_packets_of_other_lengths_take_their_own_time() -> None:
    leg = Leg()
    for n, samples in enumerate((240, 240, 320, 80)):
        ts = sum((240, 240, 320, 80)[:n])
        leg.path.datagram(bytes(RtpPacket(0, n, ts, 1, bytes(samples))), ts / 8000)
    assert [frame.size for frame in leg.listener.frames] == [240, 240, 320, 80]


def test_the_listeners_time_never_falls() -> None:
    leg = Leg()
    leg.receive(0, at=0.015)
    leg.receive(2, at=0.055)
    leg.path.tick(0.04)
    leg.receive(3, at=0.06)
    leg.path.tick(0.12)
    assert leg.listener.times == sorted(leg.listener.times)


def test_an_outage_of_minutes_is_not_fed_as_minutes_of_concealment() -> None:
    leg = Leg()
    leg.receive(0, at=0.0)
    leg.receive(2900, at=0.02)
    leg.path.tick(0.1)
    assert leg.listener.samples <= 8000 + 1600 + 2 * 160


headers = st.builds(
    RtpPacket,
    payload_type=st.sampled_from([0, 8, 13, 101, 127]),
    seq=st.one_of(st.integers(0, 30), st.integers(0, 0xFFFF)),
    rtp_ts=st.one_of(st.integers(0, 4000), st.integers(0, 0xFFFFFFFF)),
    ssrc=st.integers(0, 2),
    payload=st.binary(max_size=40),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(headers.map(bytes), st.binary(max_size=40)), max_size=40))
def test_no_sequence_of_datagrams_raises_or_is_fed_without_bound(datagrams: list[bytes]) -> None:
    leg = Leg()
    for n, datagram in enumerate(datagrams):
        leg.path.datagram(datagram, n * 0.01)
        leg.path.tick(n * 0.01)
    leg.path.tick(1.0)
    assert leg.listener.samples <= 8000 + len(datagrams) * 8000
