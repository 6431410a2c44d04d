"""Finding what a message carries: SDP alone or inside multipart, DTMF in INFO."""

import re

from server.sip.errors import ParseError
from server.sip.grammar import Parameters, parse_parameters, split, unquote
from server.sip.message import Message

_MAX_PARTS = 16


def content_type(message: Message) -> str:
    """Return the bare media type in lower case, without parameters; "" when absent."""
    return _media_type(message.headers.get("Content-Type") or "")[0]


def session_description(message: Message) -> bytes | None:
    """Return the SDP body, also from within multipart (RFC 5621 §3), or None."""
    return _find_sdp(message.headers.get("Content-Type") or "", message.body, depth=0)


def dtmf_digit(message: Message) -> str | None:
    """Return the digit in an application/dtmf-relay or application/dtmf body, or None."""
    text = message.body.decode("ascii", "replace").strip()
    match content_type(message):
        case "application/dtmf-relay":
            found = re.search(r"(?im)^\s*Signal\s*=\s*([0-9A-D*#]|1[0-5])\s*$", text)
        case "application/dtmf":
            found = re.fullmatch(r"(?i)([0-9A-D*#]|1[0-5])", text)
        case _:
            return None
    if found is None:
        return None
    # Events 10 to 15 of RFC 4733 stand for the six keys that are no digits.
    return dict(zip("10 11 12 13 14 15".split(), "*#ABCD", strict=True)).get(
        found[1], found[1].upper()
    )


def same_media(old: bytes, new: bytes) -> bool:
    """Tell whether two descriptions name the same addresses, ports, formats and directions."""
    return _media_lines(old) == _media_lines(new)


def _media_lines(sdp: bytes) -> list[bytes]:
    held = (b"a=sendonly", b"a=recvonly", b"a=inactive")
    return [
        line for line in sdp.splitlines() if line.startswith((b"c=", b"m=")) or line.strip() in held
    ]


def _find_sdp(header: str, body: bytes, depth: int) -> bytes | None:
    media_type, parameters = _media_type(header)
    if media_type == "application/sdp" and body:
        return body
    boundary = unquote(parameters.get("boundary") or "")
    if not media_type.startswith("multipart/") or not boundary or depth > 2:
        return None
    delimiter = b"--" + boundary.encode("utf-8", "surrogateescape")
    for part in (b"\r\n" + body).split(b"\r\n" + delimiter)[1 : _MAX_PARTS + 1]:
        head, _, content = part.partition(b"\r\n\r\n")
        header = _part_type(head.decode("utf-8", "surrogateescape"))
        found = _find_sdp(header, content, depth + 1)
        if found is not None:
            return found
    return None


def _part_type(head: str) -> str:
    match = re.search(r"(?im)^(?:Content-Type|c)[ \t]*:[ \t]*(.*?)\r?$", head)
    return match[1] if match else ""


def _media_type(header: str) -> tuple[str, Parameters]:
    try:
        bare, *pieces = split(header, ";")
        return re.sub(r"\s", "", bare).lower(), parse_parameters(pieces)
    except ParseError:
        return "", {}
