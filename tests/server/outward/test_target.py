"""URLs and header fields as users write them."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.outward.errors import OutwardRefused
from server.outward.rules import OutwardRules
from server.outward.target import OWN_FIELDS, check_headers, parse_url, with_query

RULES = OutwardRules(allow_http=True)
REFUSED = [
    # Addresses, as they are and in disguise.
    "http://127.0.0.1/",
    "http://127.0.0.1./",
    "http://127.1/",
    "http://2130706433/",
    "http://017700000001/",
    "http://0177.0.0.1/",
    "http://0x7f000001/",
    "http://0x7f.0.0.1/",
    "http://0/",
    "http://169.254.169.254/latest/meta-data/",
    "http://[::1]/",
    "http://[::]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[0:0:0:0:0:ffff:127.0.0.1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[2002:7f00:1::]/",
    "http://[fe80::1%25eth0]/",
    "http://[fe80::1%eth0]/",
    "http://[2606:4700::1111%25eth0]/",
    "http://①②⑦.⓪.⓪.①/",
    "http://１２７.0.0.1/",
    "http://127。0。0。1/",
    "http://%31%32%37.0.0.1/",
    # Who is the host?
    "http://user@example.com/",
    "http://user:secret@example.com/",
    "http://@example.com/",
    "http://example.com@127.0.0.1/",
    "http://127.0.0.1\\@example.com/",
    "http://example.com\\.evil.example/",
    "http://exa\tmple.com/",
    "http://example.com /",
    "\nhttp://example.com/",
    "http://example.com/\r\nHost: evil",
    "http://example.com\x00.evil/",
    "http:///path",
    "http://",
    "http://[::1",
    "http://[v1.fe80]/",
    "http://a%2eb/",
    "http://x..y/",
    "http://-x.example/",
    "http://exa$mple.com/",
    "http://" + "a" * 64 + ".example/",
    "http://" + "a." * 130 + "example/",
    "http://example.com:0/",
    "http://example.com:99999/",
    "http://example.com:port/",
    # Other schemes.
    "ftp://example.com/",
    "file:///etc/passwd",
    "gopher://example.com/",
    "unix:///run/docker.sock",
    "javascript:alert(1)",
    "//example.com/",
    "example.com",
    "",
    "http://example.com/" + "a" * 4000,
]


@pytest.mark.parametrize("url", REFUSED)
def test_a_url_that_leads_inside_or_that_parsers_disagree_about_is_refused(url: str) -> None:
    with pytest.raises(OutwardRefused):
        parse_url(url, RULES)


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("https://example.com/a?b=c#d", "example.com", 443),
        ("http://EXAMPLE.com:8080", "example.com", 8080),
        ("https://example.com./", "example.com.", 443),
        ("https://faß.example/", "xn--fa-hia.example", 443),
        ("https://crm_1/", "crm_1", 443),
        ("https://1.1.1.1/", "1.1.1.1", 443),
        ("https://[2606:4700::1111]/", "2606:4700::1111", 443),
    ],
)
def test_an_ordinary_url_is_taken(url: str, host: str, port: int) -> None:
    target = parse_url(url, RULES)
    assert (target.host, target.port) == (host, port)
    assert target.url.fragment == ""


def test_plain_http_is_refused_unless_settings_allow_it() -> None:
    with pytest.raises(OutwardRefused, match="https"):
        parse_url("http://example.com/", OutwardRules())


@given(st.text() | st.text().map("http://{}/".format) | st.from_regex(r"https?://[\S]{0,30}"))
def test_no_text_raises_anything_but_a_refusal(text: str) -> None:
    with suppress(OutwardRefused):
        parse_url(text, RULES)


def test_a_parameter_joins_those_of_the_url() -> None:
    assert with_query("https://e.example/h?key=1", "event", '{"a": "é&b"}') == (
        "https://e.example/h?key=1&event=%7B%22a%22:+%22%C3%A9%26b%22%7D"
    )


@pytest.mark.parametrize("name", [*sorted(OWN_FIELDS), "Host", "Webhook-Signature", "TE"])
def test_a_header_field_of_the_node_itself_cannot_be_set(name: str) -> None:
    with pytest.raises(OutwardRefused, match=name):
        check_headers({name: "x"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-A", "b\r\nHost: evil"),
        ("X-A", "b\nc"),
        ("X-A", "b\rc"),
        ("X-A", "b\x00c"),
        ("X-A", "é"),
        ("X-A\r\nHost", "evil"),
        ("X A", "b"),
        ("X-A:", "b"),
        ("", "b"),
    ],
)
def test_a_header_cannot_carry_another_one(name: str, value: str) -> None:
    with pytest.raises(OutwardRefused):
        check_headers({name: value})


def test_ordinary_headers_are_taken() -> None:
    check_headers({"Authorization": "Bearer abc=", "X-Tenant": "7", "Content-Type": "text/plain"})
