"""Building requests that stand outside of dialogs: INVITE, OPTIONS, MESSAGE (RFC 3261 §8.1.1)."""

import re
from collections.abc import Mapping

from server.sip.core import ACCEPT, ALLOW, Core
from server.sip.errors import ParseError, UsageError
from server.sip.events import Address
from server.sip.grammar import header_name, is_token
from server.sip.headers import Headers
from server.sip.message import Request
from server.sip.name_address import NameAddress
from server.sip.uri import Uri, format_host_port

_OURS = frozenset(
    "Via Max-Forwards From To Call-ID CSeq Contact Route Record-Route Content-Type "
    "Content-Length Authorization Proxy-Authorization".split()
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def invite(
    core: Core,
    *,
    target: str,
    from_uri: str,
    from_display: str,
    sdp: bytes,
    headers: Mapping[str, str],
) -> Request:
    """Build an INVITE outside any dialog. Raises UsageError."""
    fields = _between(core, target, from_uri, from_display, "INVITE")
    for name, value in headers.items():
        if not is_token(name) or header_name(name) in _OURS:
            raise UsageError(f"Header field {name!r} is not free to set")
        fields.append((name, _printable(value)))
    fields.append(("Content-Type", "application/sdp"))
    return Request(Headers(fields), sdp, "INVITE", target)


def options(core: Core, destination: Address) -> Request:
    """Build an OPTIONS ping to an address."""
    uri = f"sip:{format_host_port(destination.host, destination.port)}"
    sender = NameAddress.parse(core.contact).with_tag(core.identifier())
    to = f"<sip:{format_host_port(destination.host, None)}>"
    fields = _head(core, str(sender), to, core.identifier() + core.identifier(), "OPTIONS")
    return Request(Headers([*fields, ("Accept", ACCEPT)]), b"", "OPTIONS", uri)


def message(core: Core, *, target: str, from_uri: str, from_display: str, text: str) -> Request:
    """Build a MESSAGE outside any dialog (RFC 3428). text: any length, no NUL. Raises UsageError.

    A MESSAGE sets up nothing, so it has no Contact (§4).
    """
    fields = _between(core, target, from_uri, from_display, "MESSAGE")
    fields = [field for field in fields if field[0] != "Contact"]
    if "\0" in text:
        raise UsageError("a text message holds NUL")
    fields.append(("Content-Type", "text/plain;charset=UTF-8"))
    return Request(Headers(fields), text.encode(), "MESSAGE", target)


def _between(
    core: Core, target: str, from_uri: str, from_display: str, method: str
) -> list[tuple[str, str]]:
    """The head of a request from a number of ours to somebody. Raises UsageError."""
    callee = _sip_uri(target)
    sender = NameAddress(_sip_uri(from_uri), _printable(from_display), {"tag": core.identifier()})
    # To names a person: neither port nor transport parameters stand there (§19.1.1, table 1).
    to = NameAddress(Uri(callee.scheme, callee.user, callee.host))
    call_id = core.identifier() + core.identifier()
    return _head(core, str(sender), str(to), call_id, method)


def _head(core: Core, sender: str, to: str, call_id: str, method: str) -> list[tuple[str, str]]:
    return [
        ("Via", core.via()),
        ("Max-Forwards", "70"),
        ("From", sender),
        ("To", to),
        ("Call-ID", call_id),
        ("CSeq", f"1 {method}"),
        ("Contact", core.contact),
        ("User-Agent", core.user_agent),
        ("Allow", ALLOW),
    ]


def _sip_uri(text: str) -> Uri:
    try:
        uri = Uri.parse(text)
    except ParseError as error:
        raise UsageError(f"{text!r} is no SIP URI") from error
    if not uri.is_sip or uri.headers:
        raise UsageError(f"{text!r} is no plain SIP URI")
    return uri


def _printable(text: str) -> str:
    if _CONTROL.search(text):
        raise UsageError(f"{text!r} holds control characters")
    return text
