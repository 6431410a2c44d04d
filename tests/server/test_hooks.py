"""Hooks of a call."""

import pytest

from server.calls.agent import HookRequest
from server.calls.webhooks.errors import EventUnknown, FilterInvalid
from server.hooks import CallHooks, parse_hooks
from server.live_actions import Instruction

CALL = {"id": "call_1", "to": "+14165550123", "metadata": {"tier": "gold"}}


def hooks(*asked: dict[str, object]) -> CallHooks:
    return CallHooks(parse_hooks([HookRequest.model_validate(one) for one in asked]), CALL)


def hanging_up(**more: object) -> dict[str, object]:
    return {"events": ["dtmf.received"], "instructions": [{"instruction": "hang_up"}], **more}


def test_an_event_runs_the_instructions_of_its_hook() -> None:
    assert hooks(hanging_up())("dtmf.received", {"digit": "9"}) == (Instruction("hang_up"),)


def test_other_events_run_nothing() -> None:
    assert hooks(hanging_up())("transcript.final", {"content": "hello"}) == ()


def test_a_filter_looks_at_the_event() -> None:
    asked = hooks(hanging_up(filter="data.digit == '9'"))
    assert asked("dtmf.received", {"digit": "9"})
    assert not asked("dtmf.received", {"digit": "8"})


def test_a_filter_looks_at_the_call() -> None:
    assert hooks(hanging_up(filter="call.metadata.tier == 'gold'"))("dtmf.received", {})
    assert not hooks(hanging_up(filter="call.metadata.tier == 'tin'"))("dtmf.received", {})


def test_names_of_the_voiceos_document_are_understood() -> None:
    accepted = hooks(hanging_up(events=["phone_call:accepted"]))
    assert accepted("status", {"status": "in-progress"}) == (Instruction("hang_up"),)


def test_instructions_keep_their_order_and_arguments() -> None:
    first = hanging_up(instructions=[{"instruction": "say", "text": "Bye."}])
    assert hooks(first, hanging_up())("dtmf.received", {}) == (
        Instruction("say", {"text": "Bye."}),
        Instruction("hang_up"),
    )


def test_an_unknown_event_is_refused() -> None:
    with pytest.raises(EventUnknown):
        hooks(hanging_up(events=["moon.rise"]))


def test_a_filter_that_is_none_is_refused() -> None:
    with pytest.raises(FilterInvalid):
        hooks(hanging_up(filter="__import__('os')"))
