"""Writes records and events, in order, from one task.

Stands after `CallStore`, before the database. The media loop may not wait for a disk, so
`put` never blocks; `commit` waits for the disk. Whatever has come in while the last
transaction was on its way goes into the next one: SQLite takes one writer at a time, and
callers that share a transaction share its wait.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic_core import to_json
from sqlalchemy import insert, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from server.calls.events import CallEvent, rfc3339
from server.calls.model import Call
from server.calls.request import CallRequest
from server.calls.schema import call_events, calls

log = logging.getLogger(__name__)

CAPACITY = 10_000
BATCH = 500


@dataclass(frozen=True, slots=True)
class NewCall:
    """A record that is not in the database yet."""

    call: Call
    request: CallRequest
    """As it was asked."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A call's recording; its name is kept, so that the data folder may move."""

    call_id: str
    path: Path


Write = NewCall | Call | CallEvent | Recording


@dataclass(frozen=True, slots=True)
class _Job:
    writes: tuple[Write, ...]
    done: asyncio.Future[None] | None = None

    def settle(self, error: Exception | None = None) -> None:
        if self.done is None:
            if error is not None:
                log.error("a write failed and is lost: %s", error)
        elif not self.done.done():
            self.done.set_exception(error) if error else self.done.set_result(None)


class RecordWriter:
    """One bounded queue and the task that empties it."""

    def __init__(self, engine: AsyncEngine, capacity: int = CAPACITY) -> None:
        self._engine = engine
        self._queue: asyncio.Queue[_Job | None] = asyncio.Queue(capacity)
        self._task = asyncio.create_task(self._run(), name="record-writer")

    def put(self, write: Write) -> bool:
        """Queue one write. False where the queue is full and it was dropped."""
        try:
            self._queue.put_nowait(_Job((write,)))
        except asyncio.QueueFull:
            log.error("the database is too slow: a write was dropped")
            return False
        return True

    async def commit(self, *writes: Write) -> None:
        """Write all or none, after everything put before.

        Raises SQLAlchemyError, and ValueError for what is no JSON, such as a lone surrogate.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        await self._queue.put(_Job(writes, done))
        await done

    async def close(self) -> None:
        """Write what is queued, and stop."""
        if not self._task.done():
            await self._queue.put(None)
            await self._task

    async def _run(self) -> None:
        closing = False
        while not closing:
            taken = [await self._queue.get()]
            while len(taken) < BATCH and not self._queue.empty():
                taken.append(self._queue.get_nowait())
            closing = None in taken
            await self._carry_out([job for job in taken if job is not None])

    async def _carry_out(self, jobs: Sequence[_Job]) -> None:
        try:
            await self._transact([write for job in jobs for write in job.writes])
        except Exception as error:  # whatever is wrong with one job, the task must go on
            if len(jobs) == 1:
                jobs[0].settle(error)
            else:  # One job that cannot be done must not take the others with it.
                for job in jobs:
                    await self._carry_out([job])
        else:
            for job in jobs:
                job.settle()

    async def _transact(self, writes: Sequence[Write]) -> None:
        if writes:
            async with self._engine.begin() as connection:
                await _write_all(connection, writes)


async def _write_all(connection: AsyncConnection, writes: Sequence[Write]) -> None:
    created = [_call_row(write) for write in writes if isinstance(write, NewCall)]
    if created:
        await connection.execute(insert(calls), created)
    events = [_event_row(write) for write in writes if isinstance(write, CallEvent)]
    if events:
        await connection.execute(insert(call_events), events)
    newest = {write.id: write for write in writes if isinstance(write, Call)}
    for call in newest.values():
        changed = update(calls).where(calls.c.id == call.id)
        record = call.model_dump_json()
        await connection.execute(changed.values(status=call.status, record=record))
    for write in writes:
        if isinstance(write, Recording):
            kept = update(calls).where(calls.c.id == write.call_id)
            await connection.execute(kept.values(recording=write.path.name))


def _call_row(new: NewCall) -> dict[str, object]:
    call = new.call
    return {
        "id": call.id,
        "status": call.status,
        "to_number": call.to,
        "from_number": call.from_,
        "created_at": rfc3339(call.created_at),
        "request": new.request.model_dump_json(exclude_unset=True),
        "record": call.model_dump_json(),
    }


def _event_row(event: CallEvent) -> dict[str, object]:
    return {
        "call_id": event.call_id,
        "seq": event.seq,
        "type": event.type,
        "at": rfc3339(event.at),
        "data": to_json(event.data, serialize_unknown=True).decode(),
    }
