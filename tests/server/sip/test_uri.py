import pytest

from server.sip.errors import ParseError
from server.sip.uri import Uri


def test_a_uri_is_taken_apart():
    uri = Uri.parse("sip:+1647;ext=2@Trunk.example:5070;transport=udp;lr")
    assert (uri.user, uri.host, uri.port) == ("+1647;ext=2", "trunk.example", 5070)
    assert uri.parameters == {"transport": "udp", "lr": None}


@pytest.mark.parametrize(
    "text",
    [
        "sip:trunk.example",
        "sips:a:secret@b.example;user=phone",
        "sip:user@[2001:db8::10]:5070",
        "sip:a@b;p=1?Subject=x",
        "tel:+16475551234",
    ],
)
def test_a_uri_is_written_as_it_was_read(text):
    assert str(Uri.parse(text)) == text


def test_a_host_without_a_dot_is_accepted():
    assert Uri.parse("sip:alice@pbx1").host == "pbx1"


def test_a_port_stands_only_after_the_bracket():
    assert Uri.parse("sip:[2001:db8::10:5070]").port is None


def test_a_third_colon_before_an_ipv4_tail_is_tolerated():
    assert Uri.parse("sip:user@[2001:db8:::192.0.2.1]").host == "2001:db8::192.0.2.1"


def test_escapes_are_resolved_once_and_nulls_kept():
    assert Uri.parse("sip:a%00%2541@b").decoded_user == "a\0%41"


@pytest.mark.parametrize(
    "text",
    [
        *("", "alice", "sip:", "sip:a b@c", "sip:a@b;", "<sip:a>", "sip:a@b\r\nX: y"),
        *("sip:2001:db8::10", "sip:a@b:99999", "sip:a@[zz]"),
    ],
)
def test_a_malformed_uri_is_refused(text):
    with pytest.raises(ParseError):
        Uri.parse(text)
