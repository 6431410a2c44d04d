"""Session descriptions as written (RFC 8866): lines into checked values, nothing negotiated."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final, TypeAlias

from media.errors import SdpError

Attribute: TypeAlias = tuple[str, str]
"""Name and value of one `a=` line; the value is empty for a flag."""

MAX_OCTETS: Final = 65536
DIRECTIONS: Final = ("sendrecv", "sendonly", "recvonly", "inactive")


@dataclass(frozen=True, slots=True)
class MediaDescription:
    """One `m=` line and what stands under it."""

    kind: str
    """`audio`, `video`, `image` …"""
    port: int
    """0 where the line is refused."""
    transport: str
    """`RTP/AVP`, `udptl` …"""
    formats: tuple[str, ...]
    address: str | None
    """Connection address, the session's where the line has none of its own; as written."""
    attributes: tuple[Attribute, ...] = ()

    def values(self, name: str) -> list[str]:
        """Values of all `a=name` lines, in order."""
        return [value for key, value in self.attributes if key == name]


@dataclass(frozen=True, slots=True)
class SessionDescription:
    """One description with its media lines in order."""

    address: str | None
    attributes: tuple[Attribute, ...]
    media: tuple[MediaDescription, ...]

    def direction(self, line: MediaDescription) -> str:
        """The line's direction, else the session's, else `sendrecv` (RFC 8866 §6.7)."""
        for attributes in (line.attributes, self.attributes):
            for name, _ in attributes:
                if name in DIRECTIONS:
                    return name
        return "sendrecv"


def parse(body: bytes) -> SessionDescription:
    """Read a description; unknown lines are skipped, CRLF and LF both taken.

    Raises SdpError for anything else that is not SDP.
    """
    if len(body) > MAX_OCTETS:
        raise SdpError(f"description of {len(body)} octets")
    lines = [_split(line) for line in body.decode("utf-8", "replace").split("\n") if line.strip()]
    if not lines or lines[0] != ("v", "0"):
        raise SdpError("description does not start with v=0")
    starts = [index for index, (kind, _) in enumerate(lines) if kind == "m"]
    head = lines[: starts[0]] if starts else lines
    address = _address(head)
    return SessionDescription(
        address=address,
        attributes=_attributes(head),
        media=tuple(
            _media(lines[start:end], address) for start, end in pairwise([*starts, len(lines)])
        ),
    )


def _split(line: str) -> tuple[str, str]:
    kind, equals, value = line.strip().partition("=")
    if len(kind) != 1 or not equals:
        raise SdpError(f"not an SDP line: {line[:40]!r}")
    return kind, value.strip()


def _media(lines: list[tuple[str, str]], session_address: str | None) -> MediaDescription:
    fields = lines[0][1].split()
    if len(fields) < 4:
        raise SdpError(f"incomplete media line: {lines[0][1][:80]!r}")
    kind, port, transport, *formats = fields
    return MediaDescription(
        kind=kind.lower(),
        port=_port(port),
        transport=transport,
        formats=tuple(formats),
        address=_address(lines) or session_address,
        attributes=_attributes(lines),
    )


def _port(text: str) -> int:
    number = text.partition("/")[0]
    if not (number.isascii() and number.isdigit() and len(number) <= 5 and int(number) < 65536):
        raise SdpError(f"media port {text[:20]!r}")
    return int(number)


def _address(lines: list[tuple[str, str]]) -> str | None:
    for kind, value in lines:
        if kind == "c":
            fields = value.split()
            if len(fields) != 3 or fields[0] != "IN" or fields[1] not in ("IP4", "IP6"):
                raise SdpError(f"connection line {value[:80]!r}")
            return fields[2].partition("/")[0]
    return None


def _attributes(lines: list[tuple[str, str]]) -> tuple[Attribute, ...]:
    attributes = []
    for kind, value in lines:
        if kind == "a":
            name, _, rest = value.partition(":")
            attributes.append((name.strip().lower(), rest.strip()))
    return tuple(attributes)
