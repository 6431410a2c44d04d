"""Records and event logs, in a real SQLite file."""

import sqlite3
import stat
from pathlib import Path

import pytest
from sqlalchemy import inspect

from server.calls.database import migrate, open_database
from server.calls.errors import CallNotFound
from server.calls.events import utc_now
from server.calls.ids import new_call_id
from server.calls.model import Call
from server.calls.record import progressed, queued
from server.calls.request import CallRequest
from server.calls.schema import metadata
from server.calls.store import CallStore
from server.settings import Settings

REQUEST = CallRequest.model_validate({"to": "+14165550123", "objective": "Book a table"})


async def create(store: CallStore) -> Call:
    call = queued(new_call_id(), REQUEST, ("odd",), utc_now())
    await store.create(call, REQUEST)
    return call


async def test_an_empty_database_is_brought_to_the_tables_of_the_schema(tmp_path: Path) -> None:
    engine = await open_database(tmp_path / "new" / "node.sqlite3")
    async with engine.connect() as connection:
        found = await connection.run_sync(
            lambda sync: {
                table: {column["name"] for column in inspect(sync).get_columns(table)}
                for table in inspect(sync).get_table_names()
            }
        )
        mode = (await connection.exec_driver_sql("PRAGMA journal_mode")).scalar()
    await engine.dispose()
    wanted = {table.name: set(table.columns.keys()) for table in metadata.sorted_tables}
    assert found.pop("alembic_version")
    assert found == wanted
    assert mode == "wal"


async def test_the_database_is_for_its_owner_alone(store: CallStore, settings: Settings) -> None:
    await create(store)
    files = list(settings.data.dir.iterdir())
    assert {file.name.rpartition("-")[2] for file in files} >= {"offhook.sqlite3", "wal", "shm"}
    assert {stat.filemode(file.stat().st_mode) for file in files} == {"-rw-------"}
    assert stat.filemode(settings.data.dir.stat().st_mode) == "drwx------"


async def test_a_recording_is_kept_by_its_name(store: CallStore) -> None:
    call = await create(store)
    await store.conclude(call, {}, Path("data/recordings/call_1.wav"))
    assert await store.recording(call.id) == "call_1.wav"


def test_migrating_twice_changes_nothing(tmp_path: Path) -> None:
    migrate(tmp_path / "node.sqlite3")
    migrate(tmp_path / "node.sqlite3")


async def test_a_record_comes_back_as_it_went_in(store: CallStore) -> None:
    call = await create(store)
    assert await store.get(call.id) == call


async def test_a_new_record_is_on_disk_before_create_returns(
    store: CallStore, settings: Settings
) -> None:
    call = await create(store)
    with sqlite3.connect(settings.data.database) as other:
        rows = other.execute("SELECT id FROM calls").fetchall()
    other.close()
    assert rows == [(call.id,)]


async def test_a_new_record_comes_with_its_first_event(store: CallStore) -> None:
    call = await create(store)
    (event,) = await store.events_after(call.id)
    assert (event.seq, event.type, event.data) == (1, "status", {"status": "queued"})
    assert event.at == call.created_at


async def test_an_unknown_id_is_not_found(store: CallStore) -> None:
    with pytest.raises(CallNotFound):
        await store.get("call_0")
    with pytest.raises(CallNotFound):
        await store.recording("call_0")


async def test_events_come_back_in_order_without_gaps(store: CallStore) -> None:
    call = await create(store)
    for number in range(100):
        store.append_event(call.id, "status", {"n": number, "odd": object()})
    events = await store.events_after(call.id, 90)
    assert [event.seq for event in events] == list(range(91, 102))
    assert events[0].data["n"] == 89


async def test_events_of_a_call_that_is_over_or_unknown_are_dropped(store: CallStore) -> None:
    call = await create(store)
    over = call.model_copy(update={"status": "ended"})
    (last,) = await store.conclude(over, {"status": "ended"})
    assert await store.conclude(over, {"status": "ended"}) == ()
    assert (last.seq, last.type) == (2, "call.ended")
    assert store.append_event(call.id, "status", {}) is None
    assert store.append_event("call_0", "status", {}) is None


async def test_what_is_queued_is_written_before_the_store_closes(settings: Settings) -> None:
    store = await CallStore.open(settings.data.database)
    call = await create(store)
    ringing = progressed(call, "ringing", utc_now())
    store.append_event(call.id, "status", {"status": "ringing"})
    store.update(ringing)
    await store.close()
    again = await CallStore.open(settings.data.database)
    assert await again.get(call.id) == ringing
    assert len(await again.events_after(call.id)) == 2
    await again.close()


async def test_the_log_of_an_unfinished_call_goes_on_after_a_restart(settings: Settings) -> None:
    store = await CallStore.open(settings.data.database)
    call = await create(store)
    store.append_event(call.id, "status", {})
    await store.close()
    again = await CallStore.open(settings.data.database)
    assert await again.unfinished() == (call.id,)
    await again.open_log(call.id)
    event = again.append_event(call.id, "status", {})
    await again.close()
    assert event is not None
    assert event.seq == 3


def test_ids_sort_by_time_and_are_version_7() -> None:
    ids = [new_call_id(now_ns) for now_ns in range(10**18, 10**18 + 10**8, 10**6)]
    assert ids == sorted(ids)
    assert all(call_id[5 + 12] == "7" and call_id[5 + 16] in "89ab" for call_id in ids)
    assert len(new_call_id()) == 37
