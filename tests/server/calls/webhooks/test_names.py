"""What events are called."""

import re

import pytest

from server.calls.agent import WebhookRequest
from server.calls.webhooks import names
from server.calls.webhooks.errors import EventUnknown
from server.calls.webhooks.names import NATIVE, VOICEOS, names_of, resolve_names


@pytest.mark.parametrize(
    ("kind", "data", "expected"),
    [
        ("status", {"status": "scheduled"}, {"call.scheduled"}),
        ("status", {"status": "queued"}, set()),
        ("status", {"status": "ringing"}, {"call.ringing", "phone_call:connection_requested"}),
        (
            "status",
            {"status": "in-progress"},
            {"call.answered", "phone_call:accepted", "conversation:started"},
        ),
        ("status", {"status": "transferring"}, {"transfer.started"}),
        ("call.ended", {"ended_reason": "user_hangup"}, {"call.ended", "conversation:ended"}),
        (
            "call.ended",
            {"ended_reason": "dial_busy"},
            {"call.ended", "conversation:ended", "phone_call:rejected"},
        ),
        ("call.analyzed", {}, {"call.analyzed"}),
        ("transcript.final", {"content": "Hi"}, {"transcript.final", "message:sent"}),
        ("reply", {"content": "Hi"}, {"message:generated"}),
        ("tool.called", {"name": "x"}, {"tool.called", "function_call:triggered"}),
        ("dtmf.received", {"digit": "1"}, {"dtmf.received"}),
        ("transfer.failed", {}, {"transfer.failed"}),
        ("transcript.partial", {}, set()),
        ("interruption", {}, set()),
        ("status", {}, set()),
    ],
)
def test_an_event_goes_under_all_its_names(
    kind: str, data: dict[str, object], expected: set[str]
) -> None:
    assert set(names_of(kind, data)) == expected


def test_patterns_stand_for_the_names_they_match() -> None:
    assert resolve_names(["transfer.*", "call.ended"]) == {
        "transfer.started",
        "transfer.completed",
        "transfer.failed",
        "call.ended",
    }
    assert resolve_names(["phone_call:*"]) == {
        "phone_call:connection_requested",
        "phone_call:accepted",
        "phone_call:rejected",
    }
    assert resolve_names(["*"]) == set(NATIVE)
    assert resolve_names([]) == frozenset()


@pytest.mark.parametrize(
    "pattern", ["call.endde", "calls.*", "ca*", "call.e*", "*.ended", "**", "", ".*", "call:*"]
)
def test_a_pattern_that_can_match_nothing_is_refused(pattern: str) -> None:
    with pytest.raises(EventUnknown):
        resolve_names([pattern])


def test_every_name_of_voiceos_comes_from_some_event_and_stands_in_the_table() -> None:
    table = set(re.findall(r"^\| (.+?) \|", names.__doc__ or "", re.MULTILINE))
    listed = {name for row in table for name in re.findall(r"`(\w+:\w+)`", row)}
    assert listed == set(VOICEOS)
    given = {name for group in names.AS_VOICEOS.values() for name in group}
    assert given | {"phone_call:rejected"} == set(VOICEOS)


def test_every_name_may_stand_in_a_request() -> None:
    asked = WebhookRequest(url="https://e.example/", events=(*NATIVE, *VOICEOS))
    assert resolve_names(asked.events) == {*NATIVE, *VOICEOS}
