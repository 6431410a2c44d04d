"""`"Display" <uri>;parameters`: From, To, Contact, Route, Record-Route (RFC 3261 §20.10)."""

import re
from dataclasses import dataclass, field, replace

from server.sip.errors import ParseError
from server.sip.grammar import Parameters, format_parameters, parse_parameters, quote, split
from server.sip.uri import Uri

_BRACKETED = re.compile(
    r'\s*(?:"((?:[^"\\]|\\.)*)"|([^"<>,;]*))\s*<\s*([^<>]*?)\s*>\s*(;.*)?', re.DOTALL
)


@dataclass(frozen=True, slots=True)
class NameAddress:
    """A URI with its display name and header parameters."""

    uri: Uri
    display: str = ""
    """Unquoted."""
    parameters: Parameters = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> "NameAddress":
        """Parse both the bracketed and the bare form. Raises ParseError.

        In the bare form every parameter belongs to the header field, not to the URI, and a
        URI with a header part is refused (§20).
        """
        match = _BRACKETED.fullmatch(text)
        if match is not None:
            quoted, plain, uri, tail = match.groups()
            display = plain.strip() if quoted is None else re.sub(r"(?s)\\(.)", r"\1", quoted)
            return cls(Uri.parse(uri), display, _header_parameters(tail))
        if "<" in text:
            raise ParseError("Malformed address")
        # A semicolon before the @ belongs to the user part (§19.1.6).
        end = text.find(";", text.find("@") + 1)
        bare, tail = (text, "") if end < 0 else (text[:end], text[end:])
        address = Uri.parse(bare.strip())
        if address.headers:
            raise ParseError("URI headers outside angle brackets")
        return cls(address, "", _header_parameters(tail))

    @property
    def tag(self) -> str | None:
        """The tag parameter, or None."""
        return self.parameters.get("tag")

    def with_tag(self, tag: str) -> "NameAddress":
        """Return the same address carrying `tag`."""
        return replace(self, parameters={**self.parameters, "tag": tag})

    def __str__(self) -> str:
        display = f"{quote(self.display)} " if self.display else ""
        return f"{display}<{self.uri}>{format_parameters(self.parameters)}"


def _header_parameters(tail: str | None) -> Parameters:
    return parse_parameters(split(tail[1:], ";")) if tail else {}
