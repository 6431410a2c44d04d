from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.description import parse
from media.errors import SdpError

WELL_FORMED = (
    b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
    b"m=audio 4000 RTP/AVP 0\r\na=sendonly\r\n"
)


def test_a_media_line_inherits_the_session_address() -> None:
    assert parse(WELL_FORMED).media[0].address == "192.0.2.1"


def test_an_address_under_the_media_line_comes_first() -> None:
    body = WELL_FORMED + b"c=IN IP6 2001:db8::5\r\n"
    assert parse(body).media[0].address == "2001:db8::5"


def test_a_direction_counts_from_the_line_then_the_session_then_the_default() -> None:
    session = parse(WELL_FORMED.replace(b"m=", b"a=inactive\r\nm="))
    assert session.direction(session.media[0]) == "sendonly"
    session = parse(WELL_FORMED.replace(b"a=sendonly", b"a=inactive"))
    assert session.direction(session.media[0]) == "inactive"
    session = parse(WELL_FORMED.replace(b"a=sendonly\r\n", b""))
    assert session.direction(session.media[0]) == "sendrecv"


def test_bare_line_feeds_and_unknown_lines_are_taken() -> None:
    body = WELL_FORMED.replace(b"\r\n", b"\n").replace(b"t=0 0", b"t=0 0\ny=what\nk=clear:x")
    assert parse(body) == parse(WELL_FORMED)


def test_a_multicast_suffix_and_a_port_count_are_cut_off() -> None:
    session = parse(
        WELL_FORMED.replace(b"192.0.2.1\r\nt", b"192.0.2.1/127\r\nt").replace(b"4000", b"4000/2")
    )
    assert (session.media[0].address, session.media[0].port) == ("192.0.2.1", 4000)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"hello",
        b"v=1\r\n",
        WELL_FORMED.replace(b"m=audio 4000 RTP/AVP 0", b"m=audio"),
        WELL_FORMED.replace(b"4000", b"99999"),
        WELL_FORMED.replace(b"4000", b"-1"),
        WELL_FORMED.replace(b"4000", "٤٠٠٠".encode()),
        WELL_FORMED.replace(b"c=IN IP4 192.0.2.1", b"c=IN IP4"),
        WELL_FORMED.replace(b"c=IN IP4", b"c=ATM NSAP"),
        WELL_FORMED + b"a=x\r\n" * 20000,
    ],
)
def test_what_cannot_be_read_is_refused_with_the_typed_error(body: bytes) -> None:
    with pytest.raises(SdpError):
        parse(body)


@given(st.binary(max_size=200), st.integers(0, len(WELL_FORMED)))
def test_damage_raises_nothing_else(damage: bytes, at: int) -> None:
    with suppress(SdpError):
        parse(WELL_FORMED[:at] + damage + WELL_FORMED[at + len(damage) :])
