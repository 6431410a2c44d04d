import pytest

from server.sip.errors import BadRequestError, ParseError
from server.sip.message import MAX_HEADERS, CSeq, Request, Response, parse_message

LINES = [
    "OPTIONS sip:a@b SIP/2.0",
    "Via: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bKx",
    "From: <sip:c@d>;tag=1",
    "To: <sip:a@b>",
    "Call-ID: x",
    "CSeq: 1 OPTIONS",
]


def datagram(*extra, without="", body=b"", lines=LINES):
    kept = [line for line in lines if not (without and line.startswith(without))]
    return "\r\n".join([*kept, *extra]).encode() + b"\r\n\r\n" + body


def test_a_message_is_written_as_it_was_read():
    data = datagram("Content-Length: 3", body=b"abc")
    assert bytes(parse_message(data)) == data


def test_the_content_length_is_always_counted_afresh():
    message = parse_message(datagram(body=b"abcd"))
    assert message.body == b"abcd"
    assert b"Content-Length: 4\r\n" in bytes(message)


def test_octets_beyond_the_content_length_are_dropped():
    assert parse_message(datagram("l: 2", body=b"abcd")).body == b"ab"


def test_folded_lines_are_unfolded():
    message = parse_message(datagram("Subject: one", "\t two"))
    assert message.headers.get("Subject") == "one two"


def test_octets_that_are_no_utf8_survive():
    data = datagram("Subject: ?").replace(b"?", b"\xff\xfe")
    assert b"\xff\xfe" in bytes(parse_message(data))


@pytest.mark.parametrize("name", ["From", "To", "Call-ID", "CSeq"])
def test_a_request_without_a_mandatory_field_can_be_answered(name):
    with pytest.raises(BadRequestError) as caught:
        parse_message(datagram(without=name))
    assert caught.value.status == 400


def test_a_request_without_via_cannot_be_answered():
    with pytest.raises(ParseError) as caught:
        parse_message(datagram(without="Via"))
    assert not isinstance(caught.value, BadRequestError)


def test_a_malformed_ack_is_never_answered():
    lines = [line.replace("OPTIONS", "ACK") for line in LINES if not line.startswith("To")]
    with pytest.raises(ParseError) as caught:
        parse_message(datagram(lines=lines))
    assert not isinstance(caught.value, BadRequestError)


def test_a_malformed_response_is_never_answered():
    with pytest.raises(ParseError) as caught:
        parse_message(datagram(without="To", lines=["SIP/2.0 200 OK", *LINES[1:]]))
    assert not isinstance(caught.value, BadRequestError)


def test_another_protocol_version_is_told_so():
    with pytest.raises(BadRequestError) as caught:
        parse_message(datagram().replace(b"SIP/2.0\r\n", b"SIP/3.0\r\n", 1))
    assert caught.value.status == 505


@pytest.mark.parametrize("extra", ["Content-Length: -1", "Content-Length: 1", "Contact: <sip:a"])
def test_a_malformed_field_is_refused(extra):
    with pytest.raises(BadRequestError):
        parse_message(datagram(extra))


@pytest.mark.parametrize("data", [b"", b"\r\n\r\n", b"\0" * 40, datagram()[:-2]])
def test_what_is_no_message_is_refused(data):
    with pytest.raises(ParseError):
        parse_message(data)


def test_too_many_fields_are_refused():
    with pytest.raises(ParseError):
        parse_message(datagram(*(["X: y"] * MAX_HEADERS)))


def test_a_bare_line_feed_in_a_field_is_refused():
    with pytest.raises(ParseError):
        parse_message(datagram("Subject: a\nVia: b"))


def test_a_response_may_have_no_reason_phrase():
    for line in ("SIP/2.0 180 ", "SIP/2.0 180"):
        message = parse_message(datagram(lines=[line, *LINES[1:]]))
        assert isinstance(message, Response)
        assert (message.status, message.reason) == (180, "")


@pytest.mark.parametrize("text", ["1", "x INVITE", "4294967296 INVITE", "-1 INVITE", ""])
def test_a_malformed_cseq_is_refused(text):
    with pytest.raises(ParseError):
        CSeq.parse(text)


def test_an_unusable_max_forwards_counts_as_absent():
    message = parse_message(datagram("Max-Forwards: 99999999999"))
    assert isinstance(message, Request)
    assert message.max_forwards is None
