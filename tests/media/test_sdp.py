from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.codecs import PCMA, PCMU
from media.errors import NoCommonCodec, SdpError
from media.sdp import Negotiated, accept, answer, offer, parse

HEAD = "v=0\r\no=- 7 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
CODECS = (PCMU, PCMA)


def body(*lines: str, head: str = HEAD) -> bytes:
    return (head + "".join(f"{line}\r\n" for line in lines)).encode()


def answered(*lines: str, head: str = HEAD) -> tuple[bytes, Negotiated]:
    return answer(body(*lines, head=head), "198.51.100.9", 6000, CODECS)


def accepted(*lines: str, head: str = HEAD) -> Negotiated:
    return accept(offer("198.51.100.9", 6000, CODECS, 101, 3), body(*lines, head=head))


def media_lines(sdp: bytes) -> list[str]:
    return [line for line in sdp.decode().split("\r\n") if line.startswith("m=")]


def test_an_offer_names_codecs_and_digits_with_their_clock() -> None:
    lines = offer("198.51.100.9", 6000, CODECS, 101, 3).decode().split("\r\n")
    assert "o=- 3 1 IN IP4 198.51.100.9" in lines
    assert "m=audio 6000 RTP/AVP 0 8 101" in lines
    assert "a=rtpmap:101 telephone-event/8000" in lines
    assert "a=sendrecv" in lines


def test_an_offer_from_an_ipv6_address_says_so() -> None:
    assert b"c=IN IP6 2001:db8::9" in offer("2001:db8::9", 6000, CODECS)


def test_static_payload_types_need_no_rtpmap() -> None:
    _, negotiated = answered("m=audio 4000 RTP/AVP 8 0")
    assert (negotiated.codec, negotiated.send_payload_type) == (PCMA, 8)
    assert dict(negotiated.receive_payload_types) == {8: PCMA, 0: PCMU}
    assert negotiated.remote == ("192.0.2.1", 4000)


def test_numbers_follow_the_offer_and_are_never_renumbered() -> None:
    sdp, negotiated = answered(
        "m=audio 4000 RTP/AVP 97 110 100",
        "a=rtpmap:97 opus/48000/2",
        "a=rtpmap:110 pcma/8000/1",
        "a=rtpmap:100 telephone-event/8000",
    )
    assert negotiated.send_payload_type == 110
    assert (negotiated.dtmf_send, negotiated.dtmf_receive) == (100, 100)
    assert media_lines(sdp) == ["m=audio 6000 RTP/AVP 110 100"]


def test_digits_use_the_telephone_event_with_the_clock_of_the_audio() -> None:
    _, negotiated = answered(
        "m=audio 4000 RTP/AVP 0 100 101",
        "a=rtpmap:100 telephone-event/48000",
        "a=rtpmap:101 telephone-event/8000",
    )
    assert negotiated.dtmf_send == 101


def test_an_unreadable_rtpmap_of_a_codec_we_do_not_know_costs_nothing() -> None:
    _, negotiated = answered("m=audio 4000 RTP/AVP 96 97 0", "a=rtpmap:96", "a=rtpmap:97 x/y")
    assert negotiated.codec is PCMU


@pytest.mark.parametrize("number", ["128", "-1", "x", "99999999999"])
def test_a_payload_type_that_fits_no_packet_is_refused(number: str) -> None:
    with pytest.raises(SdpError):
        answered(f"m=audio 4000 RTP/AVP {number}", f"a=rtpmap:{number} PCMU/8000")


def test_an_offer_without_digits_is_answered_without() -> None:
    sdp, negotiated = answered("m=audio 4000 RTP/AVP 0")
    assert negotiated.dtmf_send is None
    assert b"telephone-event" not in sdp


def test_each_side_keeps_its_own_numbers_when_the_answer_differs() -> None:
    negotiated = accepted(
        "m=audio 4000 RTP/AVP 0 96", "a=rtpmap:0 PCMU/8000", "a=rtpmap:96 telephone-event/8000"
    )
    assert (negotiated.dtmf_send, negotiated.dtmf_receive) == (96, 101)
    assert dict(negotiated.receive_payload_types) == {0: PCMU, 8: PCMA}


def test_a_known_number_mapped_to_another_codec_is_that_other_codec() -> None:
    with pytest.raises(NoCommonCodec):
        answered("m=audio 4000 RTP/AVP 0", "a=rtpmap:0 G726-32/8000")


def test_every_line_is_answered_in_order_and_all_but_one_refused() -> None:
    sdp, negotiated = answered(
        "m=image 5000 udptl t38",
        "m=audio 4000 RTP/SAVP 0",
        "m=audio 4002 RTP/AVP 0",
        "m=audio 4004 RTP/AVP 0",
        "m=video 4006 RTP/AVP 96",
    )
    assert negotiated.remote[1] == 4002
    assert media_lines(sdp) == [
        "m=image 0 udptl t38",
        "m=audio 0 RTP/SAVP 0",
        "m=audio 6000 RTP/AVP 0",
        "m=audio 0 RTP/AVP 0",
        "m=video 0 RTP/AVP 96",
    ]


def test_an_opportunistic_crypto_line_is_answered_in_clear_under_the_same_profile() -> None:
    sdp, _ = answered("m=audio 4000 RTP/AVP 0", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x")
    assert b"RTP/AVP" in sdp
    assert b"crypto" not in sdp


@pytest.mark.parametrize(
    "lines",
    [
        ["m=image 5000 udptl t38"],
        ["m=audio 0 RTP/AVP 0"],
        ["m=audio 4000 RTP/SAVP 0"],
        ["m=audio 4000 RTP/AVP 18"],
        ["m=audio 4000 RTP/AVP 101", "a=rtpmap:101 telephone-event/8000"],
        [],
    ],
)
def test_nothing_in_common_is_its_own_error(lines: list[str]) -> None:
    with pytest.raises(NoCommonCodec):
        answered(*lines)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("sendrecv", "sendrecv"),
        ("sendonly", "recvonly"),
        ("recvonly", "sendonly"),
        ("inactive", "inactive"),
    ],
)
def test_a_direction_is_mirrored(theirs: str, ours: str) -> None:
    sdp, negotiated = answered("m=audio 4000 RTP/AVP 0", f"a={theirs}")
    assert negotiated.direction == ours
    assert f"a={ours}".encode() in sdp


def test_the_address_0_0_0_0_is_a_hold() -> None:
    _, negotiated = answered("m=audio 4000 RTP/AVP 0", "c=IN IP4 0.0.0.0")
    assert negotiated.direction == "recvonly"
    assert not negotiated.sends


def test_our_own_hold_stays_a_hold_when_the_answer_omits_the_direction() -> None:
    held = offer("198.51.100.9", 6000, CODECS, direction="sendonly")
    assert accept(held, body("m=audio 4000 RTP/AVP 0")).direction == "sendonly"


def test_the_packet_length_asked_for_is_read_and_nonsense_ignored() -> None:
    assert answered("m=audio 4000 RTP/AVP 0", "a=ptime:30")[1].ptime_ms == 30
    assert answered("m=audio 4000 RTP/AVP 0", "a=ptime:x")[1].ptime_ms == 20
    assert answered("m=audio 4000 RTP/AVP 0", "a=ptime:0")[1].ptime_ms == 20


@pytest.mark.parametrize("address", ["phone.example.com", "224.2.1.1", "255.255.255.255", "1.2.3"])
def test_an_address_that_is_not_one_host_is_refused(address: str) -> None:
    with pytest.raises(SdpError):
        answered("m=audio 4000 RTP/AVP 0", f"c=IN IP4 {address}")


def test_no_address_at_all_is_refused() -> None:
    with pytest.raises(SdpError):
        answered("m=audio 4000 RTP/AVP 0", head="v=0\r\no=- 1 1 IN IP4 x\r\ns=-\r\nt=0 0\r\n")


def test_an_answer_with_the_audio_refused_is_no_common_codec() -> None:
    with pytest.raises(NoCommonCodec):
        accepted("m=audio 0 RTP/AVP 0")


def test_an_answer_with_audio_where_none_was_offered_is_refused() -> None:
    with pytest.raises(SdpError):
        accepted("m=image 0 udptl t38", "m=audio 4000 RTP/AVP 0")


def test_an_answer_to_our_own_offer_agrees_with_it() -> None:
    offered = offer("198.51.100.9", 6000, CODECS)
    answer_sdp, theirs = answer(offered, "192.0.2.1", 4000, CODECS)
    ours = accept(offered, answer_sdp)
    assert ours.remote == ("192.0.2.1", 4000)
    assert theirs.remote == ("198.51.100.9", 6000)
    assert (ours.codec, ours.dtmf_send) == (theirs.codec, theirs.dtmf_receive)
    assert parse(answer_sdp).direction(parse(answer_sdp).media[0]) == "sendrecv"


@given(st.text(max_size=60))
def test_no_attribute_raises_anything_but_the_typed_error(text: str) -> None:
    for name in ("rtpmap", "ptime", "fmtp"):
        with suppress(SdpError):
            answered("m=audio 4000 RTP/AVP 0", f"a={name}:{text}")
