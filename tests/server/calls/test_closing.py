"""What is written of a call at its end: nothing that was to be taken out, and a true bill."""

import json
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from server.calls.conversation import Conversation
from server.calls.events import utc_now
from server.calls.ledger import Ledger, enter
from server.calls.redaction import CARD, EMAIL
from server.calls.schema import call_events
from server.calls.store import CallStore
from server.calls.workflow import CallWorkflow
from server.sections import CostSettings, RetentionSettings
from server.settings import Settings, TrunkSettings
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


async def test_the_bill_names_the_trunk_and_counts_the_answered_attempts_before(
    store: CallStore, phone: Any, settings: Settings, make_workflow: MakeWorkflow
) -> None:
    trunk = TrunkSettings(name="pbx", host="127.0.0.1")
    costs = CostSettings(per_call=0.5, telephony_per_minute=1.0)
    workflow = make_workflow(settings.model_copy(update={"trunks": (trunk,), "costs": costs}))
    phone.endings = ["voicemail_reached"]
    retry = {"attempts": 2, "delay_s": 1, "on": ["voicemail"]}
    call = await workflow.place(request(retry=retry))
    record = await ended(store, workflow.feed, call.id)
    bill: Any = record.cost_breakdown
    assert (record.attempt, record.duration_s) == (2, 30.0)
    assert bill["telephony"] == {"provider": "pbx", "cost": 1.0, "seconds": 60.0}
    assert record.cost_cents == 150.0


async def test_who_paid_more_than_the_call_cost_is_credited_at_its_end(
    store: CallStore, phone: Any, settings: Settings, make_workflow: MakeWorkflow
) -> None:
    costs = CostSettings(per_call=0.1)
    workflow = make_workflow(settings.model_copy(update={"costs": costs}))
    phone.lasting = True
    call = await workflow.place(request())
    await store.transact(lambda over: enter(over, "w", "pay", 500_000, "a", utc_now()))
    await store.transact(lambda over: enter(over, "w", "charge", -500_000, "q", utc_now(), call.id))
    workflow.hang_up(call.id)
    await workflow.attempts.idle()
    assert await Ledger(store, costs).balance("w") == 400_000


async def test_what_was_spoken_is_billed_by_its_characters(
    store: CallStore, phone: Any, settings: Settings, make_workflow: MakeWorkflow, monkeypatch: Any
) -> None:
    converse = phone.converse

    async def counted(*arguments: Any) -> Conversation:
        return replace(await converse(*arguments), spoken_characters=2500)

    monkeypatch.setattr(phone, "converse", counted)
    costs = CostSettings(voice_per_1k_characters=0.2)
    workflow = make_workflow(settings.model_copy(update={"costs": costs}))
    call = await workflow.place(request())
    assert (await ended(store, workflow.feed, call.id)).cost_cents == 50.0
