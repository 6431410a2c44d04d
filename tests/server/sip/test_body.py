import pytest

from server.sip.body import dtmf_digit, same_media, session_description
from tests.server.sip.wire import OFFER, request

MULTIPART = (
    b"--b1\r\nContent-Type: application/isup;version=x\r\n\r\n\x01\r\n--\r\n"
    b"--b1\r\nC: application/sdp\r\n\r\n" + OFFER + b"\r\n--b1--\r\n"
)


def test_sdp_is_found_alone_whatever_the_charset():
    message = request("INVITE", body=OFFER, content_type="Application/SDP; charset=utf-8")
    assert session_description(message) == OFFER


def test_sdp_is_found_inside_multipart():
    message = request("INVITE", body=MULTIPART, content_type='multipart/mixed;boundary="b1"')
    assert session_description(message) == OFFER


@pytest.mark.parametrize(
    "kind", ["text/plain", "multipart/mixed", "multipart/mixed;boundary=zz", '"']
)
def test_other_bodies_hold_no_sdp(kind):
    assert session_description(request("INVITE", body=MULTIPART, content_type=kind)) is None


@pytest.mark.parametrize(
    ("kind", "body", "digit"),
    [
        ("application/dtmf-relay", b"Signal=5\r\nDuration=160\r\n", "5"),
        ("application/dtmf-relay", b"Signal= * \r\nDuration= 250", "*"),
        ("application/dtmf-relay", b"signal=11", "#"),
        ("application/dtmf", b"d", "D"),
        ("application/dtmf", b"99", None),
        ("text/plain", b"5", None),
    ],
)
def test_a_dtmf_body_yields_its_digit(kind, body, digit):
    assert dtmf_digit(request("INFO", body=body, content_type=kind)) == digit


def test_a_new_session_version_alone_leaves_the_media_the_same():
    assert same_media(OFFER, OFFER.replace(b"o=- 1 1", b"o=- 1 2"))


@pytest.mark.parametrize("change", [(b"4000", b"4002"), (b"c=IN IP4 192", b"c=IN IP4 198")])
def test_another_port_or_address_is_other_media(change):
    assert not same_media(OFFER, OFFER.replace(*change))


def test_hold_is_other_media_and_sendrecv_the_default():
    assert not same_media(OFFER, OFFER + b"a=sendonly\r\n")
    assert same_media(OFFER, OFFER + b"a=sendrecv\r\n")
