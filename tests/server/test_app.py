"""What a node does when it starts, besides taking calls."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import update

from server.calls.events import rfc3339, utc_now
from server.calls.ids import new_call_id
from server.calls.ledger import Ledger, enter
from server.calls.model import Call
from server.calls.request import CallRequest
from server.calls.schema import calls
from server.calls.store import CallStore
from server.sections import CostSettings, RetentionSettings
from server.settings import Settings
from tests.server.real_node import NUMBER, played, real_node, settings, until


async def an_ended_call(store: CallStore, configured: Settings, days_ago: int) -> Call:
    """A call with a recording, as a node leaves it behind."""
    at = utc_now() - timedelta(days=days_ago)
    moments: dict[str, Any] = {"created_at": at, "updated_at": at, "ended_at": at}
    call = Call(id=new_call_id(), status="ended", to=NUMBER, objective="Book", **moments)
    await store.create(call, CallRequest(to=NUMBER, objective="Book"))
    path = configured.data.recording_of(call.id)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"RIFF")
    async with store.engine.begin() as connection:
        mine = update(calls).where(calls.c.id == call.id)
        await connection.execute(mine.values(recording=path.name))
    return call


async def test_a_start_finishes_what_was_begun_and_lets_expire_what_is_old(tmp_path: Path) -> None:
    configured = settings(tmp_path, None)
    store = await CallStore.open(configured.data.database)
    try:
        old = await an_ended_call(store, configured, days_ago=31)
        kept = await an_ended_call(store, configured, days_ago=1)
        half_erased = await an_ended_call(store, configured, days_ago=1)
        now = utc_now()
        async with store.engine.begin() as connection:
            mine = update(calls).where(calls.c.id == half_erased.id)
            await connection.execute(mine.values(erased_at=rfc3339(now)))
        await store.transact(lambda over: enter(over, "w", "charge", -1000, "q", now, kept.id))
        retention = RetentionSettings(days=30)
        async with real_node(tmp_path, None, played(), retention=retention):
            assert not configured.data.recording_of(half_erased.id).exists()
            assert await Ledger(store, CostSettings()).balance("w") == 0
            await until(lambda: not configured.data.recording_of(old.id).exists())
            assert (await store.get(old.id)).objective is None
            assert (await store.get(kept.id)).objective == "Book"
            assert configured.data.recording_of(kept.id).exists()
    finally:
        await store.close()
