"""What an event of a call is called where it is subscribed to: our names and VoiceOS's.

| VoiceOS | ours |
| --- | --- |
| `phone_call:connection_requested` | `call.ringing` |
| `phone_call:accepted`, `conversation:started` | `call.answered` |
| `phone_call:rejected` | `call.ended` of a call that nobody answered |
| `conversation:ended` | `call.ended` |
| `function_call:triggered` | `tool.called` |
| `message:sent` | `transcript.final` |
| `message:generated` | a reply of the agent, before it is spoken |

VoiceOS's reference shows the first name only; the others are those of its client library 0.8.
Its `conversation:duration`, `speech:started` and `speech:ended` have no event here.
"""

from collections.abc import Iterable, Mapping

from server.calls.webhooks.errors import EventUnknown

NATIVE = (
    "call.scheduled",
    "call.ringing",
    "call.answered",
    "call.ended",
    "call.analyzed",
    "transcript.final",
    "tool.called",
    "dtmf.received",
    "transfer.started",
    "transfer.completed",
    "transfer.failed",
)
VOICEOS = (
    "phone_call:connection_requested",
    "phone_call:accepted",
    "phone_call:rejected",
    "conversation:started",
    "conversation:ended",
    "function_call:triggered",
    "message:sent",
    "message:generated",
)
OF_STATUS = {
    "scheduled": "call.scheduled",
    "ringing": "call.ringing",
    "in-progress": "call.answered",
    "transferring": "transfer.started",
}
"""The stream's `status` events are known by what the status became."""
AS_VOICEOS: Mapping[str, tuple[str, ...]] = {
    "call.ringing": ("phone_call:connection_requested",),
    "call.answered": ("phone_call:accepted", "conversation:started"),
    "call.ended": ("conversation:ended",),
    "tool.called": ("function_call:triggered",),
    "transcript.final": ("message:sent",),
    "reply": ("message:generated",),
}
UNANSWERED = frozenset(
    {"dial_busy", "dial_no_answer", "dial_failed", "user_declined", "invalid_destination"}
)


def names_of(kind: str, data: Mapping[str, object]) -> tuple[str, ...]:
    """Every name under which an event of the call's stream may be subscribed to; often none.

    kind, data: `CallEvent.type` and `CallEvent.data`.
    """
    name = OF_STATUS.get(str(data.get("status"))) if kind == "status" else kind
    if name is None:
        return ()
    names: tuple[str, ...] = (name,) if name in NATIVE else ()
    names += AS_VOICEOS.get(name, ())
    if name == "call.ended" and data.get("ended_reason") in UNANSWERED:
        names += ("phone_call:rejected",)
    return names


def resolve_names(patterns: Iterable[str]) -> frozenset[str]:
    """The names that patterns stand for: `call.*`, `phone_call:*`, or `*` for all of ours.

    Raises `EventUnknown` for a pattern that no event will ever match.
    """
    return frozenset(name for pattern in patterns for name in _matching(pattern))


def _matching(pattern: str) -> tuple[str, ...]:
    if pattern == "*":
        return NATIVE
    prefix = pattern.removesuffix("*")
    if pattern.endswith((".*", ":*")):
        found = tuple(name for name in (*NATIVE, *VOICEOS) if name.startswith(prefix))
    else:
        found = tuple(name for name in (*NATIVE, *VOICEOS) if name == pattern)
    if not found:
        raise EventUnknown(f"{pattern!r}: no event has this name")
    return found
