"""Lexical productions of SIP: tokens, quoted strings, lists, parameters (RFC 3261 §25.1)."""

import re
from collections.abc import Iterable, Mapping

from server.sip.errors import ParseError

Parameters = dict[str, str | None]
"""Names in lower case, values as on the wire (quotes kept); None for a bare name."""

TOKEN = r"[A-Za-z0-9\-.!%*_+`'~]+"  # noqa: S105

COMPACT_NAMES = {
    "a": "Accept-Contact",
    "b": "Referred-By",
    "c": "Content-Type",
    "d": "Request-Disposition",
    "e": "Content-Encoding",
    "f": "From",
    "i": "Call-ID",
    "j": "Reject-Contact",
    "k": "Supported",
    "l": "Content-Length",
    "m": "Contact",
    "o": "Event",
    "r": "Refer-To",
    "s": "Subject",
    "t": "To",
    "u": "Allow-Events",
    "v": "Via",
    "x": "Session-Expires",
    "y": "Identity",
}

IRREGULAR_NAMES = {
    "call-id": "Call-ID",
    "cseq": "CSeq",
    "mime-version": "MIME-Version",
    "rack": "RAck",
    "rseq": "RSeq",
    "www-authenticate": "WWW-Authenticate",
}

_PARAMETER = re.compile(rf'\s*({TOKEN})\s*(?:=\s*("(?:[^"\\]|\\.)*"|[^\s;,"<>]*))?\s*', re.DOTALL)


def is_token(text: str) -> bool:
    """Tell whether `text` is a token."""
    return re.fullmatch(TOKEN, text) is not None


def header_name(name: str) -> str:
    """Return the one spelling used inside the core for a header field name (§7.3.3)."""
    lower = name.lower()
    return COMPACT_NAMES.get(lower) or IRREGULAR_NAMES.get(lower) or lower.title()


def split(text: str, separator: str) -> list[str]:
    """Split at `separator` where it stands outside quoted strings and angle brackets.

    Raises ParseError where a quote or a bracket stays open.
    """
    parts: list[str] = []
    start = position = 0
    closing = ""
    while position < len(text):
        character = text[position]
        if closing:
            if character == "\\" and closing == '"':
                position += 1
            elif character == closing:
                closing = ""
        elif character == '"':
            closing = '"'
        elif character == "<":
            closing = ">"
        elif character == separator:
            parts.append(text[start:position])
            start = position + 1
        position += 1
    if closing:
        raise ParseError(f"Unbalanced {closing}")
    parts.append(text[start:])
    return parts


def parse_parameters(parts: Iterable[str]) -> Parameters:
    """Parse `name` and `name=value` pieces; the first of two equal names wins.

    Raises ParseError for an empty piece or a name that is no token.
    """
    parameters: Parameters = {}
    for part in parts:
        match = _PARAMETER.fullmatch(part)
        if match is None:
            raise ParseError("Malformed parameter")
        parameters.setdefault(match[1].lower(), match[2] or None)
    return parameters


def format_parameters(parameters: Mapping[str, str | None]) -> str:
    """Write parameters back, each with its leading semicolon."""
    return "".join(
        f";{name}" if value is None else f";{name}={value}" for name, value in parameters.items()
    )


def single_line(text: str) -> str:
    """Return `text` with control characters turned into blanks, so that no field is smuggled in."""
    return re.sub(r"[\x00-\x1f\x7f]+", " ", text)


def quote(text: str) -> str:
    """Return `text` as a quoted string."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def unquote(text: str) -> str:
    """Return the text that a quoted string stands for; a token stands for itself."""
    if len(text) >= 2 and text[0] == text[-1] == '"':
        return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)
    return text
