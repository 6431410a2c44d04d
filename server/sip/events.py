"""What the user agent core reports: past-tense facts, one dataclass each.

`call_id` is the key of one call leg, as returned by `UserAgent.invite` or announced by
`IncomingInvite`. A call leg ends with exactly one of `Failed`, `Canceled` and `Ended`.
Inside the core, text keeps the octets of the wire; `legible` stands where it leaves.
"""

from dataclasses import dataclass, replace
from typing import Literal


@dataclass(frozen=True, slots=True)
class Address:
    """Where a datagram comes from or goes to."""

    host: str
    """An IP address; IPv6 without brackets."""
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class IncomingInvite:
    """A caller asks for a new call; answer with `ring`, `answer` or `reject`."""

    call_id: str
    from_uri: str
    to_uri: str
    request_uri: str
    sdp: bytes
    """The offer; empty when the caller wants the offer in our answer."""
    source: Address


@dataclass(frozen=True, slots=True)
class Trying:
    """The next hop has the INVITE (100)."""

    call_id: str


@dataclass(frozen=True, slots=True)
class Ringing:
    """A provisional response, 101–199, arrived."""

    call_id: str
    status: int
    sdp: bytes | None
    """Early media description, where the response carries one."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The callee took our call; the ACK is on its way."""

    call_id: str
    sdp: bytes
    """The answer; taken from the last 1xx of the same callee if the 2xx has none, else empty."""


@dataclass(frozen=True, slots=True)
class Established:
    """The caller acknowledged our answer."""

    call_id: str
    sdp: bytes | None = None
    """The caller's description in the ACK, when the INVITE had none (RFC 3261 §13.2.1)."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The call was never answered."""

    call_id: str
    status: int
    """The final status; 408 for no response at all, 503 for an unreachable network."""
    reason_phrase: str
    retry_after: int | None = None
    """Seconds the peer asks us to wait before the next attempt."""
    local: bool = False
    """True when our own side decided the status rather than a response."""


@dataclass(frozen=True, slots=True)
class Canceled:
    """The caller gave up before we answered."""

    call_id: str


@dataclass(frozen=True, slots=True)
class Ended:
    """An answered call is over."""

    call_id: str
    by: Literal["local", "remote"]
    cause: str | None = None
    """The Reason header field's text (RFC 3326), or why we ended it ourselves."""
    sip_status: int | None = None
    """The status that ended it where one did, such as 408 for an ACK that never came."""


@dataclass(frozen=True, slots=True)
class DtmfInfo:
    """A digit arrived in an INFO request."""

    call_id: str
    digit: str
    """One of 0–9, *, #, A–D."""


@dataclass(frozen=True, slots=True)
class OptionsResult:
    """An OPTIONS ping was answered, or not."""

    call_id: str
    """What `UserAgent.options` returned."""
    status: int
    """Any response means alive; 408 or 503 with `local` means none came."""
    round_trip_s: float
    local: bool = False


@dataclass(frozen=True, slots=True)
class MessageResult:
    """A text message was taken, or not."""

    call_id: str
    """What `UserAgent.message` returned."""
    status: int
    """The final response: 2xx means taken; 408 or 503 with `local` means none came."""
    reason_phrase: str
    local: bool = False


Event = (
    IncomingInvite
    | Trying
    | Ringing
    | Answered
    | Established
    | Failed
    | Canceled
    | Ended
    | DtmfInfo
    | OptionsResult
    | MessageResult
)


def legible(event: Event) -> Event:
    """Return an event whose texts are all Unicode; what was no UTF-8 becomes U+FFFD.

    `call_id` stays as it is: it is a key, and the peer knows it by its octets.
    """
    match event:
        case Failed(reason_phrase=phrase):
            return replace(event, reason_phrase=_utf8(phrase))
        case Ended(cause=str(cause)):
            return replace(event, cause=_utf8(cause))
        case IncomingInvite(from_uri=from_uri, to_uri=to_uri, request_uri=request_uri):
            return replace(
                event,
                from_uri=_utf8(from_uri),
                to_uri=_utf8(to_uri),
                request_uri=_utf8(request_uri),
            )
        case _:
            return event


def _utf8(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
