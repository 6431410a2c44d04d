"""Digest authentication as a client (RFC 3261 §22, RFC 8760, RFC 7616)."""

import hashlib
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass, field

from server.sip.errors import ParseError
from server.sip.grammar import parse_parameters, quote, split, unquote

HASHES: dict[str, Callable[[bytes], str]] = {
    "MD5": lambda data: hashlib.md5(data, usedforsecurity=False).hexdigest(),
    "SHA-256": lambda data: hashlib.sha256(data).hexdigest(),
}
"""Weakest first; `strongest` relies on the order."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a trunk knows us by."""

    username: str
    password: str = field(repr=False)
    realm: str | None = None
    """The only realm to answer; None answers whichever realm challenges the INVITE."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """A WWW-Authenticate or Proxy-Authenticate field that we can answer."""

    realm: str
    nonce: str
    algorithm: str = "MD5"
    """A key of HASHES, possibly followed by -sess."""
    qop: str | None = None
    """"auth" or "auth-int"; None for the form of RFC 2069."""
    opaque: str | None = None
    stale: bool = False

    @classmethod
    def parse(cls, text: str) -> "Challenge":
        """Parse a Digest challenge. Raises ParseError, also for what we cannot answer."""
        fields = digest_fields(text)
        if "realm" not in fields or "nonce" not in fields:
            raise ParseError("Challenge without realm or nonce")
        algorithm = (fields.get("algorithm") or "MD5").upper().replace("-SESS", "-sess")
        if algorithm.removesuffix("-sess") not in HASHES:
            raise ParseError("Unknown digest algorithm")
        return cls(
            fields["realm"],
            fields["nonce"],
            algorithm,
            _choose_qop(fields.get("qop")),
            fields.get("opaque"),
            fields.get("stale", "").lower() == "true",
        )

    @property
    def strength(self) -> int:
        """Rank of the hash, higher is stronger."""
        return list(HASHES).index(self.algorithm.removesuffix("-sess"))

    def authorize(
        self,
        credentials: Credentials,
        *,
        method: str,
        uri: str,
        body: bytes,
        cnonce: str,
        count: int,
    ) -> str:
        """Return the Authorization value.

        uri: the Request-URI exactly as sent. count: 1 for the first use of the nonce.
        """
        shared = {"realm": self.realm, "nonce": self.nonce, "uri": uri}
        response = self._response(credentials, method, uri, body, cnonce, f"{count:08x}")
        fields = {"username": credentials.username, **shared, "response": response}
        values = [f"{name}={quote(value)}" for name, value in fields.items()]
        values.append(f"algorithm={self.algorithm}")
        if self.opaque is not None:
            values.append(f"opaque={quote(self.opaque)}")
        if self.qop is not None:
            values.append(f'qop={self.qop}, nc={count:08x}, cnonce="{cnonce}"')
        elif self.algorithm.endswith("-sess"):
            values.append(f'cnonce="{cnonce}"')
        return "Digest " + ", ".join(values)

    def _response(
        self, credentials: Credentials, method: str, uri: str, body: bytes, cnonce: str, nc: str
    ) -> str:
        def digest(*parts: str) -> str:
            return hashed(":".join(parts).encode("utf-8", "surrogateescape"))

        hashed = HASHES[self.algorithm.removesuffix("-sess")]
        a1 = digest(credentials.username, self.realm, credentials.password)
        if self.algorithm.endswith("-sess"):
            a1 = digest(a1, self.nonce, cnonce)
        integrity = [hashed(body)] if self.qop == "auth-int" else []
        a2 = digest(method, uri, *integrity)
        if self.qop is None:
            return digest(a1, self.nonce, a2)
        return digest(a1, self.nonce, nc, cnonce, self.qop, a2)


def strongest(values: Iterable[str], realms: Container[str] | None = None) -> Challenge | None:
    """Return the strongest challenge that we can answer among header values, or None.

    realms: consider these only; None considers all.
    """
    best: Challenge | None = None
    for value in values:
        try:
            challenge = Challenge.parse(value)
        except ParseError:
            continue
        if realms is not None and challenge.realm not in realms:
            continue
        if best is None or challenge.strength > best.strength:
            best = challenge
    return best


def digest_fields(text: str) -> dict[str, str]:
    """Return the unquoted fields of a Digest challenge or answer. Raises ParseError."""
    scheme, _, rest = text.strip().partition(" ")
    if scheme.lower() != "digest":
        raise ParseError("Not a Digest challenge")
    fields = parse_parameters(split(rest, ","))
    return {name: unquote(value or "") for name, value in fields.items()}


def _choose_qop(offered: str | None) -> str | None:
    """Pick one token of a list such as `auth,auth-int`; "auth" hashes no body, so it wins."""
    if offered is None:
        return None
    tokens = [token.strip().lower() for token in offered.split(",") if token.strip()]
    for token in ("auth", "auth-int"):
        if token in tokens:
            return token
    if tokens:
        raise ParseError("Unknown quality of protection")
    return None
