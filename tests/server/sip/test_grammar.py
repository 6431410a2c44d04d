import pytest

from server.sip.errors import ParseError
from server.sip.grammar import header_name, is_token, parse_parameters, quote, split, unquote


def test_a_list_is_not_split_inside_quotes_or_brackets():
    text = '"Smith, J" <sip:a,b@x;p="1,2">, <sip:c@y>'
    assert split(text, ",") == ['"Smith, J" <sip:a,b@x;p="1,2">', " <sip:c@y>"]


def test_an_escaped_quote_does_not_close_the_string():
    assert split(r'"a\",b",c', ",") == [r'"a\",b"', "c"]


@pytest.mark.parametrize("text", ['"open', "<sip:a@b", '"ends with \\'])
def test_an_open_quote_or_bracket_is_refused(text):
    with pytest.raises(ParseError):
        split(text, ",")


@pytest.mark.parametrize(
    ("name", "expected"),
    [("v", "Via"), ("I", "Call-ID"), ("cSEQ", "CSeq"), ("rECORD-route", "Record-Route")],
)
def test_compact_and_oddly_spelled_names_become_one_spelling(name, expected):
    assert header_name(name) == expected


def test_parameters_keep_quoted_values_and_lower_their_names():
    assert parse_parameters([" Tag = a1 ", "lr", 'x="a b"']) == {
        "tag": "a1",
        "lr": None,
        "x": '"a b"',
    }


@pytest.mark.parametrize("piece", ["", "  ", "=1", "a b", "a=b c"])
def test_a_malformed_parameter_is_refused(piece):
    with pytest.raises(ParseError):
        parse_parameters([piece])


def test_quoting_and_unquoting_are_inverse():
    assert unquote(quote('a "b" \\ c')) == 'a "b" \\ c'


def test_every_odd_token_character_is_accepted():
    assert is_token("!interesting-Method0123456789_*+`.%indeed'~")
    assert not is_token("a b")
