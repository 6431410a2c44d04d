"""What is kept of calls: records and their events, in the node's database."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from server.calls.database import Place, open_database
from server.calls.errors import CallNotFound
from server.calls.events import LAST_EVENT, CallEvent, rfc3339, utc_now
from server.calls.model import Call
from server.calls.request import CallRequest
from server.calls.schema import call_events, calls, dials
from server.calls.writer import (
    Decision,
    Established,
    NewCall,
    NewDelivery,
    Recording,
    RecordWriter,
    write_all,
)

T = TypeVar("T")
Owed = Callable[[CallEvent], Sequence[NewDelivery]]
"""What webhooks are owed of an event."""


Beside = Callable[[AsyncConnection], Awaitable[None]]


async def nothing_beside(_: AsyncConnection) -> None:
    """Nothing else belongs to the end."""


def nobody(_: CallEvent) -> Sequence[NewDelivery]:
    """No webhook is owed anything."""
    return ()


class CallStore:
    """Records by id, and the log of each call that is going on."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self._writer = RecordWriter(engine)
        self._last_seq: dict[str, int] = {}
        """Of the calls whose log is open."""
        self._given_up: set[str] = set()

    @classmethod
    async def open(cls, place: Place) -> "CallStore":
        """Open the database, creating or migrating it."""
        return cls(await open_database(place))

    async def close(self) -> None:
        """Write what is queued, and let go of the file."""
        await self._writer.close()
        await self.engine.dispose()

    async def ping(self) -> None:
        """Raises SQLAlchemyError where the database cannot be reached."""
        async with self.engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    def on_deliveries(self, told: Callable[[Sequence[str]], None]) -> None:
        """Have `told` the ids of webhook deliveries, once they are committed."""
        self._writer.on_deliveries = told

    async def transact(self, decision: Decision[T]) -> T:
        """Run a decision in a transaction beside which nobody else writes.

        Raises SQLAlchemyError and whatever the decision raises.
        """
        return await self._writer.transact(decision)

    async def create(self, call: Call, request: CallRequest) -> None:
        """Commit a new record with its first event, and open its log."""
        event = CallEvent(call.id, 1, "status", call.created_at, {"status": call.status})
        await self._writer.commit(NewCall(call, request), event)
        self._last_seq[call.id] = event.seq

    def begin_log(self, first: CallEvent) -> None:
        """Let events of a call be appended in this process that has just this one."""
        self._last_seq[first.call_id] = first.seq

    async def open_log(self, call_id: str) -> None:
        """Let events of a call be appended in this process. Idempotent."""
        if call_id in self._last_seq:
            return
        async with self.engine.connect() as connection:
            last = await _last_number(connection, call_id)
        self._last_seq.setdefault(call_id, last)

    def close_log(self, call_id: str) -> None:
        """Leave a call's events to another process, or to a later start."""
        self._last_seq.pop(call_id, None)

    async def get(self, call_id: str) -> Call:
        """Read one record. Raises `CallNotFound`."""
        async with self.engine.connect() as connection:
            found = await connection.execute(select(calls.c.record).where(calls.c.id == call_id))
            record = found.scalar_one_or_none()
        if record is None:
            raise CallNotFound(call_id)
        return Call.model_validate_json(record)

    def update(self, call: Call) -> None:
        """Have a record of a call that is going on written soon. Never blocks."""
        self._writer.put(call)

    def keep_dialog(self, call_id: str, attempt: int, dialog: str) -> None:
        """Have written soon what it takes to hang up after a crash. Never blocks."""
        self._writer.put(Established(call_id, attempt, dialog))

    def append_event(
        self,
        call_id: str,
        kind: str,
        data: Mapping[str, object],
        owed: Owed = nobody,
    ) -> CallEvent | None:
        """Number an event and have it written soon, with what webhooks are owed of it.

        Never blocks. None where the call's log is closed, or the event had to be dropped.
        """
        if call_id not in self._last_seq:
            return None
        event = CallEvent(call_id, self._last_seq[call_id] + 1, kind, utc_now(), data)
        if not self._writer.put(event, *owed(event)):
            return None
        self._last_seq[call_id] = event.seq
        return event

    async def conclude(
        self,
        call: Call,
        last: Mapping[str, object],
        recording: Path | None = None,
        *,
        analysis: Mapping[str, object] | None = None,
        owed: Owed = nobody,
        beside: Beside = nothing_beside,
    ) -> tuple[CallEvent, ...]:
        """Commit the final record together with the last events, and close the log.

        beside: writes whatever belongs to the end of a call, once, in the same transaction.
        analysis: data of `call.analyzed`; last: of `call.ended`. Returns the events; none where
        the call was over already. Raises what `RecordWriter.transact` raises; the log is open
        then.
        """
        told = [("call.analyzed", analysis)] if analysis is not None else []
        told.append((LAST_EVENT, last))
        kept = () if recording is None else (Recording(call.id, recording),)
        deliveries: list[NewDelivery] = []

        async def close(connection: AsyncConnection) -> tuple[CallEvent, ...]:
            deliveries.clear()
            state = select(calls.c.status).where(calls.c.id == call.id)
            if (await connection.execute(state)).scalar_one_or_none() in (None, "ended"):
                return ()
            seq = await _last_number(connection, call.id)
            events = tuple(
                CallEvent(call.id, seq + place, kind, utc_now(), data)
                for place, (kind, data) in enumerate(told, 1)
            )
            deliveries.extend(one for event in events for one in owed(event))
            await write_all(connection, [call, *events, *kept, *deliveries])
            over = update(dials).where(dials.c.call_id == call.id)
            ended = func.coalesce(dials.c.over_at, rfc3339(utc_now()))
            await connection.execute(over.values(conversation=None, dialog=None, over_at=ended))
            await beside(connection)
            return events

        events = await self._writer.transact(close)
        self._last_seq.pop(call.id, None)
        if deliveries:
            self._writer.on_deliveries([one.id for one in deliveries])
        return events

    def give_up(self, call_id: str, data: Mapping[str, object]) -> CallEvent:
        """Close a log that cannot be written any more; returns its last event, kept nowhere."""
        seq = self._last_seq.pop(call_id, 0) + 1
        self._given_up.add(call_id)
        return CallEvent(call_id, seq, LAST_EVENT, utc_now(), data)

    def is_open(self, call_id: str) -> bool:
        """Whether this process writes the call's events."""
        return call_id in self._last_seq

    def is_given_up(self, call_id: str) -> bool:
        """Whether the call is over, although its last event could not be written."""
        return call_id in self._given_up

    async def events_after(self, call_id: str, seq: int = 0) -> tuple[CallEvent, ...]:
        """Read the events after number `seq`, in order, including those still queued."""
        await self._writer.commit()
        query = (
            select(call_events)
            .where(call_events.c.call_id == call_id, call_events.c.seq > seq)
            .order_by(call_events.c.seq)
        )
        async with self.engine.connect() as connection:
            rows = (await connection.execute(query)).all()
        return tuple(
            CallEvent(
                row.call_id, row.seq, row.type, datetime.fromisoformat(row.at), json.loads(row.data)
            )
            for row in rows
        )

    async def recording(self, call_id: str) -> str | None:
        """The file name of the call's recording. Raises `CallNotFound`."""
        query = select(calls.c.recording).where(calls.c.id == call_id)
        async with self.engine.connect() as connection:
            row = (await connection.execute(query)).one_or_none()
        if row is None:
            raise CallNotFound(call_id)
        # Once it was a path.
        return Path(row.recording).name if row.recording is not None else None

    async def request(self, call_id: str) -> CallRequest:
        """Read what was asked for. Raises `CallNotFound`, and ValueError for what is not valid."""
        query = select(calls.c.request).where(calls.c.id == call_id)
        async with self.engine.connect() as connection:
            asked = (await connection.execute(query)).scalar_one_or_none()
        if asked is None:
            raise CallNotFound(call_id)
        return CallRequest.model_validate_json(asked)

    async def unfinished(self) -> tuple[str, ...]:
        """The ids of all calls that have not ended, scheduled ones too, the oldest first."""
        left = select(calls.c.id).where(calls.c.status != "ended").order_by(calls.c.id)
        async with self.engine.connect() as connection:
            return tuple((await connection.execute(left)).scalars())

    async def node_of(self, call_id: str) -> str | None:
        """The node that dials a call, or dialled it last. Raises `CallNotFound`."""
        query = select(calls.c.node_id).where(calls.c.id == call_id)
        async with self.engine.connect() as connection:
            row = (await connection.execute(query)).one_or_none()
        if row is None:
            raise CallNotFound(call_id)
        found: str | None = row.node_id
        return found


async def _last_number(connection: AsyncConnection, call_id: str) -> int:
    last = select(func.coalesce(func.max(call_events.c.seq), 0))
    found = await connection.execute(last.where(call_events.c.call_id == call_id))
    return int(found.scalar_one())
