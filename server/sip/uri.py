"""SIP and SIPS URIs, and other schemes left opaque (RFC 3261 §19.1)."""

import ipaddress
import re
from dataclasses import dataclass, field
from urllib.parse import unquote

from server.sip.errors import ParseError
from server.sip.grammar import Parameters, format_parameters

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):(.+)", re.DOTALL)
_HOST_PORT = re.compile(r"(\[[^\]]*\]|[A-Za-z0-9._\-]+)\s*(?::\s*([0-9]{1,5}))?\s*")
_FORBIDDEN = re.compile(r'[\x00-\x20\x7f<>"]')


@dataclass(frozen=True, slots=True)
class Uri:
    """A checked URI; of schemes other than sip and sips only `opaque` is known."""

    scheme: str
    """Lower case."""
    user: str | None = None
    """Everything before the @, as written: escapes, password and semicolons included."""
    host: str = ""
    """Lower case; IPv6 without brackets."""
    port: int | None = None
    parameters: Parameters = field(default_factory=dict)
    headers: str = ""
    """The text after the question mark."""
    opaque: str = ""
    """The text after the colon, for schemes other than sip and sips."""

    @classmethod
    def parse(cls, text: str) -> "Uri":
        """Parse an absolute URI. Raises ParseError."""
        match = _SCHEME.fullmatch(text)
        if match is None or _FORBIDDEN.search(text):
            raise ParseError("Malformed URI")
        scheme, rest = match[1].lower(), match[2]
        if scheme not in ("sip", "sips"):
            return cls(scheme, opaque=rest)
        # The user part may hold ; and ? so the @ decides first (§19.1.6).
        user, at, rest = _cut_user(rest)
        rest, _, headers = rest.partition("?")
        host_port, *pieces = rest.split(";")
        host, port = parse_host_port(host_port)
        return cls(scheme, user if at else None, host, port, _parameters(pieces), headers)

    @property
    def is_sip(self) -> bool:
        """Whether the scheme is one that this user agent speaks."""
        return self.scheme in ("sip", "sips")

    @property
    def decoded_user(self) -> str:
        """The user part with its %HH escapes resolved once."""
        return unquote(self.user or "")

    def __str__(self) -> str:
        if not self.is_sip:
            return f"{self.scheme}:{self.opaque}"
        user = "" if self.user is None else f"{self.user}@"
        headers = f"?{self.headers}" if self.headers else ""
        host_port = format_host_port(self.host, self.port)
        return f"{self.scheme}:{user}{host_port}{format_parameters(self.parameters)}{headers}"


def parse_host_port(text: str) -> tuple[str, int | None]:
    """Parse `host[:port]`; IPv6 must stand in brackets. Raises ParseError."""
    match = _HOST_PORT.fullmatch(text)
    if match is None:
        raise ParseError("Malformed host")
    port = None if match[2] is None else int(match[2])
    if port is not None and port > 65535:
        raise ParseError("Port out of range")
    return parse_host(match[1]), port


def parse_host(text: str) -> str:
    """Return a host in lower case, IPv6 without brackets. Raises ParseError."""
    if not text.startswith("["):
        return text.lower()
    # The grammar of RFC 3261 lets a third colon in before an IPv4 tail (RFC 5118 §4.10).
    literal = text[1:-1].replace(":::", "::")
    try:
        ipaddress.IPv6Address(literal)
    except ValueError:
        raise ParseError("Malformed IPv6 reference") from None
    return literal.lower()


def format_host_port(host: str, port: int | None) -> str:
    """Write `host[:port]`, IPv6 in brackets."""
    bracketed = f"[{host}]" if ":" in host else host
    return bracketed if port is None else f"{bracketed}:{port}"


def _cut_user(rest: str) -> tuple[str, str, str]:
    user, at, tail = rest.partition("@")
    return (user, at, tail) if at else ("", "", rest)


def _parameters(pieces: list[str]) -> Parameters:
    parameters: Parameters = {}
    for piece in pieces:
        name, equals, value = piece.partition("=")
        if not name:
            raise ParseError("Malformed URI parameter")
        parameters.setdefault(name.lower(), value if equals else None)
    return parameters
