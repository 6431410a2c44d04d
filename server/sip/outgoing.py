"""A call of ours, from INVITE to answer or failure (RFC 3261 §13.2, §9.1)."""

import re
from collections import Counter
from collections.abc import Callable

from server.sip.authentication import ANSWER_FIELDS, Authenticator, with_cseq
from server.sip.body import session_description
from server.sip.core import Core, phrase, reason_field
from server.sip.dialog import Dialog
from server.sip.events import Address, Answered, Failed, Ringing, Trying
from server.sip.headers import Headers
from server.sip.message import Request, Response
from server.sip.session import Session
from server.sip.transaction import NoResponse
from server.sip.transaction_tables import T1, Command

MAX_FORKS = 16


class OutgoingCall:
    """One INVITE and everything that comes back for it."""

    def __init__(
        self,
        core: Core,
        invite: Request,
        destination: Address,
        authenticator: Authenticator,
        now: float,
        on_over: Callable[[], None],
    ) -> None:
        """on_over: called when the call is forgotten."""
        self.key = invite.call_id
        self.session: Session | None = None
        self._core = core
        self._invite = invite
        self._destination = destination
        self._authenticator = authenticator
        self._on_over = on_over
        self._tries: Counter[str] = Counter()
        self._early_sdp: dict[str, bytes] = {}
        self._acks: dict[str, tuple[bytes, Address]] = {}
        self._is_trying = False
        self._is_proceeding = False
        self._is_failed = False
        self._is_canceled = False
        self._is_cancel_sent = False
        self._reason: str | None = None
        self._start(invite, now)

    @property
    def dialog(self) -> Dialog | None:
        """The dialog with the callee that answered."""
        return None if self.session is None else self.session.dialog

    def hang_up(self, now: float, reason: str | None = None) -> None:
        """BYE once answered, CANCEL before; idempotent."""
        if self.session is not None:
            self.session.hang_up(now, reason)
        elif not self._is_canceled:
            self._is_canceled = True
            self._reason = reason
            self._cancel_if_possible(now)

    def receive(self, request: Request, now: float) -> None:
        """Answer a request inside the dialog; before the 2xx there is none to answer in."""
        if self.session is not None:
            self.session.receive(request, now)

    def receive_success(self, response: Response, now: float) -> None:
        """Acknowledge a 2xx, the first or a repeated one, of any callee (§13.2.2.4)."""
        tag = response.to.tag or ""
        if tag in self._acks:
            self._core.transactions.send(*self._acks[tag])
            return
        if len(self._acks) >= MAX_FORKS:
            return
        is_wanted = not (self.session or self._is_canceled or self._is_failed)
        sdp = session_description(response) or self._early_sdp.get(tag, b"")
        session = self._open_session(response, sdp, self._on_over if is_wanted else _nothing)
        self._core.transactions.send(*self._acks[tag])
        if is_wanted:
            self.session = session
            self._core.events.append(Answered(self.key, sdp))
            return
        # A second callee, or an answer that crossed our CANCEL: it has its ACK, now the BYE.
        session.close(now, self._reason)
        if self.session is None:
            self._fail(487, phrase(487), local=True)

    def _start(self, invite: Request, now: float) -> None:
        self._invite = invite
        self._is_proceeding = False
        self._transaction = self._core.transactions.request(
            invite, self._destination, now, self._on_response
        )

    def _on_response(self, response: Response | NoResponse, now: float) -> None:
        if isinstance(response, NoResponse):
            self._fail(response.value, phrase(response.value), local=True)
        elif response.status < 200:
            self._receive_provisional(response, now)
        elif response.status < 300:
            self.receive_success(response, now)
        else:
            self._receive_failure(response, now)

    def _receive_provisional(self, response: Response, now: float) -> None:
        self._is_proceeding = True
        if self._is_canceled:
            self._cancel_if_possible(now)
            return
        if response.status > 100:
            sdp = session_description(response)
            if sdp is not None and len(self._early_sdp) < MAX_FORKS:
                self._early_sdp[response.to.tag or ""] = sdp
            self._core.events.append(Ringing(self.key, response.status, sdp))
        elif not self._is_trying:
            self._is_trying = True
            self._core.events.append(Trying(self.key))

    def _open_session(self, response: Response, sdp: bytes, on_over: Callable[[], None]) -> Session:
        dialog = Dialog.from_response(self._invite, response, self._destination)
        # The ACK carries the credentials of its INVITE (§22.1).
        credentials = [
            (name, value)
            for name in ANSWER_FIELDS.values()
            for value in self._invite.headers.all(name)
        ]
        ack = dialog.request(self._core, "ACK", cseq=response.cseq.number, fields=credentials)
        self._acks[response.to.tag or ""] = bytes(ack), dialog.next_hop()
        self._authenticator.pin()
        return Session(
            self._core,
            self.key,
            dialog,
            self._authenticator,
            local_sdp=self._invite.body,
            remote_sdp=sdp,
            is_established=True,
            on_over=on_over,
        )

    def _receive_failure(self, response: Response, now: float) -> None:
        if response.status in ANSWER_FIELDS and not self._is_canceled:
            headers = self._authenticator.answer(self._invite, response, self._tries)
            if headers is not None:
                number = self._invite.cseq.number + 1
                self._start(with_cseq(self._invite, headers, number, self._core.via()), now)
                return
        retry_after = re.match(r"[0-9]{1,9}", response.headers.get("Retry-After") or "")
        seconds = int(retry_after[0]) if retry_after else None
        self._fail(response.status, response.reason, seconds)

    def _cancel_if_possible(self, now: float) -> None:
        """CANCEL may follow only a provisional response (§9.1)."""
        if not self._is_proceeding or self._is_cancel_sent:
            return
        self._is_cancel_sent = True
        invite = self._invite
        copied = ("Via", "Route", "From", "To", "Call-ID")
        fields = [(name, value) for name, value in invite.headers if name in copied]
        fields += [("CSeq", f"{invite.cseq.number} CANCEL"), ("Max-Forwards", "70")]
        fields += reason_field(self._reason)
        cancel = Request(Headers(fields), b"", "CANCEL", invite.uri)
        self._core.transactions.request(cancel, self._destination, now, _ignore)
        self._core.timers.call_at(now + 64 * T1, self._abandon)

    def _abandon(self, now: float) -> None:
        self._transaction.step(Command.ABANDON, now)

    def _fail(
        self, status: int, reason: str, retry_after: int | None = None, *, local: bool = False
    ) -> None:
        if self._is_failed:
            return
        self._is_failed = True
        if self._is_canceled and (local or status in ANSWER_FIELDS):
            status, reason, local = 487, phrase(487), True
        self._core.events.append(Failed(self.key, status, reason, retry_after, local))
        self._on_over()


def _ignore(response: Response | NoResponse, now: float) -> None:
    """Nothing depends on the answer to a CANCEL; the INVITE's own answer counts."""


def _nothing() -> None:
    """The end of a call that was never announced."""
