"""The user agent core: datagrams, time and commands in; datagrams, timers and events out."""

import random
from collections.abc import Mapping
from functools import partial
from types import MappingProxyType

from server.sip import requests
from server.sip.authentication import Authenticator
from server.sip.core import Core
from server.sip.digest import Credentials
from server.sip.errors import BadRequestError, ParseError, UsageError
from server.sip.events import Address, Event, OptionsResult, legible
from server.sip.incoming import IncomingCall
from server.sip.kept_dialog import dump_dialog, load_dialog
from server.sip.message import Request, Response, parse_message
from server.sip.outgoing import OutgoingCall
from server.sip.outgoing_message import OutgoingMessage
from server.sip.reception import Reception
from server.sip.session import Session
from server.sip.transaction import NoResponse

__all__ = ["Address", "Credentials", "Event", "UserAgent"]

MAX_TRANSACTIONS = 20_000
"""Requests beyond this many live transactions are dropped; their senders try again."""

MAX_CALLS = 2_000
"""No further call is admitted from outside beyond this many; our own are the caller's affair."""

MAX_TEXT_BYTES = 800
"""Of a text message; with its head it fits the 1300 bytes of RFC 3428 §8."""

Call = OutgoingCall | IncomingCall
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class UserAgent:
    """A SIP endpoint without sockets or clocks (RFC 3261).

    After any call that takes `now` (monotonic seconds), collect `datagrams_to_send`, then
    events until `next_event` returns None, then arm a timer for `get_timer`. Commands for a
    call that is already over do nothing: its last event is under way.
    """

    def __init__(
        self,
        *,
        local: Address,
        user_agent: str = "Offhook",
        contact_user: str = "offhook",
        allow_inbound: bool = False,
        seed: int | None = None,
    ) -> None:
        """local: what our Via and Contact say. seed: fixed identifiers, for tests only."""
        rng = random.SystemRandom() if seed is None else random.Random(seed)
        self._core = Core(local, user_agent, contact_user, rng)
        self._calls: dict[str, Call] = {}
        self._by_tag: dict[tuple[str, str], Call] = {}
        self._reception = Reception(self._core, self._open_incoming if allow_inbound else None)

    @property
    def local(self) -> Address:
        """The address that our Via and Contact advertise."""
        return self._core.local

    @local.setter
    def local(self, address: Address) -> None:
        self._core.local = address

    @property
    def is_idle(self) -> bool:
        """True when no call is up and no transaction is under way."""
        return not self._calls and not len(self._core.transactions)

    @property
    def is_settled(self) -> bool:
        """True when no call is up and every request of ours has its final response."""
        return not self._calls and not self._core.transactions.is_pending

    # Sans-IO surface

    def receive_datagram(self, data: bytes, source: Address, now: float) -> None:
        """Take one datagram. Never raises; what is no SIP is dropped or answered 400."""
        try:
            message = parse_message(data)
        except BadRequestError as error:
            self._reception.refuse_malformed(error, source)
        except ParseError:
            return
        else:
            if isinstance(message, Response):
                self._receive_response(message, now)
            else:
                self._receive_request(message.received_from(source), source, now)

    def datagrams_to_send(self) -> list[tuple[bytes, Address]]:
        """Return what is to be sent now, oldest first, and forget it."""
        outbox = self._core.transactions.outbox
        self._core.transactions.outbox = []
        return outbox

    def get_timer(self) -> float | None:
        """Return when `handle_timer` is next due, or None."""
        return self._core.timers.next()

    def handle_timer(self, now: float) -> None:
        """Run everything due at `now`."""
        self._core.timers.run(now)

    def next_event(self) -> Event | None:
        """Return the oldest event not yet taken, or None."""
        return legible(self._core.events.popleft()) if self._core.events else None

    def transport_failed(self, destination: Address, now: float) -> None:
        """Take note that the network refuses datagrams to `destination` (§8.1.3.1)."""
        self._core.transactions.unreachable(destination, now)

    # Commands

    def invite(
        self,
        *,
        target: str,
        destination: Address,
        from_uri: str,
        from_display: str = "",
        sdp: bytes,
        credentials: Credentials | None,
        now: float,
        headers: Mapping[str, str] = _NO_HEADERS,
    ) -> str:
        """Place a call and return its call_id.

        target: Request-URI, with the trunk's name as host. destination: where to send it.
        headers: further header fields. Raises UsageError for what cannot stand in a message.
        """
        invite = requests.invite(
            self._core,
            target=target,
            from_uri=from_uri,
            from_display=from_display,
            sdp=sdp,
            headers=headers,
        )
        authenticator = Authenticator(credentials, self._core.rng)
        key, tag = invite.call_id, invite.from_.tag or ""
        forget = partial(self._forget, key, (key, tag))
        call = OutgoingCall(self._core, invite, destination, authenticator, now, forget)
        self._calls[key] = self._by_tag[key, tag] = call
        return key

    def hang_up(self, call_id: str, now: float, reason: str | None = None) -> None:
        """End a call in whatever state it is: BYE, CANCEL or, as callee, 603. Idempotent.

        reason: text for the Reason header field (RFC 3326).
        """
        call = self._calls.get(call_id)
        if call is not None:
            call.hang_up(now, reason)

    def dialog(self, call_id: str) -> str | None:
        """An answered call as `release` takes it, in this process or a later one."""
        call = self._calls.get(call_id)
        dialog = call.dialog if call is not None else None
        return dump_dialog(dialog) if dialog is not None else None

    def release(self, kept: str, credentials: Credentials | None, now: float) -> None:
        """Send the BYE of a dialog that a process which is gone had established.

        kept: from `dialog`. Raises ParseError. The other side may know nothing of it any more
        (481), which is as good.
        """
        dialog = load_dialog(kept)
        authenticator = Authenticator(credentials, self._core.rng)
        session = Session(
            self._core,
            dialog.call_id,
            dialog,
            authenticator,
            local_sdp=b"",
            remote_sdp=b"",
            is_established=True,
            on_over=_nothing,
        )
        session.close(now)

    def ring(self, call_id: str, now: float, sdp: bytes | None = None) -> None:
        """Tell the caller that we ring (180), or play early media (183 with `sdp`)."""
        call = self._calls.get(call_id)
        if isinstance(call, IncomingCall):
            call.ring(now, sdp)

    def answer(self, call_id: str, sdp: bytes, now: float) -> None:
        """Take a call: 200 with `sdp`, repeated until the ACK."""
        call = self._calls.get(call_id)
        if isinstance(call, IncomingCall):
            call.answer(sdp, now)

    def reject(self, call_id: str, status: int, now: float, phrase: str | None = None) -> None:
        """Refuse a call with a final `status`, 300–699."""
        call = self._calls.get(call_id)
        if isinstance(call, IncomingCall):
            call.reject(status, now, phrase)

    def options(self, *, destination: Address, now: float) -> str:
        """Ping `destination` (§11) and return the call_id that `OptionsResult` will carry."""
        request = requests.options(self._core, destination)

        def report(response: Response | NoResponse, later: float) -> None:
            local = isinstance(response, NoResponse)
            status = response.value if isinstance(response, NoResponse) else response.status
            if status >= 200:
                result = OptionsResult(request.call_id, status, later - now, local)
                self._core.events.append(result)

        self._core.transactions.request(request, destination, now, report)
        return request.call_id

    def message(
        self,
        *,
        target: str,
        destination: Address,
        from_uri: str,
        from_display: str = "",
        text: str,
        credentials: Credentials | None,
        now: float,
    ) -> str:
        """Send a text message (RFC 3428); return the call_id that `MessageResult` will carry.

        target, destination: as for `invite`. Raises UsageError for what cannot be sent, and for
        a text above `MAX_TEXT_BYTES`: over UDP a MESSAGE must fit one datagram (§8).
        """
        if len(text.encode("utf-8", "replace")) > MAX_TEXT_BYTES:
            raise UsageError(f"a text message of more than {MAX_TEXT_BYTES} bytes")
        request = requests.message(
            self._core, target=target, from_uri=from_uri, from_display=from_display, text=text
        )
        authenticator = Authenticator(credentials, self._core.rng)
        OutgoingMessage(self._core, request, destination, authenticator, now)
        return request.call_id

    # Inside

    def _receive_response(self, response: Response, now: float) -> None:
        # More than one Via: the response is not for us (§18.1.2).
        if len(response.headers.items("Via")) > 1:
            return
        if self._core.transactions.receive(response, now):
            return
        is_success = 200 <= response.status < 300 and response.cseq.method == "INVITE"
        call = self._by_tag.get((response.call_id, response.from_.tag or ""))
        if is_success and isinstance(call, OutgoingCall):
            call.receive_success(response, now)

    def _receive_request(self, request: Request, source: Address, now: float) -> None:
        transaction = self._core.transactions.find(request)
        if transaction is not None:
            transaction.receive(request, now)
            return
        call = self._by_tag.get((request.call_id, request.to.tag or ""))
        if len(self._core.transactions) >= MAX_TRANSACTIONS:
            return
        match request.method:
            case "CANCEL":
                self._reception.cancel(request, now)
            case "ACK":
                if call is not None and call.session is not None and _is_peer(call, request):
                    call.session.acknowledge(request, now)
            case _ if call is not None and _is_peer(call, request):
                call.receive(request, now)
            case _:
                self._reception.receive(request, source, now)

    def _open_incoming(self, request: Request, source: Address, now: float) -> bool:
        if len(self._calls) >= MAX_CALLS:
            return False
        tag = self._core.identifier()
        # The same Call-ID may already be in use by our own call that a proxy turned back to us.
        taken = request.call_id in self._calls
        key = f"{request.call_id};{tag}" if taken else request.call_id
        forget = partial(self._forget, key, (request.call_id, tag))
        call = IncomingCall(self._core, key, tag, request, source, now, forget)
        self._calls[key] = self._by_tag[request.call_id, tag] = call
        return True

    def _forget(self, key: str, tag: tuple[str, str]) -> None:
        self._calls.pop(key, None)
        self._by_tag.pop(tag, None)


def _is_peer(call: Call, request: Request) -> bool:
    """Tell whether the other tag matches as well; the socket says nothing (§12.2.2)."""
    dialog = call.dialog
    return dialog is not None and dialog.remote_tag == (request.from_.tag or "")


def _nothing() -> None:
    """Nobody waits for the end of what is over."""
