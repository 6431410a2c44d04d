"""Writes records and events, in order, from one task.

Stands after `CallStore`, before the database. The media loop may not wait for a disk, so
`put` never blocks; `commit` waits for the disk. Whatever has come in while the last
transaction was on its way goes into the next one: SQLite takes one writer at a time, and
callers that share a transaction share its wait.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import insert, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from server.calls.database import take_turn
from server.calls.events import CallEvent, json_text, rfc3339
from server.calls.model import Call
from server.calls.request import CallRequest
from server.calls.schema import call_events, calls, dials, webhook_deliveries

log = logging.getLogger(__name__)

CAPACITY = 10_000
BATCH = 500

T = TypeVar("T")
Decision = Callable[[AsyncConnection], Awaitable[T]]
"""Reads, decides and writes while nobody else writes; may be run again where a commit fails."""


@dataclass(frozen=True, slots=True)
class NewCall:
    """A record that is not in the database yet."""

    call: Call
    request: CallRequest
    """As it was asked."""
    due: datetime | None = None
    """When it is to be dialled; now where absent."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A call's recording; its name is kept, so that the data folder may move."""

    call_id: str
    path: Path


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """A message that a webhook is owed."""

    id: str
    call_id: str
    event: str
    url: str
    document: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Established:
    """Somebody answered: what it takes to hang up after a crash."""

    call_id: str
    attempt: int
    dialog: str


Write = NewCall | Call | CallEvent | Recording | NewDelivery | Established


@dataclass(slots=True)
class _Job:
    writes: tuple[Write, ...] = ()
    decision: Decision[Any] | None = None
    done: asyncio.Future[Any] | None = None
    result: Any = None

    def settle(self, error: Exception | None = None) -> None:
        if self.done is None:
            if error is not None:
                log.error("a write failed and is lost: %s", error)
        elif not self.done.done():
            self.done.set_exception(error) if error else self.done.set_result(self.result)


class RecordWriter:
    """One bounded queue and the task that empties it."""

    def __init__(self, engine: AsyncEngine, capacity: int = CAPACITY) -> None:
        self.on_deliveries: Callable[[Sequence[str]], None] = lambda ids: None
        """Told the ids of deliveries once they are committed."""
        self._engine = engine
        self._queue: asyncio.Queue[_Job | None] = asyncio.Queue(capacity)
        self._task = asyncio.create_task(self._run(), name="record-writer")

    def put(self, *writes: Write) -> bool:
        """Queue writes. False where the queue is full and they were dropped."""
        try:
            self._queue.put_nowait(_Job(writes))
        except asyncio.QueueFull:
            log.error("the database is too slow: a write was dropped")
            return False
        return True

    async def commit(self, *writes: Write) -> None:
        """Write all or none, after everything put before.

        Raises SQLAlchemyError, and ValueError for what is no JSON, such as a lone surrogate.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        await self._queue.put(_Job(writes, done=done))
        await done

    async def transact(self, decision: Decision[T]) -> T:
        """Run a decision in a transaction, after everything put before; committed on return.

        A refusal is something the decision returns: what it raises undoes all it wrote.
        Raises SQLAlchemyError and whatever the decision raises.
        """
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        await self._queue.put(_Job(decision=decision, done=done))
        return await done

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
            await self._transact(jobs)
        except Exception as error:  # whatever is wrong with one job, the task must go on
            if len(jobs) == 1:
                jobs[0].settle(error)
            else:  # One job that cannot be done must not take the others with it.
                for job in jobs:
                    await self._carry_out([job])
        else:
            for job in jobs:
                job.settle()

    async def _transact(self, jobs: Sequence[_Job]) -> None:
        if not any(job.writes or job.decision for job in jobs):
            return
        owed = [write.id for job in jobs for write in job.writes if isinstance(write, NewDelivery)]
        async with self._engine.begin() as connection:
            if any(job.decision for job in jobs):
                await take_turn(connection)
            writes: list[Write] = []
            for job in jobs:
                writes.extend(job.writes)
                if job.decision is not None:
                    await write_all(connection, writes)
                    writes.clear()
                    job.result = await job.decision(connection)
            await write_all(connection, writes)
        if owed:
            self.on_deliveries(owed)


async def write_all(connection: AsyncConnection, writes: Sequence[Write]) -> None:
    """Carry out writes in a transaction that is under way."""
    created = [_call_row(write) for write in writes if isinstance(write, NewCall)]
    if created:
        await connection.execute(insert(calls), created)
    events = [_event_row(write) for write in writes if isinstance(write, CallEvent)]
    if events:
        await connection.execute(insert(call_events), events)
    owed = [_delivery_row(write) for write in writes if isinstance(write, NewDelivery)]
    if owed:
        await connection.execute(insert(webhook_deliveries), owed)
    newest = {write.id: write for write in writes if isinstance(write, Call)}
    for call in newest.values():
        changed = update(calls).where(calls.c.id == call.id)
        await connection.execute(changed.values(**_state(call)))
    for write in writes:
        if isinstance(write, Recording):
            kept = update(calls).where(calls.c.id == write.call_id)
            await connection.execute(kept.values(recording=write.path.name))
        elif isinstance(write, Established):
            up = (dials.c.call_id == write.call_id) & (dials.c.attempt == write.attempt)
            await connection.execute(update(dials).where(up).values(dialog=write.dialog))


def _call_row(new: NewCall) -> dict[str, object]:
    call = new.call
    return {
        "id": call.id,
        "to_number": call.to,
        "from_number": call.from_,
        "created_at": rfc3339(call.created_at),
        "request": new.request.model_dump_json(exclude_unset=True),
        "key_id": call.key_id,
        "deployment_id": call.deployment_id,
        "agent_id": call.agent_id,
        "scheduled_at": rfc3339(new.due) if new.due is not None else None,
        **_state(call),
    }


def _state(call: Call) -> dict[str, object]:
    return {"status": call.status, "attempt": call.attempt, "record": call.model_dump_json()}


def _event_row(event: CallEvent) -> dict[str, object]:
    return {
        "call_id": event.call_id,
        "seq": event.seq,
        "type": event.type,
        "at": rfc3339(event.at),
        "data": json_text(event.data),
    }


def _delivery_row(owed: NewDelivery) -> dict[str, object]:
    return {
        "id": owed.id,
        "call_id": owed.call_id,
        "event": owed.event,
        "url": owed.url,
        "document": owed.document,
        "status": "pending",
        "attempts": 0,
        "created_at": rfc3339(owed.at),
        "updated_at": rfc3339(owed.at),
    }
