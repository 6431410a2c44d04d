from dataclasses import replace
from itertools import pairwise
from types import MappingProxyType

import numpy as np
import pytest

from media.codecs import PCMA, PCMU
from media.errors import DtmfError
from media.outbound import Outbound
from media.pacer import Pacer
from media.rtp import RtpPacket
from media.sdp import Negotiated

NEGOTIATED = Negotiated(
    remote=("192.0.2.7", 4000),
    codec=PCMA,
    send_payload_type=110,
    receive_payload_types=MappingProxyType({110: PCMA}),
    dtmf_send=96,
    dtmf_receive=101,
    ptime_ms=20,
    direction="sendrecv",
)


class Leg:
    def __init__(self, negotiated: Negotiated = NEGOTIATED) -> None:
        self.pacer = Pacer(8000)
        self.datagrams: list[bytes] = []
        self.path = Outbound(negotiated, self.pacer, None, self.datagrams.append)
        self.path.begin(0.0)
        self.ticks = 0

    def tick(self, count: int = 1, skip: int = 0) -> list[RtpPacket]:
        before = len(self.datagrams)
        self.ticks += skip
        for _ in range(count):
            self.ticks += 1
            self.path.tick(self.ticks * 0.02)
        return [RtpPacket.parse(datagram) for datagram in self.datagrams[before:]]


def test_encoded_silence_is_sent_from_the_first_tick_on() -> None:
    packets = Leg().tick(50)
    assert len(packets) == 50
    assert {packet.payload for packet in packets} == {b"\xd5" * 160}
    assert {packet.payload_type for packet in packets} == {110}


def test_sequence_and_timestamp_step_evenly_and_only_the_first_packet_is_marked() -> None:
    packets = Leg().tick(10)
    assert {(b.seq - a.seq) & 0xFFFF for a, b in pairwise(packets)} == {1}
    steps = {(b.rtp_ts - a.rtp_ts) & 0xFFFFFFFF for a, b in pairwise(packets)}
    assert steps == {160}
    assert [packet.marker for packet in packets] == [True] + [False] * 9
    assert len({packet.ssrc for packet in packets}) == 1


def test_speech_goes_out_on_the_tick_after_it_is_pushed_and_stops_on_a_flush() -> None:
    leg = Leg()
    leg.tick()
    leg.pacer.push(np.full(1600, 1000, np.int16))
    assert leg.tick()[0].payload == PCMA.encode(np.full(160, 1000, np.int16))
    leg.pacer.flush()
    assert leg.tick()[0].payload == b"\xd5" * 160


def test_the_clock_runs_on_over_ticks_that_never_came() -> None:
    leg = Leg()
    first = leg.tick()[0]
    second = leg.tick(skip=9)[0]
    assert (second.rtp_ts - first.rtp_ts) & 0xFFFFFFFF == 1600
    assert (second.seq - first.seq) & 0xFFFF == 1


def test_a_digit_replaces_the_audio_and_the_clock_skips_its_time() -> None:
    leg = Leg()
    leg.pacer.push(np.full(320, 1000, np.int16))
    before = leg.tick()[0]
    leg.path.send_digits("4")
    packets = leg.tick(20)
    events = [packet for packet in packets if packet.payload_type == 96]
    assert {packet.rtp_ts for packet in events} == {(before.rtp_ts + 160) & 0xFFFFFFFF}
    assert [packet.marker for packet in events] == [True] + [False] * (len(events) - 1)
    speech = next(
        packet for packet in packets if packet.payload == PCMA.encode(np.full(160, 1000, np.int16))
    )
    assert (speech.rtp_ts - before.rtp_ts) & 0xFFFFFFFF == 160 * (packets.index(speech) + 1)
    assert packets.index(speech) > packets.index(events[-1])
    assert [(b.seq - a.seq) & 0xFFFF for a, b in pairwise(packets)] == [1] * 19


def test_digits_a_peer_does_not_take_are_refused() -> None:
    with pytest.raises(DtmfError):
        Leg(replace(NEGOTIATED, dtmf_send=None)).path.send_digits("1")


def test_a_hold_sends_nothing_while_the_clock_runs_on() -> None:
    leg = Leg()
    before = leg.tick()[0]
    leg.path.adopt(replace(NEGOTIATED, direction="recvonly"))
    assert leg.tick(100) == []
    leg.path.adopt(NEGOTIATED)
    after = leg.tick()[0]
    assert (after.rtp_ts - before.rtp_ts) & 0xFFFFFFFF == 101 * 160
    assert (after.seq - before.seq) & 0xFFFF == 1
    assert after.marker


@pytest.mark.parametrize("direction", ["recvonly", "inactive"])
def test_a_held_leg_plays_to_nobody_at_the_pace_of_the_tick(direction: str) -> None:
    leg = Leg(replace(NEGOTIATED, direction=direction))
    leg.pacer.push(np.full(1600, 1, np.int16))
    assert leg.tick(4) == []
    assert leg.pacer.played_samples == 640
    leg.path.adopt(NEGOTIATED)
    leg.tick(6)
    assert leg.pacer.pending_samples == 0


def test_a_codec_agreed_later_is_used_from_the_next_tick() -> None:
    leg = Leg()
    leg.tick()
    leg.path.adopt(replace(NEGOTIATED, codec=PCMU, send_payload_type=0))
    packet = leg.tick()[0]
    assert (packet.payload_type, packet.payload) == (0, b"\xff" * 160)
