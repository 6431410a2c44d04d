"""What every call of one user agent shares: who we are, time, randomness, transactions, events."""

import random
from collections import deque
from collections.abc import Iterable
from http import HTTPStatus

from server.sip.events import Address, Event
from server.sip.grammar import quote, single_line
from server.sip.headers import Headers
from server.sip.layer import TransactionLayer
from server.sip.message import Request, Response
from server.sip.timers import Timers
from server.sip.uri import format_host_port
from server.sip.via import MAGIC_COOKIE

ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE"
ACCEPT = "application/sdp"

PHRASES = {
    100: "Trying",
    180: "Ringing",
    183: "Session Progress",
    415: "Unsupported Media Type",
    416: "Unsupported URI Scheme",
    420: "Bad Extension",
    480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist",
    482: "Loop Detected",
    483: "Too Many Hops",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    491: "Request Pending",
    500: "Server Internal Error",
    600: "Busy Everywhere",
    603: "Decline",
    604: "Does Not Exist Anywhere",
}
"""Reason phrases where SIP differs from HTTP (§21)."""


class Core:
    """Identity, identifiers, the transaction layer and the queue of events."""

    def __init__(
        self, local: Address, user_agent: str, contact_user: str, rng: random.Random
    ) -> None:
        self.local = local
        self.user_agent = user_agent
        self.timers = Timers()
        self.transactions = TransactionLayer(self.timers)
        self.events: deque[Event] = deque()
        self.rng = rng
        self._contact_user = contact_user

    def identifier(self) -> str:
        """Return 64 random bits as text, for tags, branches and Call-IDs."""
        return f"{self.rng.getrandbits(64):016x}"

    @property
    def contact(self) -> str:
        """Our Contact value."""
        host_port = format_host_port(self.local.host, self.local.port)
        return f"<sip:{self._contact_user}@{host_port}>"

    def via(self) -> str:
        """Return a Via value that opens a new transaction (§8.1.1.7, RFC 3581 §3)."""
        host_port = format_host_port(self.local.host, self.local.port)
        return f"SIP/2.0/UDP {host_port};branch={MAGIC_COOKIE}{self.identifier()};rport"

    def response(
        self,
        request: Request,
        status: int,
        *,
        to_tag: str | None = None,
        reason: str | None = None,
        fields: Iterable[tuple[str, str]] = (),
        sdp: bytes | None = None,
    ) -> Response:
        """Build a response to `request`, whose Via is already completed (§8.2.6).

        to_tag: added where the request's To has no tag yet.
        """
        head = Headers(copied_fields(request.headers))
        if to_tag is not None and request.to.tag is None:
            head = head.replaced("To", str(request.to.with_tag(to_tag)))
        content = [] if sdp is None else [("Content-Type", "application/sdp")]
        server = [] if status == 100 else [("Server", self.user_agent)]
        headers = Headers([*head, *fields, *server, *content])
        text = phrase(status) if reason is None else single_line(reason)
        return Response(headers, sdp or b"", status, text)


def reason_field(reason: str | None) -> list[tuple[str, str]]:
    """Return the Reason header field for BYE or CANCEL, if there is one to give (RFC 3326)."""
    if reason is None:
        return []
    return [("Reason", f"Q.850;cause=16;text={quote(single_line(reason))}")]


def copied_fields(headers: Headers) -> list[tuple[str, str]]:
    """Return the fields that every response copies from its request (§8.2.6.2)."""
    fields = [("Via", value) for value in headers.all("Via")]
    for name in ("From", "To", "Call-ID", "CSeq"):
        value = headers.get(name)
        if value is not None:
            fields.append((name, value))
    return fields


def phrase(status: int) -> str:
    """Return the usual reason phrase of a status."""
    if status in PHRASES:
        return PHRASES[status]
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
