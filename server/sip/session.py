"""An answered call: requests inside its dialog, and its end (RFC 3261 §12.2, §14, §15).

Stands after `OutgoingCall` or `IncomingCall`, which hand over once there is a 2xx.
"""

from collections import Counter
from collections.abc import Callable

from server.sip.authentication import ANSWER_FIELDS, Authenticator, with_cseq
from server.sip.body import dtmf_digit, same_media, session_description
from server.sip.core import ACCEPT, ALLOW, Core, reason_field
from server.sip.dialog import Dialog
from server.sip.events import DtmfInfo, Ended, Established
from server.sip.message import Request, Response
from server.sip.repeated_answer import RepeatedAnswer
from server.sip.transaction import NoResponse, ServerTransaction

KNOWN_METHODS = frozenset(
    "INVITE ACK CANCEL BYE OPTIONS INFO UPDATE REGISTER MESSAGE SUBSCRIBE NOTIFY PUBLISH "
    "REFER PRACK".split()
)


class Session:
    """One confirmed dialog."""

    def __init__(
        self,
        core: Core,
        key: str,
        dialog: Dialog,
        authenticator: Authenticator,
        *,
        local_sdp: bytes,
        remote_sdp: bytes,
        is_established: bool,
        on_over: Callable[[], None],
    ) -> None:
        """is_established: False for a callee, who still waits for the first ACK.

        on_over: called when no request inside the dialog is expected any more.
        """
        self.dialog = dialog
        self._core = core
        self._key = key
        self._authenticator = authenticator
        self._local_sdp = local_sdp
        self._remote_sdp = remote_sdp
        self._on_over = on_over
        self._is_ended = False
        self._is_established = is_established
        self._awaiting_ack: RepeatedAnswer | None = None
        self._bye_fields: list[tuple[str, str]] = []
        self._bye_tries: Counter[str] = Counter()
        self._bye: Request | None = None

    def answer(self, transaction: ServerTransaction, response: Response, now: float) -> None:
        """Send a 2xx to INVITE and repeat it until the ACK; BYE if none comes."""
        self._awaiting_ack = RepeatedAnswer(
            self._core.timers, transaction, response, now, self._on_silence
        )

    def acknowledge(self, ack: Request, now: float) -> None:
        """Take the ACK to our 2xx; any other is ignored."""
        if self._awaiting_ack is None or self._awaiting_ack.cseq != ack.cseq.number:
            return
        self._awaiting_ack.stop()
        self._awaiting_ack = None
        if self._is_ended:
            self._send_bye(now)
        elif not self._is_established:
            self._is_established = True
            description = session_description(ack)
            self._remote_sdp = description or self._remote_sdp
            self._core.events.append(Established(self._key, description))

    def hang_up(self, now: float, reason: str | None = None) -> None:
        """End the call from our side; idempotent."""
        if not self._is_ended:
            self._core.events.append(Ended(self._key, "local", reason))
            self.close(now, reason)

    def close(self, now: float, reason: str | None = None) -> None:
        """Send BYE without an event; a callee waits for the ACK first (§15)."""
        self._is_ended = True
        self._bye_fields = reason_field(reason)
        if self._awaiting_ack is None or self._is_established:
            self._send_bye(now)

    def receive(self, request: Request, now: float) -> None:
        """Answer a request inside the dialog other than ACK and CANCEL."""
        transaction = self._core.transactions.serve(request, self.acknowledge)
        if not self.dialog.accepts(request):
            self._respond(transaction, 500, now, reason="CSeq Out Of Order")
            return
        match request.method:
            case "BYE":
                self._receive_bye(transaction, now)
            case _ if self._is_ended:
                self._respond(transaction, 481, now)
            case "INVITE" | "UPDATE":
                self._receive_offer(transaction, now)
            case "INFO":
                self._receive_info(transaction, now)
            case "OPTIONS":
                fields = [("Contact", self._core.contact), ("Allow", ALLOW), ("Accept", ACCEPT)]
                self._respond(transaction, 200, now, fields=fields)
            case method:
                status = 405 if method in KNOWN_METHODS else 501
                self._respond(transaction, status, now, fields=[("Allow", ALLOW)])

    def _receive_bye(self, transaction: ServerTransaction, now: float) -> None:
        self._respond(transaction, 200, now)
        if self._awaiting_ack is not None:
            self._awaiting_ack.stop()
            self._awaiting_ack = None
        if not self._is_ended:
            self._is_ended = True
            cause = transaction.request.headers.get("Reason")
            self._core.events.append(Ended(self._key, "remote", cause))
        self._on_over()

    def _receive_offer(self, transaction: ServerTransaction, now: float) -> None:
        """Agree to a refresh that leaves the media where it is; refuse any other change."""
        request = transaction.request
        if self._awaiting_ack is not None:
            self._respond(transaction, 500, now, fields=[("Retry-After", "1")])
            return
        offer = session_description(request)
        if offer is None and request.body:
            self._respond(transaction, 415, now, fields=[("Accept", ACCEPT)])
            return
        if offer is not None and not same_media(self._remote_sdp, offer):
            self._respond(transaction, 488, now)
            return
        self.dialog.refresh_target(request)
        fields = [("Contact", self._core.contact), ("Allow", ALLOW)]
        if request.method == "UPDATE":
            sdp = self._local_sdp if offer is not None else None
            self._respond(transaction, 200, now, fields=fields, sdp=sdp)
        else:
            response = self._core.response(request, 200, fields=fields, sdp=self._local_sdp)
            self.answer(transaction, response, now)

    def _receive_info(self, transaction: ServerTransaction, now: float) -> None:
        digit = dtmf_digit(transaction.request)
        if digit is not None:
            self._core.events.append(DtmfInfo(self._key, digit))
        understood = digit is not None or not transaction.request.body
        self._respond(transaction, 200 if understood else 415, now)

    def _respond(
        self,
        transaction: ServerTransaction,
        status: int,
        now: float,
        *,
        reason: str | None = None,
        fields: list[tuple[str, str]] | None = None,
        sdp: bytes | None = None,
    ) -> None:
        request = transaction.request
        response = self._core.response(request, status, reason=reason, fields=fields or (), sdp=sdp)
        transaction.respond(response, now)

    def _on_silence(self, now: float) -> None:
        self._awaiting_ack = None
        if not self._is_ended:
            self._is_ended = True
            self._core.events.append(Ended(self._key, "local", "No ACK", 408))
        self._send_bye(now)

    def _send_bye(self, now: float) -> None:
        if self._awaiting_ack is not None:
            self._awaiting_ack.stop()
            self._awaiting_ack = None
        if self._bye is None:
            bye = self.dialog.request(self._core, "BYE", fields=self._bye_fields)
            self._start_bye(bye, now)

    def _start_bye(self, bye: Request, now: float) -> None:
        self._bye = bye
        hop = self.dialog.next_hop()
        self._core.transactions.request(bye, hop, now, self._on_bye_response)

    def _on_bye_response(self, response: Response | NoResponse, now: float) -> None:
        if isinstance(response, Response) and self._bye is not None:
            if response.status < 200:
                return
            if response.status in ANSWER_FIELDS:
                headers = self._authenticator.answer(self._bye, response, self._bye_tries)
                if headers is not None:
                    self.dialog.local_cseq += 1
                    number = self.dialog.local_cseq
                    self._start_bye(with_cseq(self._bye, headers, number, self._core.via()), now)
                    return
        self._on_over()
