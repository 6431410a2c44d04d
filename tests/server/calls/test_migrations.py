"""A database of an older release, opened by this one."""

import json
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, text

from server.api.keys import KeyRing
from server.calls.database import migrate
from server.calls.schema import metadata
from server.calls.store import CallStore

CALL_ID = "call_019abc00000000000000000000000001"
MOMENT = "2026-01-31T12:00:00.000000Z"
REQUEST = {"to": "+14165550123", "objective": "Book a table", "metadata": {"order": 7}}
RECORD = {
    "id": CALL_ID,
    "status": "ended",
    "ended_reason": "agent_hangup",
    "to": "+14165550123",
    "objective": "Book a table",
    "created_at": MOMENT,
    "updated_at": MOMENT,
    "answered_by": "human",
    "messages": [{"role": "user", "content": "yes", "start_s": 1.0, "end_s": 1.5}],
    "outcome": {"success": True, "criteria": [{"text": "booked", "met": True, "evidence": "yes"}]},
    "metadata": {"order": 7},
}


@pytest.fixture
def first_release(tmp_path: Path) -> Path:
    """A database as the first release left it: one call, its events, one key."""
    path = tmp_path / "data/offhook.sqlite3"
    migrate(path, "0001")
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        call = "INSERT INTO calls VALUES (:id, 'ended', :to, NULL, :at, :request, :record, 'a.wav')"
        given = {"id": CALL_ID, "to": REQUEST["to"], "at": MOMENT}
        documents = {"request": json.dumps(REQUEST), "record": json.dumps(RECORD)}
        connection.execute(text(call), given | documents)
        event = "INSERT INTO call_events VALUES (:id, :seq, :type, :at, '{}')"
        for seq, kind in enumerate(("status", "call.ended"), 1):
            row = {"id": CALL_ID, "seq": seq, "type": kind, "at": MOMENT}
            connection.execute(text(event), row)
        key = "INSERT INTO api_keys VALUES ('k1', 'old', :hash, '[\"*\"]', :at, NULL)"
        connection.execute(text(key), {"hash": "0" * 64, "at": MOMENT})
    engine.dispose()
    return path


async def test_nothing_of_an_older_release_is_lost(first_release: Path) -> None:
    store = await CallStore.open(first_release)
    try:
        call = await store.get(CALL_ID)
        assert (call.status, call.to, call.metadata) == ("ended", "+14165550123", {"order": 7})
        assert [message.content for message in call.messages] == ["yes"]
        assert call.outcome is not None
        assert call.outcome.criteria[0].evidence == "yes"
        assert (await store.request(CALL_ID)).objective == "Book a table"
        assert await store.recording(CALL_ID) == "a.wav"
        events = await store.events_after(CALL_ID)
        assert [event.type for event in events] == ["status", "call.ended"]
        assert [key.name for key in (await KeyRing(store.engine).list())] == ["old"]
        assert await store.unfinished() == ()
    finally:
        await store.close()


def test_the_steps_lead_to_the_schema_of_the_program(first_release: Path) -> None:
    migrate(first_release)
    engine = create_engine(f"sqlite:///{first_release}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_a_database_that_is_up_to_date_stays_as_it_is(first_release: Path) -> None:
    migrate(first_release)
    before = first_release.read_bytes()
    migrate(first_release)
    assert first_release.read_bytes() == before
