import pytest

from server.sip.errors import ParseError
from server.sip.name_address import NameAddress


@pytest.mark.parametrize(
    ("text", "display", "tag"),
    [
        ('"A. Bell"<sip:a@b>;tag=1', "A. Bell", "1"),
        ('"" <sip:a@b>', "", None),
        ('"say \\"hi\\"" <sip:a@b>', 'say "hi"', None),
        ("Alice Smith <sip:a@b> ; tag = 2", "Alice Smith", "2"),
        ("<sip:a@b;tag=3>", "", None),
        ("sip:a@b;tag=4", "", "4"),
        ("sip:b.example;tag=5", "", "5"),
        ("< sip:a@b >;tag=6", "", "6"),
        ("<b0119:532@192.0.2.9>;tag=7", "", "7"),
    ],
)
def test_every_form_of_an_address_is_read(text, display, tag):
    address = NameAddress.parse(text)
    assert (address.display, address.tag) == (display, tag)


def test_a_semicolon_before_the_at_belongs_to_the_user():
    address = NameAddress.parse("sip:1234;phone-context=+1@b.example;tag=9")
    assert address.uri.user == "1234;phone-context=+1"
    assert address.tag == "9"


def test_a_display_name_is_quoted_when_written():
    address = NameAddress.parse('"O\\"Neil" <sip:a@b>').with_tag("x")
    assert str(address) == '"O\\"Neil" <sip:a@b>;tag=x'


@pytest.mark.parametrize(
    "text", ["", "<sip:a@b", '"open <sip:a@b>', "sip:a@b?x=y", "Bell, A <sip:a@b>", "<sip:a@b>x"]
)
def test_a_malformed_address_is_refused(text):
    with pytest.raises(ParseError):
        NameAddress.parse(text)
