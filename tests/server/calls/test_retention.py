"""What is left of a call that was erased, in a real database and a real folder."""

import asyncio
import json
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from server.calls.audit import AuditLog
from server.calls.costs import Usage, bill_of, costed
from server.calls.errors import ActionRefused, CallNotFound
from server.calls.events import rfc3339
from server.calls.ids import new_call_id
from server.calls.ledger import Ledger
from server.calls.model import Call, CallMessage, Criterion, Outcome, Plan
from server.calls.request import CallRequest, TaskRequest
from server.calls.retention import ERASED, Retention
from server.calls.schema import admissions, audit, calls, dials, orders, webhook_deliveries
from server.calls.store import CallStore
from server.calls.webhooks.deliveries import Deliveries
from server.outward.client import OutwardClient
from server.outward.rules import OutwardRules
from server.sections import CostSettings
from server.settings import Settings

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
SECRETS = ("Bobby", "Vello", "table", "0123", "allergy", "wine", "hook.example", "INVITE")
"""Words of everything that was said, asked for or sent."""


class Clock:
    """Time that only tests move."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def retention(store: CallStore, settings: Settings, clock: Clock) -> Retention:
    return Retention(store, AuditLog(store.engine), settings.data, clock)


def record(call_id: str, ended_at: datetime = NOW, **fields: Any) -> Call:
    call = Call(
        id=call_id,
        status="ended",
        ended_reason="agent_hangup",
        sip_reason="OK Bobby",
        to="+14165550123",
        parties=("+14165550123", "sip:bobby-0123@pbx"),
        created_at=ended_at - timedelta(minutes=5),
        updated_at=ended_at,
        ended_at=ended_at,
        duration_s=30.0,
        objective="Book a table",
        task=TaskRequest(goal="Call Bobby", facts={"company": "Vello"}),
        plan=Plan(summary="Book a table."),
        variables={"name": "Bobby"},
        messages=(CallMessage(role="user", content="Bobby here", start_s=0, end_s=1),),
        transcript="Callee: Bobby here",
        summary="Bobby has an allergy.",
        outcome=Outcome(success=True, criteria=(Criterion(text="table", met=True),)),
        analysis={"note": "wine"},
        tool_calls=({"name": "send", "text": "wine"},),
        recording_url=f"/v1/calls/{call_id}/recording",
        metadata={"customer": "Bobby"},
    )
    bill = bill_of(Usage(calls=1), CostSettings(per_call=0.5))
    return costed(call.model_copy(update={"from_": "+14165550199", **fields}), bill)


async def a_call(
    store: CallStore, settings: Settings, ended_at: datetime = NOW, status: str = "ended"
) -> str:
    """A call with everything that a call leaves behind."""
    asked = CallRequest.model_validate({"to": "+14165550123", "objective": "Book a table"})
    call = record(new_call_id(), ended_at, status=status)
    await store.create(call, asked)
    store.append_event(call.id, "transcript.final", {"role": "user", "content": "Bobby here"})
    store.append_event(call.id, "status", {"status": "in-progress"})
    await store.events_after(call.id)
    row = {"call_id": call.id, "at": rfc3339(ended_at)}
    async with store.engine.begin() as connection:
        mine = update(calls).where(calls.c.id == call.id)
        await connection.execute(mine.values(recording=f"{call.id}.wav"))
        await connection.execute(
            insert(dials),
            {**row, "attempt": 1, "party": "+14165550123", "node_id": "n", "dialog": "INVITE"},
        )
        await connection.execute(
            insert(admissions), {**row, "deployment_id": "d", "number": "+14165550123"}
        )
        await connection.execute(
            insert(orders),
            {"node_id": "n", "call_id": call.id, "action": "say", "arguments": '{"text":"wine"}'},
        )
        await connection.execute(
            insert(webhook_deliveries),
            {
                "id": f"w{call.id}",
                "call_id": call.id,
                "event": "call.ended",
                "url": "https://hook.example",
                "document": '{"transcript":"Bobby here"}',
                "status": "pending",
                "attempts": 0,
                "created_at": rfc3339(ended_at),
                "updated_at": rfc3339(ended_at),
            },
        )
    path = settings.data.recording_of(call.id)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"RIFF")
    return call.id


async def rows_of(store: CallStore, call_id: str) -> str:
    """Everything in the database that belongs to a call, but the audit and the counters."""
    found: list[Any] = []
    async with store.engine.connect() as connection:
        for table in calls.metadata.sorted_tables:
            if table.name in ("audit", "admissions"):
                continue
            column = (
                table.c.get("call_id", table.c.id) if "id" in table.c else table.c.get("call_id")
            )
            if column is not None:
                rows = await connection.execute(select(table).where(column == call_id))
                found += [[str(value) for value in row] for row in rows]
    return json.dumps(found)


async def test_nothing_that_was_said_is_left(
    store: CallStore, settings: Settings, retention: Retention
) -> None:
    call_id = await a_call(store, settings)
    before = await rows_of(store, call_id)
    assert all(secret in before for secret in SECRETS)
    assert await retention.erase(call_id)
    after = (await rows_of(store, call_id)).replace("+1416***0123", "")
    assert [secret for secret in SECRETS if secret in after] == []
    assert not settings.data.recording_of(call_id).exists()
    assert await store.recording(call_id) is None


async def test_times_status_and_costs_stay(
    store: CallStore, settings: Settings, retention: Retention
) -> None:
    call_id = await a_call(store, settings)
    before = await store.get(call_id)
    await retention.erase(call_id)
    after = await store.get(call_id)
    for name in ("id", "status", "ended_reason", "created_at", "ended_at", "duration_s"):
        assert getattr(after, name) == getattr(before, name)
    assert (after.cost_cents, after.cost_breakdown) == (50.0, before.cost_breakdown)
    assert after.outcome == Outcome(success=True)
    assert (after.to, after.from_) == ("+1416***0123", "+1416***0199")
    assert after.parties == ("+1416***0123", "***")


async def test_events_stay_without_what_they_told(
    store: CallStore, settings: Settings, retention: Retention
) -> None:
    call_id = await a_call(store, settings)
    await retention.erase(call_id)
    events = await store.events_after(call_id)
    assert [(event.seq, event.type, event.data) for event in events] == [
        (1, "status", {"status": "ended"}),
        (2, "transcript.final", {}),
        (3, "status", {"status": "in-progress"}),
    ]


async def test_webhooks_of_an_erased_call_stay_in_the_list_and_are_sent_no_more(
    store: CallStore, settings: Settings, retention: Retention
) -> None:
    call_id = await a_call(store, settings)
    await retention.erase(call_id)
    rules = OutwardRules()
    deliveries = Deliveries(store, OutwardClient(rules), rules, "whsec_unused")
    assert await deliveries.pending() == ()
    (left,) = await deliveries.list()
    assert (left.event, left.status, left.last_error) == ("call.ended", "dead", ERASED)
    assert not await deliveries.revive(left.id)


async def test_erasing_is_one_row_of_the_audit(
    store: CallStore, settings: Settings, retention: Retention
) -> None:
    call_id = await a_call(store, settings)
    assert await retention.erase(call_id, "key_1")
    assert not await retention.erase(call_id, "key_2")
    async with store.engine.connect() as connection:
        rows = (await connection.execute(select(audit).where(audit.c.kind == "erased"))).all()
    assert [(row.call_id, row.key_id, row.data) for row in rows] == [
        (call_id, "key_1", '{"because":"asked"}')
    ]
    assert (await AuditLog(store.engine).verify()).broken is None


async def test_concurrent_erasures_are_one(
    store: CallStore, settings: Settings, retention: Retention
) -> None:
    call_id = await a_call(store, settings)
    assert sum(await asyncio.gather(*(retention.erase(call_id) for _ in range(10)))) == 1


@pytest.mark.parametrize("status", ["scheduled", "queued", "ringing", "in-progress"])
async def test_a_call_that_is_not_over_is_not_erased(
    store: CallStore, settings: Settings, retention: Retention, status: str
) -> None:
    call_id = await a_call(store, settings, status=status)
    before = await rows_of(store, call_id)
    with pytest.raises(ActionRefused):
        await retention.erase(call_id)
    assert await rows_of(store, call_id) == before
    assert settings.data.recording_of(call_id).exists()


async def test_an_unknown_call_is_not_erased(retention: Retention) -> None:
    with pytest.raises(CallNotFound):
        await retention.erase("call_0")


async def test_a_recording_that_could_not_be_deleted_is_deleted_at_the_next_start(
    store: CallStore, settings: Settings, retention: Retention, monkeypatch: pytest.MonkeyPatch
) -> None:
    call_id = await a_call(store, settings)

    def fail(path: Path, missing_ok: bool = False) -> None:
        raise PermissionError("the node dies here")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", fail)
        with pytest.raises(PermissionError):
            await retention.erase(call_id)
    assert settings.data.recording_of(call_id).exists()
    assert "Bobby" not in await rows_of(store, call_id)
    assert await retention.finish() == 1
    assert not settings.data.recording_of(call_id).exists()
    assert await retention.finish() == 0


async def test_a_failure_in_the_middle_of_erasing_leaves_all_as_it_was(
    store: CallStore, settings: Settings, retention: Retention, monkeypatch: pytest.MonkeyPatch
) -> None:
    call_id = await a_call(store, settings)
    before = await rows_of(store, call_id)

    async def fail(*_: object) -> int:
        raise RuntimeError("the node dies here")

    monkeypatch.setattr(AuditLog, "append_in", fail)
    with pytest.raises(RuntimeError):
        await retention.erase(call_id)
    assert await rows_of(store, call_id) == before
    assert settings.data.recording_of(call_id).exists()


async def test_a_recording_that_no_record_names_is_deleted_too(
    store: CallStore, settings: Settings, retention: Retention
) -> None:
    call_id = await a_call(store, settings)
    async with store.engine.begin() as connection:
        await connection.execute(update(calls).values(recording=None))
    await retention.erase(call_id)
    assert not settings.data.recording_of(call_id).exists()


async def test_only_what_ended_long_enough_ago_expires(
    store: CallStore, settings: Settings, retention: Retention
) -> None:
    old = await a_call(store, settings, NOW - timedelta(days=30, seconds=1))
    young = await a_call(store, settings, NOW - timedelta(days=30) + timedelta(minutes=1))
    live = await a_call(store, settings, NOW - timedelta(days=90), "in-progress")
    assert await retention.expire(30) == 1
    assert (await store.get(old)).objective is None
    assert (await store.get(young)).objective == (await store.get(live)).objective == "Book a table"
    assert await retention.expire(30) == 0


async def test_all_that_expired_goes_at_once_however_much_it_is(
    store: CallStore, settings: Settings, retention: Retention, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.calls.retention.BATCH", 3)
    for _ in range(8):
        await a_call(store, settings, NOW - timedelta(days=31))
    assert await retention.expire(30) == 8


async def test_one_record_that_cannot_be_read_does_not_keep_the_others(
    store: CallStore, settings: Settings, retention: Retention
) -> None:
    broken = await a_call(store, settings, NOW - timedelta(days=31))
    other = await a_call(store, settings, NOW - timedelta(days=31))
    async with store.engine.begin() as connection:
        mine = update(calls).where(calls.c.id == broken)
        await connection.execute(mine.values(record="{}"))
    assert await retention.expire(30) == 1
    assert (await store.get(other)).objective is None


async def test_numbers_are_not_counted_for_ever(
    store: CallStore, settings: Settings, retention: Retention, clock: Clock
) -> None:
    await a_call(store, settings)
    clock.now = NOW + timedelta(days=1)
    await retention.expire(30)
    assert await counted(store) == 1
    clock.now = NOW + timedelta(days=2, seconds=1)
    await retention.expire(30)
    assert await counted(store) == 0


async def counted(store: CallStore) -> int:
    async with store.engine.connect() as connection:
        return len((await connection.execute(select(admissions))).all())


async def test_an_erased_call_can_still_be_settled(
    store: CallStore, settings: Settings, retention: Retention
) -> None:
    call_id = await a_call(store, settings)
    await retention.erase(call_id)
    money = Ledger(store, CostSettings())
    assert await money.settle(await store.get(call_id), NOW) is None


async def test_the_file_of_the_database_is_rid_of_the_words_too(
    store: CallStore, settings: Settings, retention: Retention
) -> None:
    call_id = await a_call(store, settings)
    await retention.erase(call_id)
    database = settings.data.dir / "offhook.sqlite3"
    await store.close()
    with sqlite3.connect(database) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    assert b"Bobby here" not in database.read_bytes()
