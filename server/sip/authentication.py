"""Answering the challenges met by one call: which, how often, with which nonce count."""

import random
from collections import Counter
from dataclasses import replace

from server.sip.digest import Credentials, digest_fields, strongest
from server.sip.errors import ParseError
from server.sip.headers import Headers
from server.sip.message import Request, Response

ANSWER_FIELDS = {401: "Authorization", 407: "Proxy-Authorization"}
_CHALLENGE_FIELDS = {401: "WWW-Authenticate", 407: "Proxy-Authenticate"}
_MAX_PER_REALM = 2


class Authenticator:
    """The credentials of one call leg and the nonces it has used (RFC 3261 §22.2)."""

    def __init__(self, credentials: Credentials | None, rng: random.Random) -> None:
        self._credentials = credentials
        self._rng = rng
        self._counts: Counter[str] = Counter()
        self._realms: set[str] = set()
        self._pinned = False
        if credentials is not None and credentials.realm is not None:
            self._realms.add(credentials.realm)
            self._pinned = True

    def pin(self) -> None:
        """Answer only the realms met so far.

        Once a call is up, the far end itself could challenge our BYE to collect a digest.
        """
        self._pinned = True

    def answer(self, request: Request, response: Response, tries: Counter[str]) -> Headers | None:
        """Return the request's header fields with the challenge in `response` answered.

        tries: how often each realm was answered for this request, counted here. None means
        give up: no credentials, a foreign realm, nothing we support, or a nonce refused twice.
        """
        offers = response.headers.all(_CHALLENGE_FIELDS[response.status])
        challenge = strongest(offers, self._realms if self._pinned else None)
        if self._credentials is None or challenge is None:
            return None
        field = ANSWER_FIELDS[response.status]
        realm, nonce = challenge.realm, challenge.nonce
        others = [value for value in request.headers.all(field) if _realm_nonce(value)[0] != realm]
        refused = (realm, nonce) in map(_realm_nonce, request.headers.all(field))
        if tries[realm] >= _MAX_PER_REALM or refused:
            return None
        tries[realm] += 1
        self._realms.add(realm)
        self._counts[nonce] += 1
        value = challenge.authorize(
            self._credentials,
            method=request.method,
            uri=request.uri,
            body=request.body,
            cnonce=f"{self._rng.getrandbits(64):016x}",
            count=self._counts[nonce],
        )
        return request.headers.replaced(field, *others, value)


def with_cseq(request: Request, headers: Headers, number: int, via: str) -> Request:
    """Return `request` as a new transaction: these headers, the next CSeq, a new Via."""
    cseq = f"{number} {request.method}"
    return replace(request, headers=headers.replaced("Via", via).replaced("CSeq", cseq))


def _realm_nonce(value: str) -> tuple[str | None, str | None]:
    try:
        fields = digest_fields(value)
    except ParseError:
        return None, None
    return fields.get("realm"), fields.get("nonce")
