from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.errors import RtpError
from media.rtp import RtpPacket, RtpSource, is_rtcp, seq_delta, ts_delta

PLAIN = bytes.fromhex("80 80 ffff 00000010 deadbeef") + b"speech"


def test_a_plain_packet_is_read() -> None:
    assert RtpPacket.parse(PLAIN) == RtpPacket(0, 0xFFFF, 16, 0xDEADBEEF, b"speech", True)


def test_a_packet_is_written_as_it_was_read() -> None:
    assert bytes(RtpPacket.parse(PLAIN)) == PLAIN


def test_sources_extension_and_padding_are_not_payload() -> None:
    datagram = (
        bytes.fromhex("b2 08 0001 00000002 00000003")
        + b"\0\0\0\1\0\0\0\2"  # two contributing sources
        + bytes.fromhex("bede 0001 10ff0000")  # one word of extension
        + b"speech"
        + b"\0\0\0\4"
    )
    assert RtpPacket.parse(datagram).payload == b"speech"


def test_an_empty_payload_is_a_packet() -> None:
    assert RtpPacket.parse(PLAIN[:12]).payload == b""


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        PLAIN[:11],
        b"\x40" + PLAIN[1:],  # version 1
        b"\x8f" + PLAIN[1:],  # 15 sources announced, none there
        b"\x90" + PLAIN[1:12] + b"\xbe\xde",  # extension cut short
        b"\x90" + PLAIN[1:12] + b"\xbe\xde\x00\x09",  # extension longer than the datagram
        b"\xa0" + PLAIN[1:12] + b"\x00",  # padding of zero octets
        b"\xa0" + PLAIN[1:12] + b"\xff",  # padding longer than the datagram
    ],
)
def test_what_is_no_rtp_is_refused_with_the_typed_error(datagram: bytes) -> None:
    with pytest.raises(RtpError):
        RtpPacket.parse(datagram)


@given(st.binary(max_size=64))
def test_no_datagram_raises_anything_else(datagram: bytes) -> None:
    with suppress(RtpError):
        RtpPacket.parse(b"\xb3" + datagram)


def test_rtcp_on_the_rtp_port_is_told_by_its_second_octet() -> None:
    assert is_rtcp(b"\x80\xc8\0\1")
    assert is_rtcp(b"\x80\xdf")
    assert not is_rtcp(PLAIN)
    assert not is_rtcp(b"\x80\xe0")
    assert not is_rtcp(b"\x80")


def test_distances_are_signed_across_the_wrap() -> None:
    assert (seq_delta(1, 0xFFFF), seq_delta(0xFFFF, 1)) == (2, -2)
    assert (ts_delta(80, 0xFFFFFFB0), ts_delta(0xFFFFFFB0, 80)) == (160, -160)


def test_a_source_numbers_packets_across_the_wrap_and_keeps_its_ssrc() -> None:
    source = RtpSource(ssrc=7, seq=0xFFFF, rtp_ts=0xFFFFFFFF)
    first = RtpPacket.parse(source.packet(0, b"a", marker=True))
    source.advance(160)
    second = RtpPacket.parse(source.packet(0, b"b"))
    assert (first.seq, first.rtp_ts, first.marker) == (0xFFFF, 0xFFFFFFFF, True)
    assert (second.seq, second.rtp_ts, second.marker) == (0, 159, False)
    assert first.ssrc == second.ssrc == 7


def test_an_event_has_its_own_timestamp_and_leaves_the_clock_alone() -> None:
    source = RtpSource(rtp_ts=1000)
    assert RtpPacket.parse(source.packet(101, b"", rtp_ts=840)).rtp_ts == 840
    assert RtpPacket.parse(source.packet(0, b"")).rtp_ts == 1000
