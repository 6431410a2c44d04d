"""Requests from strangers: answered without keeping state, or admitted as a new call.

A stateless answer (RFC 3261 §8.2.7) costs no memory, so a flood of scans leaves nothing behind;
a repeated request gets the same answer again. Stands before `IncomingCall`.
"""

import hashlib
from collections.abc import Callable, Sequence

from server.sip.body import session_description
from server.sip.core import ACCEPT, ALLOW, Core, copied_fields
from server.sip.errors import BadRequestError, ParseError
from server.sip.events import Address
from server.sip.headers import Headers
from server.sip.message import Request, Response
from server.sip.name_address import NameAddress
from server.sip.session import KNOWN_METHODS
from server.sip.uri import Uri

Fields = Sequence[tuple[str, str]]
Admission = Callable[[Request, Address, float], bool]

RETRY_AFTER_S = 5
"""Short: some carriers shun the whole node for as long as they are told to."""

_IN_DIALOG_ONLY = frozenset(("BYE", "INFO", "UPDATE"))


class Reception:
    """Decides on every request that belongs to no transaction and no call."""

    def __init__(self, core: Core, admit: Admission | None) -> None:
        """admit: opens a call for an acceptable INVITE, or returns False when there is no room.

        None refuses every INVITE alike.
        """
        self._core = core
        self._admit = admit
        self._secret = core.rng.getrandbits(128).to_bytes(16, "big")

    def receive(self, request: Request, source: Address, now: float) -> None:
        """Answer a request, or admit it as a call."""
        status, fields = self._judge(request)
        if status is not None:
            self._respond(request, status, fields)
        elif self._admit is None or not self._admit(request, source, now):
            self._respond(request, 503, [("Retry-After", str(RETRY_AFTER_S))])

    def cancel(self, request: Request, now: float) -> None:
        """Answer a CANCEL and pass it on to the INVITE it aims at (§9.2)."""
        invite = self._core.transactions.find_invite(request)
        if invite is None:
            self._respond(request, 481)
            return
        tag = invite.response.to.tag if invite.response else None
        self._respond(request, 200, tag=tag)
        invite.receive(request, now)

    def refuse_malformed(self, error: BadRequestError, source: Address) -> None:
        """Tell the sender of a malformed request so, with whatever it sent to go by."""
        headers = Headers(copied_fields(Headers(error.headers)))
        try:
            to = NameAddress.parse(headers.get("To") or "")
        except ParseError:
            pass
        else:
            if to.tag is None:
                tag = self._tag(headers.get("Call-ID") or "", headers.get("Via") or "")
                headers = headers.replaced("To", str(to.with_tag(tag)))
        response = Response(headers, b"", error.status, error.reason)
        self._core.transactions.send(bytes(response), source)

    def _judge(self, request: Request) -> tuple[int | None, Fields]:
        """Return the status to answer at once, or None for a call to admit (§8.2)."""
        method = request.method
        if method in _IN_DIALOG_ONLY or request.to.tag is not None:
            return 481, ()
        if method == "INVITE" and self._admit is None:
            return 403, ()
        if method not in ("INVITE", "OPTIONS"):
            return (405 if method in KNOWN_METHODS else 501), [("Allow", ALLOW)]
        if not Uri.parse(request.uri).is_sip:
            return 416, ()
        required = ", ".join(request.headers.all("Require"))
        if required:
            return 420, [("Unsupported", required)]
        if method == "OPTIONS":
            return 200, [("Contact", self._core.contact), ("Allow", ALLOW), ("Accept", ACCEPT)]
        return self._judge_invite(request)

    def _judge_invite(self, request: Request) -> tuple[int | None, Fields]:
        if request.max_forwards == 0:
            return 483, ()
        if self._core.transactions.is_merged(request):
            return 482, ()
        encoded = request.headers.get("Content-Encoding") not in (None, "identity")
        if request.body and (encoded or session_description(request) is None):
            return 415, [("Accept", ACCEPT), ("Accept-Encoding", "identity")]
        accepted = ",".join(request.headers.all("Accept")).lower()
        if accepted and not any(kind in accepted for kind in (ACCEPT, "application/*", "*/*")):
            return 406, ()
        return None, ()

    def _respond(
        self, request: Request, status: int, fields: Fields = (), *, tag: str | None = None
    ) -> None:
        via = request.via
        tag = tag or self._tag(request.call_id, str(via.branch))
        response = self._core.response(request, status, to_tag=tag, fields=fields)
        self._core.transactions.send(bytes(response), via.reply_address())

    def _tag(self, *identity: str) -> str:
        """Return the To tag that a repeated request would get again."""
        data = "\0".join(identity).encode("utf-8", "surrogateescape")
        return hashlib.blake2s(data, key=self._secret, digest_size=8).hexdigest()
