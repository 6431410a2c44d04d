"""Offer and answer for one audio stream (RFC 3264): descriptions in, a `Negotiated` leg out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from types import MappingProxyType
from typing import Final

from media.audio import FRAME_MS
from media.codecs import G711_CODECS, Codec, codec_named
from media.description import MediaDescription, SessionDescription, parse
from media.errors import NoCommonCodec, SdpError

__all__ = [
    "MediaDescription",
    "Negotiated",
    "SessionDescription",
    "accept",
    "answer",
    "offer",
    "parse",
]

STATIC_RTPMAPS: Final = {0: ("PCMU", 8000), 8: ("PCMA", 8000), 9: ("G722", 8000), 13: ("CN", 8000)}
"""Payload types that need no `a=rtpmap` (RFC 3551 §6)."""

_TRANSPORTS: Final = ("RTP/AVP", "RTP/AVPF")
_TELEPHONE_EVENT: Final = "TELEPHONE-EVENT"
_RTPMAP: Final = re.compile(r"(\d{1,3}) +([^/\s]+)/(\d{1,6})(?:/|\s|$)", re.ASCII)
_MIRRORED: Final = {"sendonly": "recvonly", "recvonly": "sendonly"}

Rtpmap = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Negotiated:
    """What both sides agreed on for one leg. Numbers may differ per direction."""

    remote: tuple[str, int]
    """Where the peer says it receives; the host is an IP address, `0.0.0.0` while held."""
    codec: Codec
    """What we send."""
    send_payload_type: int
    receive_payload_types: Mapping[int, Codec]
    """What the peer may send, by the numbers on our side."""
    dtmf_send: int | None
    """Payload type of telephone-events we send; None where the peer takes none."""
    dtmf_receive: int | None
    ptime_ms: int
    """Packet length the peer asks for; 20 where it asks for none."""
    direction: str
    """Ours: `sendrecv`, `sendonly`, `recvonly` or `inactive`."""

    @property
    def sends(self) -> bool:
        """Whether we may send media now."""
        return self.direction in ("sendrecv", "sendonly")


def offer(
    address: str,
    port: int,
    codecs: Sequence[Codec] = G711_CODECS,
    dtmf_pt: int = 101,
    session_id: int = 1,
    *,
    version: int = 1,
    direction: str = "sendrecv",
) -> bytes:
    """Describe our side of a new or changed session; raise `version` only where it changed."""
    line = _audio_line(port, {codec.payload_type: codec for codec in codecs}, dtmf_pt, direction)
    return _description(address, session_id, version, [line])


def answer(
    offer: bytes,
    address: str,
    port: int,
    codecs: Sequence[Codec] = G711_CODECS,
    *,
    session_id: int = 1,
    version: int = 1,
) -> tuple[bytes, Negotiated]:
    """Answer every line of `offer` in order, refusing with port 0 all but one audio line.

    Raises NoCommonCodec where no audio line suits and SdpError where the offer cannot be read.
    """
    described = parse(offer)
    chosen = _usable_line(described, codecs)
    line = described.media[chosen]
    theirs = _rtpmaps(line)
    receivable = _known(theirs, codecs)
    send_payload_type, codec = next(iter(receivable.items()))
    dtmf = _telephone_event(theirs, codec)
    negotiated = Negotiated(
        remote=_remote(line),
        codec=codec,
        send_payload_type=send_payload_type,
        receive_payload_types=MappingProxyType(receivable),
        dtmf_send=dtmf,
        dtmf_receive=dtmf,
        ptime_ms=_ptime_ms(line),
        direction=_our_direction(described, line),
    )
    ours = _audio_line(port, {send_payload_type: codec}, dtmf, negotiated.direction)
    lines = [
        ours if index == chosen else _refusal(refused)
        for index, refused in enumerate(described.media)
    ]
    return _description(address, session_id, version, lines), negotiated


def accept(
    offer_sdp: bytes, answer_sdp: bytes, codecs: Sequence[Codec] = G711_CODECS
) -> Negotiated:
    """Combine our offer with the peer's answer.

    Raises NoCommonCodec where the audio was refused and SdpError where the answer cannot be read.
    """
    offered, described = parse(offer_sdp), parse(answer_sdp)
    chosen = _usable_line(described, codecs)
    line = described.media[chosen]
    if chosen >= len(offered.media) or offered.media[chosen].kind != "audio":
        raise SdpError("the answer has an audio line the offer has not")
    ours, theirs = _rtpmaps(offered.media[chosen]), _rtpmaps(line)
    send_payload_type, codec = next(iter(_known(theirs, codecs).items()))
    direction = _our_direction(described, line)
    if offered.direction(offered.media[chosen]) != "sendrecv" and direction == "sendrecv":
        direction = offered.direction(offered.media[chosen])
    return Negotiated(
        remote=_remote(line),
        codec=codec,
        send_payload_type=send_payload_type,
        receive_payload_types=MappingProxyType(_known(ours, codecs)),
        dtmf_send=_telephone_event(theirs, codec),
        dtmf_receive=_telephone_event(ours, codec),
        ptime_ms=_ptime_ms(line),
        direction=direction,
    )


def _usable_line(described: SessionDescription, codecs: Sequence[Codec]) -> int:
    """Index of the first audio line that is open, unencrypted and has a codec of ours."""
    for index, line in enumerate(described.media):
        if line.kind != "audio" or not line.port or line.transport not in _TRANSPORTS:
            continue
        if _known(_rtpmaps(line), codecs):
            return index
    offered = [f"{m.kind} {m.port} {m.transport} {' '.join(m.formats)}" for m in described.media]
    raise NoCommonCodec(f"none of {offered} suits")


def _rtpmaps(line: MediaDescription) -> dict[int, Rtpmap]:
    """Upper-case encoding name and clock of each payload type, in the line's order."""
    written = {match[1]: match for match in map(_RTPMAP.match, line.values("rtpmap")) if match}
    rtpmaps: dict[int, Rtpmap] = {}
    for text in line.formats:
        number = _payload_type(text)
        if (match := written.get(text)) is not None:
            rtpmaps[number] = (match[2].upper(), int(match[3]))
        elif number in STATIC_RTPMAPS:
            rtpmaps[number] = STATIC_RTPMAPS[number]
    return rtpmaps


def _payload_type(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and int(text) < 128):
        raise SdpError(f"{text[:20]!r} where a payload type belongs")
    return int(text)


def _known(rtpmaps: Mapping[int, Rtpmap], codecs: Iterable[Codec]) -> dict[int, Codec]:
    found = {number: codec_named(*rtpmap, codecs) for number, rtpmap in rtpmaps.items()}
    return {number: codec for number, codec in found.items() if codec is not None}


def _telephone_event(rtpmaps: Mapping[int, Rtpmap], codec: Codec) -> int | None:
    """The telephone-event that shares the codec's clock, of several (RFC 4733 §2.1)."""
    wanted = (_TELEPHONE_EVENT, codec.clock_hz)
    return next((number for number, rtpmap in rtpmaps.items() if rtpmap == wanted), None)


def _remote(line: MediaDescription) -> tuple[str, int]:
    """Address of the line as a plain IP address, so that packet sources compare with it."""
    if line.address is None:
        raise SdpError("no connection address for the audio line")
    try:
        address = ip_address(line.address)
    except ValueError as error:
        raise SdpError(f"connection address {line.address[:80]!r} is not an IP address") from error
    if address.is_multicast or line.address == "255.255.255.255":
        raise SdpError(f"connection address {line.address} is not one host's")
    return str(address), line.port


def _our_direction(described: SessionDescription, line: MediaDescription) -> str:
    """The mirror of theirs; the address 0.0.0.0 holds as well (RFC 3264 §8.4)."""
    direction = described.direction(line)
    mirrored = _MIRRORED.get(direction, direction)
    if line.address in ("0.0.0.0", "::"):
        return "recvonly" if mirrored in ("sendrecv", "recvonly") else "inactive"
    return mirrored


def _ptime_ms(line: MediaDescription) -> int:
    for value in line.values("ptime"):
        whole = value.partition(".")[0]
        if whole.isascii() and whole.isdigit() and 1 <= int(whole[:4]) <= 200:
            return int(whole[:4])
    return FRAME_MS


def _audio_line(
    port: int, codecs: Mapping[int, Codec], dtmf_pt: int | None, direction: str
) -> list[str]:
    rtpmaps = {number: f"{codec.name}/{codec.clock_hz}" for number, codec in codecs.items()}
    attributes = []
    if dtmf_pt is not None:
        clock_hz = next(iter(codecs.values())).clock_hz
        rtpmaps[dtmf_pt] = f"telephone-event/{clock_hz}"
        attributes.append(f"a=fmtp:{dtmf_pt} 0-15")
    numbers = " ".join(map(str, rtpmaps))
    return [
        f"m=audio {port} RTP/AVP {numbers}",
        *(f"a=rtpmap:{number} {encoding}" for number, encoding in rtpmaps.items()),
        *attributes,
        f"a=ptime:{FRAME_MS}",
        f"a={direction}",
    ]


def _refusal(line: MediaDescription) -> list[str]:
    return [f"m={line.kind} 0 {line.transport} {' '.join(line.formats)}"]


def _description(address: str, session_id: int, version: int, media: Iterable[list[str]]) -> bytes:
    family = f"IP{ip_address(address).version}"
    lines = [
        "v=0",
        f"o=- {session_id} {version} IN {family} {address}",
        "s=-",
        f"c=IN {family} {address}",
        "t=0 0",
    ]
    for line in media:
        lines += line
    return "".join(f"{line}\r\n" for line in lines).encode()
