"""A call to us, from INVITE to answer or refusal (RFC 3261 §13.3)."""

from collections.abc import Callable

from server.sip.authentication import Authenticator
from server.sip.body import session_description
from server.sip.core import ALLOW, Core, phrase
from server.sip.dialog import Dialog
from server.sip.events import Address, Canceled, Failed, IncomingInvite
from server.sip.message import Request
from server.sip.session import Session

RING_LIMIT_S = 180.0
"""An INVITE that nobody decides on is refused after this long (timer C, §16.6)."""


class IncomingCall:
    """One INVITE from a peer and what we say to it."""

    def __init__(
        self,
        core: Core,
        key: str,
        local_tag: str,
        invite: Request,
        source: Address,
        now: float,
        on_over: Callable[[], None],
    ) -> None:
        """on_over: called when the call is forgotten."""
        self.key = key
        self.local_tag = local_tag
        self.session: Session | None = None
        self._core = core
        self._invite = invite
        self._on_over = on_over
        self._offer = session_description(invite) or b""
        self.dialog = Dialog.from_request(invite, self.local_tag, source)
        self._transaction = core.transactions.serve(invite, self._acknowledge, self.cancel)
        self._ring_limit = core.timers.call_at(now + RING_LIMIT_S, self._ring_out)
        self._is_over = False
        # Record-Route and Contact never stand in a 100 (§12.1.1).
        self._transaction.respond(core.response(invite, 100), now)
        from_uri, to_uri = str(invite.from_.uri), str(invite.to.uri)
        core.events.append(IncomingInvite(key, from_uri, to_uri, invite.uri, self._offer, source))

    def ring(self, now: float, sdp: bytes | None) -> None:
        """Send 180, or 183 with early media."""
        if self.session is None and not self._is_over:
            self._respond(180 if sdp is None else 183, now, sdp=sdp)

    def answer(self, sdp: bytes, now: float) -> None:
        """Send 200 until it is acknowledged."""
        if self.session is not None or self._is_over:
            return
        self._ring_limit.cancel()
        self.session = Session(
            self._core,
            self.key,
            self.dialog,
            Authenticator(None, self._core.rng),
            local_sdp=sdp,
            remote_sdp=self._offer,
            is_established=False,
            on_over=self._on_over,
        )
        response = self._core.response(
            self._invite, 200, to_tag=self.local_tag, fields=self._dialog_fields(), sdp=sdp
        )
        self.session.answer(self._transaction, response, now)

    def reject(self, status: int, now: float, reason: str | None = None) -> None:
        """Send a final refusal; idempotent."""
        if self.session is None and not self._is_over:
            self._respond(status, now, reason=reason)
            reason = phrase(status) if reason is None else reason
            self._core.events.append(Failed(self.key, status, reason, local=True))
            self._leave()

    def hang_up(self, now: float, reason: str | None = None) -> None:
        """BYE once answered, 603 before."""
        if self.session is not None:
            self.session.hang_up(now, reason)
        else:
            self.reject(603, now)

    def cancel(self, now: float) -> None:
        """The caller gave up: 487, unless a final response went out (§9.2)."""
        if self.session is None and not self._is_over:
            self._respond(487, now)
            self._core.events.append(Canceled(self.key))
            self._leave()

    def receive(self, request: Request, now: float) -> None:
        """Answer a request inside the dialog; before the answer only BYE has a meaning."""
        if self.session is not None:
            self.session.receive(request, now)
            return
        transaction = self._core.transactions.serve(request)
        in_order = self.dialog.accepts(request)
        status = 500 if not in_order else 200 if request.method == "BYE" else 491
        transaction.respond(self._core.response(request, status), now)
        if status == 200:
            self.cancel(now)

    def _acknowledge(self, ack: Request, now: float) -> None:
        if self.session is not None:
            self.session.acknowledge(ack, now)

    def _ring_out(self, now: float) -> None:
        self.reject(480, now)

    def _leave(self) -> None:
        self._is_over = True
        self._ring_limit.cancel()
        self._on_over()

    def _dialog_fields(self) -> list[tuple[str, str]]:
        routes = [("Record-Route", value) for value in self._invite.headers.all("Record-Route")]
        return [*routes, ("Contact", self._core.contact), ("Allow", ALLOW)]

    def _respond(
        self, status: int, now: float, *, reason: str | None = None, sdp: bytes | None = None
    ) -> None:
        fields = self._dialog_fields() if status < 300 else []
        response = self._core.response(
            self._invite, status, to_tag=self.local_tag, reason=reason, fields=fields, sdp=sdp
        )
        self._transaction.respond(response, now)
