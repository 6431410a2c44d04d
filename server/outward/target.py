"""A URL and header fields as users give them, checked before anything is sent."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from yarl import URL

from server.outward.errors import OutwardRefused
from server.outward.rules import HOST, Address, OutwardRules, ends_in_number, literal

MAX_URL_CHARS = 4000
MAX_HOST_CHARS = 253
UNFIT = re.compile(r"[\x00-\x20\x7f-\x9f\\]")
"""What parsers of URLs disagree about: white space, controls, backslashes."""
AUTHORITY = re.compile(r"[A-Za-z]+://([^/?#]*)")
FIELD_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
FIELD_VALUE = re.compile(r"[\x20-\x7e]*")
OWN_FIELDS = frozenset(
    {
        "host", "content-length", "transfer-encoding", "connection", "keep-alive", "te",
        "trailer", "upgrade", "expect", "proxy-connection", "proxy-authorization",
        "accept-encoding", "webhook-id", "webhook-timestamp", "webhook-signature",
    }
)  # fmt: skip
"""Header fields that are the node's alone: framing and the signature."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes; the same URL object is parsed once and then connected to."""

    url: URL
    host: str
    """In ASCII, as it goes into DNS, `Host` and TLS."""
    port: int
    address: Address | None
    """The host where it is written as an address."""


def parse_url(text: str, rules: OutwardRules) -> Target:
    """Take a URL apart, and check all of it that needs no DNS. Raises `OutwardRefused`."""
    if len(text) > MAX_URL_CHARS:
        raise OutwardRefused(f"the URL is longer than {MAX_URL_CHARS} characters")
    if UNFIT.search(text):
        raise OutwardRefused("the URL holds white space, a control character or a backslash")
    try:
        url = URL(text)
        host, port = url.raw_host, url.port
    except ValueError:
        raise OutwardRefused("not a URL") from None
    if url.scheme not in (("http", "https") if rules.allow_http else ("https",)):
        raise OutwardRefused(f"{url.scheme or 'no scheme'}: the URL must be https")
    # In the text itself: an empty user name is gone once it is parsed.
    authority = AUTHORITY.match(text)
    if authority is None or not host or not port:
        raise OutwardRefused("the URL has no host, or port 0")
    if "@" in authority[1]:
        raise OutwardRefused("the URL holds a user name; send credentials in a header")
    address = _address(host, rules)
    if "[" in authority[1] and address is None:
        raise OutwardRefused("the URL's host is neither a name nor an address")
    return Target(url.with_fragment(None), host, port, address)


def _address(host: str, rules: OutwardRules) -> Address | None:
    """Check a host; returns it where it is an address."""
    address = literal(host)
    if address is not None:
        if not rules.allows(address):
            raise OutwardRefused("the URL leads to an address that this node does not call")
        return address
    name = host.lower().removesuffix(".")
    if len(name) > MAX_HOST_CHARS or HOST.fullmatch(name) is None or ends_in_number(name):
        raise OutwardRefused("the URL's host is neither a name nor an address")
    return None


def with_query(text: str, name: str, value: str) -> str:
    """Set one parameter of a URL's query. Raises `OutwardRefused`."""
    try:
        return str(URL(text).update_query({name: value}))
    except ValueError:
        raise OutwardRefused("not a URL") from None


def check_headers(headers: Mapping[str, str]) -> None:
    """Check header fields that a user gave. Raises `OutwardRefused`, which names the field."""
    for name, value in headers.items():
        if FIELD_NAME.fullmatch(name) is None:
            raise OutwardRefused(f"header {name[:64]!r}: not a field name")
        if name.lower() in OWN_FIELDS:
            raise OutwardRefused(f"header {name}: set by the node itself")
        if FIELD_VALUE.fullmatch(value) is None:
            raise OutwardRefused(f"header {name}: its value is not printable ASCII on one line")
