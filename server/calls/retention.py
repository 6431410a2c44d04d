"""What was said is forgotten: at once on request, or after so many days.

Erasing is one transaction, which marks the call, takes everything personal out of the database
and adds the audit's row; the recording is deleted after that. A node that dies in between finds
the mark at its next start (`finish`). What stays: ids, masked numbers, times, status, latency
and quality, costs, the ledger, and the audit, which is the only place that still has numbers.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import delete, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from server.calls.audit import AuditLog
from server.calls.errors import ActionRefused, CallNotFound
from server.calls.events import rfc3339, utc_now
from server.calls.model import Call, Outcome
from server.calls.schema import (
    admissions,
    call_events,
    calls,
    dials,
    idempotency,
    orders,
    webhook_deliveries,
)
from server.calls.store import CallStore
from server.logs import mask
from server.settings import DataSettings

log = logging.getLogger(__name__)

EXPIRY = "retention"
"""Who erased, in the audit, where nobody asked for it."""
COUNTED = timedelta(days=2)
"""Admissions are counted for a day."""
DAY_S = 86_400.0
BATCH = 100
NOTHING = "{}"
ERASED = "the call was erased"
"""Why a webhook is not delivered any more."""
SILENT = ("status",)
"""Events that tell nothing that was said."""
LASTS: Mapping[str, object] = {
    "sip_reason": None,
    "objective": None,
    "task": None,
    "plan": None,
    "variables": {},
    "messages": (),
    "transcript": None,
    "summary": None,
    "analysis": {},
    "tool_calls": (),
    "recording_url": None,
    "metadata": {},
}
"""What these fields of a record are once it is erased."""


class Retention:
    """Erases calls of one database."""

    def __init__(
        self,
        store: CallStore,
        audit: AuditLog,
        data: DataSettings,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._store = store
        self._audit = audit
        self._data = data
        self._now = now

    async def erase(self, call_id: str, key_id: str | None = None, because: str = "asked") -> bool:
        """Erase a call that is over; False where it was erased before.

        Raises `CallNotFound`, `ActionRefused` while it is not over, and OSError where the
        recording cannot be deleted: `finish` tries again.
        """

        async def decide(connection: AsyncConnection) -> bool:
            query = select(calls.c.status, calls.c.record, calls.c.erased_at)
            row = (await connection.execute(query.where(calls.c.id == call_id))).one_or_none()
            if row is None:
                raise CallNotFound(call_id)
            if row.status != "ended":
                raise ActionRefused("the call is not over; end or cancel it first")
            if row.erased_at is not None:
                return False
            await _scrub(connection, Call.model_validate_json(row.record), self._now())
            await self._audit.append_in(connection, "erased", call_id, key_id, {"because": because})
            return True

        erased = await self._store.transact(decide)
        await self._delete_recording(call_id)
        return erased

    async def finish(self) -> int:
        """Delete the recordings of calls that were erased when the node died; returns how many.

        To be run at every start. What cannot be deleted does not keep the node from starting.
        """
        query = select(calls.c.id).where(
            calls.c.erased_at.is_not(None), calls.c.recording.is_not(None)
        )
        async with self._store.engine.connect() as connection:
            left = (await connection.execute(query)).scalars().all()
        deleted = 0
        for call_id in left:
            try:
                await self._delete_recording(call_id)
            except OSError:
                log.exception("%s: its recording is still there", call_id)
            else:
                deleted += 1
        return deleted

    async def expire(self, days: int) -> int:
        """Erase what ended more than `days` ago; returns how many calls. To be run daily.

        One that cannot be erased does not keep the others; it is tried again the next day.
        """
        before = self._now() - timedelta(days=days)
        erased, last = 0, ""
        while ids := await self._ended_calls(before, last):
            for call_id in ids:
                erased += await self._expire(call_id, before)
            last = ids[-1]
        await self._store.transact(_forget_admissions(self._now() - COUNTED))
        return erased

    async def expire_daily(self, days: int) -> None:
        """Have `expire` run now and every day, until it is cancelled."""
        while True:
            try:
                await self.expire(days)
            except SQLAlchemyError as error:
                log.error("nothing expired today: %s", type(error).__name__)
            await asyncio.sleep(DAY_S)

    async def _ended_calls(self, before: datetime, after_id: str) -> list[str]:
        query = (
            select(calls.c.id)
            .where(
                calls.c.status == "ended",
                calls.c.erased_at.is_(None),
                calls.c.created_at < rfc3339(before),
                calls.c.id > after_id,
            )
            .order_by(calls.c.id)
            .limit(BATCH)
        )
        async with self._store.engine.connect() as connection:
            return list((await connection.execute(query)).scalars())

    async def _expire(self, call_id: str, before: datetime) -> bool:
        try:
            call = await self._store.get(call_id)
            if (call.ended_at or call.updated_at) >= before:
                return False
            return await self.erase(call_id, because=EXPIRY)
        except Exception:
            log.exception("%s could not be erased", call_id)
            return False

    async def _delete_recording(self, call_id: str) -> None:
        name = await self._store.recording(call_id)
        if name is None:
            return
        await asyncio.to_thread(_delete, self._data.recordings / name)

        async def forget(connection: AsyncConnection) -> None:
            mine = update(calls).where(calls.c.id == call_id, calls.c.erased_at.is_not(None))
            await connection.execute(mine.values(recording=None))

        await self._store.transact(forget)


def erased(call: Call) -> Call:
    """The record without anything personal; whether the call succeeded stays."""
    outcome = call.outcome and Outcome(success=call.outcome.success)
    return call.model_copy(
        update={
            **LASTS,
            "to": masked(call.to),
            "from_": masked(call.from_) if call.from_ else None,
            "parties": tuple(masked(party) for party in call.parties),
            "outcome": outcome,
        }
    )


def masked(party: str) -> str:
    """A number without its middle; of a SIP URI nothing."""
    return mask(party) if party.startswith("+") else "***"


async def _scrub(connection: AsyncConnection, call: Call, now: datetime) -> None:
    if connection.dialect.name == "sqlite":
        # What is overwritten must not stay in free pages of the file; some builds have it off.
        await connection.exec_driver_sql("PRAGMA secure_delete=ON")
    record = erased(call)
    row = update(calls).where(calls.c.id == call.id)
    await connection.execute(
        row.values(
            record=record.model_dump_json(),
            request=NOTHING,
            to_number=record.to,
            from_number=record.from_,
            # The file may be there although no record ever named it.
            recording=f"{call.id}.wav",
            erased_at=rfc3339(now),
        )
    )
    said = update(call_events).where(
        call_events.c.call_id == call.id, call_events.c.type.not_in(SILENT)
    )
    await connection.execute(said.values(data=NOTHING))
    answers = update(idempotency).where(idempotency.c.call_id == call.id)
    await connection.execute(answers.values(answer=None))
    sent = update(webhook_deliveries).where(webhook_deliveries.c.call_id == call.id)
    await connection.execute(sent.values(document=NOTHING, url=""))
    owed = sent.where(webhook_deliveries.c.status == "pending")
    await connection.execute(owed.values(status="dead", last_error=ERASED))
    for table in (dials, orders):
        await connection.execute(delete(table).where(table.c.call_id == call.id))


def _forget_admissions(before: datetime) -> Callable[[AsyncConnection], Awaitable[None]]:
    async def forget(connection: AsyncConnection) -> None:
        await connection.execute(delete(admissions).where(admissions.c.at < rfc3339(before)))

    return forget


def _delete(path: Path) -> None:
    path.unlink(missing_ok=True)
