"""The Via header field and where a response to it goes (RFC 3261 §18.2, RFC 3581)."""

import re
from dataclasses import dataclass, field, replace

from server.sip.errors import ParseError
from server.sip.events import Address
from server.sip.grammar import TOKEN, Parameters, format_parameters, parse_parameters, split
from server.sip.uri import format_host_port, parse_host_port

MAGIC_COOKIE = "z9hG4bK"
DEFAULT_PORT = 5060

_VIA = re.compile(
    rf"\s*SIP\s*/\s*2\.0\s*/\s*({TOKEN})\s+([^;]+?)\s*(;.*)?", re.DOTALL | re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Via:
    """One hop that a request took."""

    transport: str
    """Upper case."""
    host: str
    port: int | None = None
    parameters: Parameters = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> "Via":
        """Parse one Via value. Raises ParseError."""
        match = _VIA.fullmatch(text)
        if match is None:
            raise ParseError("Malformed Via")
        host, port = parse_host_port(match[2])
        parameters = parse_parameters(split(match[3][1:], ";")) if match[3] else {}
        return cls(match[1].upper(), host, port, parameters)

    @property
    def branch(self) -> str | None:
        """The branch if it identifies a transaction (§8.1.1.7), else None."""
        branch = self.parameters.get("branch")
        unique = branch is not None and branch.startswith(MAGIC_COOKIE)
        return branch if unique and branch != MAGIC_COOKIE else None

    @property
    def sent_by(self) -> str:
        """Host and port as the sender wrote them."""
        return format_host_port(self.host, self.port)

    def received_from(self, source: Address) -> "Via":
        """Return the value with `received` and `rport` filled in by the receiver (RFC 3581 §4)."""
        filled = dict(self.parameters)
        filled.pop("received", None)
        asks_for_port = "rport" in filled
        if asks_for_port:
            filled["rport"] = str(source.port)
        if asks_for_port or source.host.lower() != self.host:
            filled["received"] = source.host
        return replace(self, parameters=filled)

    def reply_address(self) -> Address:
        """Return where a response goes over UDP, once `received_from` has filled it in."""
        host = (self.parameters.get("received") or self.host).strip("[]")
        port = self.parameters.get("rport") or str(self.port or DEFAULT_PORT)
        return Address(host, int(port))

    def __str__(self) -> str:
        return f"SIP/2.0/{self.transport} {self.sent_by}{format_parameters(self.parameters)}"
