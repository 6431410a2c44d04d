"""What is written of a call at its end: nothing that was to be taken out, and a true bill."""

import json
from typing import Any

import pytest
from sqlalchemy import select

from server.calls.conversation import Conversation
from server.calls.redaction import CARD, EMAIL
from server.calls.schema import call_events
from server.calls.store import CallStore
from server.calls.workflow import CallWorkflow
from server.sections import RetentionSettings
from server.settings import Settings
from tests.server.calls.test_workflow import ended, request
from tests.server.conftest import MakeWorkflow

CARD_NUMBER = "4111 1111 1111 1111"


@pytest.fixture
def talkative(phone: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A callee who gives a card number away."""
    converse = phone.converse

    async def told(call_id: str, terms: Any, task: Any, report: Any) -> Conversation:
        def also(kind: str, data: Any) -> None:
            report(kind, data)
            if kind == "transcript.final":
                report("transcript.partial", {"role": "user", "content": f"It is {CARD_NUMBER}"})
                report("reply", {"content": f"So it is {CARD_NUMBER}"})
                report("tool.called", {"name": "pay", "arguments": {"mail": "joe@vello.io"}})

        conversation: Conversation = await converse(call_id, terms, task, also)
        return conversation

    monkeypatch.setattr(phone, "converse", told)
    return phone


async def told(store: CallStore, call_id: str) -> dict[str, Any]:
    """The data of a call's events, as they are kept."""
    query = select(call_events.c.type, call_events.c.data)
    async with store.engine.connect() as connection:
        rows = (await connection.execute(query.where(call_events.c.call_id == call_id))).all()
    return {row.type: json.loads(row.data) for row in rows}


async def test_what_is_to_be_taken_out_is_in_no_event_and_in_no_record(
    store: CallStore, talkative: Any, workflow: CallWorkflow
) -> None:
    call = await workflow.place(request(objective=f"Pay with {CARD_NUMBER}", redact=True))
    record = await ended(store, workflow.feed, call.id)
    events = await told(store, call.id)
    assert record.objective == f"Pay with {CARD}"
    assert events["transcript.partial"]["content"] == f"It is {CARD}"
    assert events["reply"]["content"] == f"So it is {CARD}"
    assert events["tool.called"]["arguments"] == {"mail": EMAIL}


async def test_the_settings_have_it_taken_out_of_every_call(
    store: CallStore, talkative: Any, settings: Settings, make_workflow: MakeWorkflow
) -> None:
    kept = settings.model_copy(update={"retention": RetentionSettings(redact=True)})
    workflow = make_workflow(kept)
    call = await workflow.place(request(objective=f"Pay with {CARD_NUMBER}"))
    record = await ended(store, workflow.feed, call.id)
    assert record.objective == f"Pay with {CARD}"
    assert (await told(store, call.id))["reply"]["content"] == f"So it is {CARD}"


async def test_otherwise_what_was_said_stays(
    store: CallStore, talkative: Any, workflow: CallWorkflow
) -> None:
    call = await workflow.place(request(objective=f"Pay with {CARD_NUMBER}"))
    record = await ended(store, workflow.feed, call.id)
    assert record.objective == f"Pay with {CARD_NUMBER}"
    assert (await told(store, call.id))["reply"]["content"] == f"So it is {CARD_NUMBER}"


async def test_a_call_of_which_nothing_is_known_is_rid_of_it_too(
    store: CallStore, phone: Any, workflow: CallWorkflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise ValueError("no verdict")

    monkeypatch.setattr("server.calls.closing.analyse", fail)
    call = await workflow.place(request(objective=f"Pay with {CARD_NUMBER}", redact=True))
    record = await ended(store, workflow.feed, call.id)
    assert (record.ended_reason, record.objective) == ("engine_error", f"Pay with {CARD}")
