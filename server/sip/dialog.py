"""A dialog: who talks to whom, by which route, in which order (RFC 3261 §12)."""

import ipaddress
from dataclasses import dataclass

from server.sip.core import Core
from server.sip.events import Address
from server.sip.headers import Headers
from server.sip.message import Request, Response
from server.sip.name_address import NameAddress
from server.sip.uri import Uri
from server.sip.via import DEFAULT_PORT


@dataclass(slots=True)
class Dialog:
    """The state shared with one peer; identified by Call-ID and both tags."""

    call_id: str
    local: str
    """Our From value in this dialog, tag included."""
    remote: str
    """The peer's, tag included unless it sent none."""
    target: str
    """The peer's Contact URI."""
    routes: tuple[str, ...]
    """Route values in the order of our requests; frozen once the dialog is confirmed."""
    peer: Address
    """Where the peer's signalling was met; the next hop where URIs name none we can reach."""
    local_cseq: int
    remote_cseq: int | None = None

    @classmethod
    def from_response(cls, request: Request, response: Response, peer: Address) -> "Dialog":
        """Open the caller's side from a response that carries a To tag (§12.1.2)."""
        contact = response.contact
        return cls(
            request.call_id,
            request.headers.get("From") or "",
            response.headers.get("To") or "",
            request.uri if contact is None else str(contact),
            tuple(reversed(response.headers.items("Record-Route"))),
            peer,
            request.cseq.number,
        )

    @classmethod
    def from_request(cls, request: Request, local_tag: str, peer: Address) -> "Dialog":
        """Open the callee's side from an INVITE (§12.1.1)."""
        contact = request.contact
        return cls(
            request.call_id,
            str(request.to.with_tag(local_tag)),
            request.headers.get("From") or "",
            str(request.from_.uri if contact is None else contact),
            tuple(request.headers.items("Record-Route")),
            peer,
            0,
            request.cseq.number,
        )

    @property
    def local_tag(self) -> str:
        """The tag that the peer addresses us by."""
        return NameAddress.parse(self.local).tag or ""

    @property
    def remote_tag(self) -> str:
        """The peer's tag; empty for a peer of RFC 2543."""
        return NameAddress.parse(self.remote).tag or ""

    def accepts(self, request: Request) -> bool:
        """Take note of a request's CSeq; False when it is out of order (§12.2.2)."""
        number = request.cseq.number
        if self.remote_cseq is not None and number <= self.remote_cseq:
            return False
        self.remote_cseq = number
        return True

    def refresh_target(self, request: Request) -> None:
        """Follow the peer's Contact; the route set stays (§12.2.2)."""
        contact = request.contact
        if contact is not None:
            self.target = str(contact)

    def request(
        self,
        core: Core,
        method: str,
        *,
        cseq: int | None = None,
        fields: list[tuple[str, str]] | None = None,
    ) -> Request:
        """Build a request inside the dialog (§12.2.1.1).

        cseq: the INVITE's number for its ACK; otherwise the next one is taken.
        """
        if cseq is None:
            self.local_cseq += 1
            cseq = self.local_cseq
        uri, routes = self._target_and_routes()
        head = [("Via", core.via()), ("Max-Forwards", "70")]
        head += [("Route", route) for route in routes]
        head += [("From", self.local), ("To", self.remote), ("Call-ID", self.call_id)]
        head += [("CSeq", f"{cseq} {method}"), ("User-Agent", core.user_agent)]
        return Request(Headers(head + (fields or [])), b"", method, uri)

    def next_hop(self) -> Address:
        """Return where requests of this dialog are sent: the first route, or the target."""
        uri = NameAddress.parse(self.routes[0]).uri if self.routes else Uri.parse(self.target)
        literal = _literal(uri.host)
        if literal is None or _is_behind_nat(literal, self.peer):
            return self.peer
        return Address(uri.host, uri.port or DEFAULT_PORT)

    def _target_and_routes(self) -> tuple[str, list[str]]:
        if not self.routes:
            return self.target, []
        first = NameAddress.parse(self.routes[0]).uri
        if "lr" in first.parameters:
            return self.target, list(self.routes)
        # A strict router wants to find itself in the Request-URI, and the target last.
        return str(first), [*self.routes[1:], f"<{self.target}>"]


IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


def _literal(host: str) -> IpAddress | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _is_behind_nat(literal: IpAddress, peer: Address) -> bool:
    """Tell whether a literal that the peer wrote cannot lead to where its packets come from."""
    seen = _literal(peer.host)
    if literal.is_unspecified or seen is None:
        return literal.is_unspecified
    if literal.is_loopback:
        return not seen.is_loopback
    return seen.is_global and not literal.is_global
