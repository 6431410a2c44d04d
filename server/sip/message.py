"""SIP requests and responses, checked once where they enter (RFC 3261 §7, §8.1.1)."""

import re
from dataclasses import dataclass, replace

from server.sip.errors import BadRequestError, ParseError
from server.sip.events import Address
from server.sip.grammar import TOKEN, is_token
from server.sip.headers import Headers
from server.sip.name_address import NameAddress
from server.sip.uri import Uri
from server.sip.via import Via

MAX_BYTES = 65_535
MAX_HEADERS = 256
MAX_CSEQ = 2**32 - 1

_REQUEST_LINE = re.compile(rf"({TOKEN}) (\S+) SIP/([0-9]+\.[0-9]+)", re.IGNORECASE)
_STATUS_LINE = re.compile(r"SIP/2\.0 ([1-6][0-9][0-9])(?: (.*))?", re.IGNORECASE | re.DOTALL)
_CSEQ = re.compile(rf"([0-9]+)\s+({TOKEN})")
_SINGLE = ("From", "To", "Call-ID", "CSeq", "Max-Forwards")
_ADDRESS_LISTS = ("Contact", "Route", "Record-Route")


@dataclass(frozen=True, slots=True)
class CSeq:
    """Sequence number and method (§20.16)."""

    number: int
    method: str

    @classmethod
    def parse(cls, text: str) -> "CSeq":
        """Parse `number method`. Raises ParseError, also above 2**32 - 1."""
        match = _CSEQ.fullmatch(text)
        if match is None or len(match[1]) > 10 or int(match[1]) > MAX_CSEQ:
            raise ParseError("Malformed CSeq")
        return cls(int(match[1]), match[2])

    def __str__(self) -> str:
        return f"{self.number} {self.method}"


@dataclass(frozen=True, slots=True)
class Message:
    """What requests and responses share: header fields and a body.

    The properties parse on access; on a message from `parse_message` they never raise.
    """

    headers: Headers
    body: bytes = b""

    @property
    def via(self) -> Via:
        """The topmost Via."""
        return Via.parse(self.headers.items("Via")[0])

    @property
    def from_(self) -> NameAddress:
        """The From header field."""
        return NameAddress.parse(self.headers.get("From") or "")

    @property
    def to(self) -> NameAddress:
        """The To header field."""
        return NameAddress.parse(self.headers.get("To") or "")

    @property
    def call_id(self) -> str:
        """The Call-ID header field."""
        return self.headers.get("Call-ID") or ""

    @property
    def cseq(self) -> CSeq:
        """The CSeq header field."""
        return CSeq.parse(self.headers.get("CSeq") or "")

    @property
    def contact(self) -> Uri | None:
        """The first Contact's URI, or None."""
        items = self.headers.items("Contact")
        return NameAddress.parse(items[0]).uri if items and items[0] != "*" else None

    def _serialise(self, start_line: str) -> bytes:
        fields = "".join(f"{k}: {v}\r\n" for k, v in self.headers if k != "Content-Length")
        head = f"{start_line}\r\n{fields}Content-Length: {len(self.body)}\r\n\r\n"
        return head.encode("utf-8", "surrogateescape") + self.body


@dataclass(frozen=True, slots=True)
class Request(Message):
    """A request (§7.1)."""

    method: str = ""
    uri: str = ""
    """The Request-URI, as on the wire."""

    @property
    def max_forwards(self) -> int | None:
        """Hops left; None where the field is absent or unusable."""
        value = self.headers.get("Max-Forwards") or ""
        return int(value) if value.isdecimal() and len(value) <= 4 else None

    def received_from(self, source: Address) -> "Request":
        """Return the request with its topmost Via completed by the receiver (§18.2.1)."""
        top, *others = self.headers.items("Via")
        via = Via.parse(top).received_from(source)
        return replace(self, headers=self.headers.replaced("Via", str(via), *others))

    def __bytes__(self) -> bytes:
        return self._serialise(f"{self.method} {self.uri} SIP/2.0")


@dataclass(frozen=True, slots=True)
class Response(Message):
    """A response (§7.2)."""

    status: int = 0
    reason: str = ""

    def __bytes__(self) -> bytes:
        return self._serialise(f"SIP/2.0 {self.status} {self.reason}")


def parse_message(data: bytes) -> Request | Response:
    """Parse one datagram.

    Octets beyond Content-Length are dropped (§18.3); without one the body is the rest.
    Raises BadRequestError for a request that may be answered, ParseError for all else.
    """
    head, end, rest = data.lstrip(b"\r\n").partition(b"\r\n\r\n")
    if not end or len(data) > MAX_BYTES:
        raise ParseError("Incomplete or oversized message")
    text = re.sub(r"[ \t]*\r\n[ \t]+", " ", head.decode("utf-8", "surrogateescape"))
    start_line, *lines = text.split("\r\n")
    if "\n" in text.replace("\r\n", "") or "\r" in text.replace("\r\n", ""):
        raise ParseError("Bare CR or LF in the header section")
    headers = _parse_headers(lines)
    status_line = _STATUS_LINE.fullmatch(start_line)
    if status_line is not None:
        status, reason = int(status_line[1]), status_line[2] or ""
        response = Response(headers, _body(headers, rest), status, reason)
        _check(response)
        return response
    if start_line[:4].upper() == "SIP/":
        raise ParseError("Malformed status line")
    try:
        return _parse_request(start_line, headers, rest)
    except ParseError as error:
        # An ACK is never answered, nor is a request that does not say where it came from.
        if start_line.startswith("ACK ") or headers.get("Via") is None:
            raise
        version = start_line.rpartition(" ")[2].upper()
        wrong_version = version.startswith("SIP/") and version != "SIP/2.0"
        if wrong_version:
            raise BadRequestError(505, "Version Not Supported", tuple(headers)) from error
        raise BadRequestError(400, str(error), tuple(headers)) from error


def _parse_request(start_line: str, headers: Headers, rest: bytes) -> Request:
    request_line = _REQUEST_LINE.fullmatch(start_line)
    if request_line is None or request_line[3] != "2.0":
        raise ParseError("Malformed request line")
    method, uri = request_line[1], request_line[2]
    if Uri.parse(uri).headers:
        raise ParseError("Headers in the Request-URI")
    request = Request(headers, _body(headers, rest), method, uri)
    _check(request)
    if request.cseq.method != method:
        raise ParseError("CSeq method does not match")
    return request


def _parse_headers(lines: list[str]) -> Headers:
    if len(lines) > MAX_HEADERS:
        raise ParseError("Too many header fields")
    fields: list[tuple[str, str]] = []
    for line in lines:
        name, colon, value = line.partition(":")
        name = name.rstrip(" \t")
        if not colon or not is_token(name):
            raise ParseError("Malformed header field")
        fields.append((name, value.strip(" \t")))
    return Headers(fields)


def _body(headers: Headers, rest: bytes) -> bytes:
    lengths = set(headers.all("Content-Length"))
    if not lengths:
        return rest
    length = lengths.pop()
    if lengths or re.fullmatch(r"[0-9]{1,9}", length) is None:
        raise ParseError("Malformed Content-Length")
    if int(length) > len(rest):
        raise ParseError("Content-Length exceeds the datagram")
    return rest[: int(length)]


def _check(message: Request | Response) -> None:
    for name in _SINGLE:
        if len(message.headers.all(name)) > 1:
            raise ParseError(f"Repeated {name}")
    for name in ("Via", "From", "To", "Call-ID", "CSeq"):
        if not message.headers.get(name):
            raise ParseError(f"Missing {name}")
    _ = message.via, message.from_, message.to, message.cseq
    for name in _ADDRESS_LISTS:
        for item in message.headers.items(name):
            if item != "*":
                NameAddress.parse(item)
