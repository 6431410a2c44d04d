"""What is kept of calls: records and their events, in the node's database."""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from server.calls.database import Place, open_database
from server.calls.errors import CallNotFound, CursorInvalid
from server.calls.events import LAST_EVENT, CallEvent, utc_now
from server.calls.model import Call, Status
from server.calls.request import CallRequest
from server.calls.schema import call_events, calls
from server.calls.writer import NewCall, Recording, RecordWriter


@dataclass(frozen=True, slots=True)
class Page:
    """Part of a list, newest first."""

    calls: tuple[Call, ...]
    next_cursor: str | None
    """Where to go on; None at the end."""


class CallStore:
    """Records by id, and the log of each call that is going on."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self._writer = RecordWriter(engine)
        self._last_seq: dict[str, int] = {}
        """Of the calls whose log is open."""

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

    async def create(self, call: Call, request: CallRequest) -> None:
        """Commit a new record with its first event, and open its log."""
        event = CallEvent(call.id, 1, "status", call.created_at, {"status": call.status})
        await self._writer.commit(NewCall(call, request), event)
        self._last_seq[call.id] = event.seq

    async def get(self, call_id: str) -> Call:
        """Read one record. Raises `CallNotFound`."""
        async with self.engine.connect() as connection:
            found = await connection.execute(select(calls.c.record).where(calls.c.id == call_id))
            record = found.scalar_one_or_none()
        if record is None:
            raise CallNotFound(call_id)
        return Call.model_validate_json(record)

    async def list(
        self,
        *,
        status: Status | None = None,
        number: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> Page:
        """Read records, newest first.

        number: either side's. cursor: `Page.next_cursor` of the page before.
        Raises `CursorInvalid`.
        """
        query = select(calls.c.id, calls.c.record).order_by(calls.c.id.desc()).limit(limit + 1)
        if status is not None:
            query = query.where(calls.c.status == status)
        if number is not None:
            query = query.where(or_(calls.c.to_number == number, calls.c.from_number == number))
        if cursor is not None:
            query = query.where(calls.c.id < _after(cursor))
        async with self.engine.connect() as connection:
            rows = (await connection.execute(query)).all()
        page, rest = rows[:limit], rows[limit:]
        return Page(
            calls=tuple(Call.model_validate_json(row.record) for row in page),
            next_cursor=_cursor(page[-1].id) if rest else None,
        )

    def update(self, call: Call) -> None:
        """Have a record of a call that is going on written soon. Never blocks."""
        self._writer.put(call)

    def append_event(self, call_id: str, kind: str, data: Mapping[str, object]) -> CallEvent | None:
        """Number an event and have it written soon. Never blocks.

        None where the call's log is closed, or the event had to be dropped.
        """
        if call_id not in self._last_seq:
            return None
        event = CallEvent(call_id, self._last_seq[call_id] + 1, kind, utc_now(), data)
        if not self._writer.put(event):
            return None
        self._last_seq[call_id] = event.seq
        return event

    async def conclude(
        self, call: Call, data: Mapping[str, object], recording: Path | None = None
    ) -> CallEvent:
        """Commit the final record together with the last event, and close the log.

        Raises what `RecordWriter.commit` raises; the log is open then.
        """
        event = self._last_event(call.id, data)
        kept = () if recording is None else (Recording(call.id, recording),)
        await self._writer.commit(call, event, *kept)
        self._last_seq.pop(call.id, None)
        return event

    def give_up(self, call_id: str, data: Mapping[str, object]) -> CallEvent:
        """Close a log that cannot be written any more; returns its last event, kept nowhere."""
        event = self._last_event(call_id, data)
        self._last_seq.pop(call_id, None)
        return event

    def is_open(self, call_id: str) -> bool:
        """Whether events of this call are still to come."""
        return call_id in self._last_seq

    def _last_event(self, call_id: str, data: Mapping[str, object]) -> CallEvent:
        seq = self._last_seq.get(call_id, 0) + 1
        return CallEvent(call_id, seq, LAST_EVENT, utc_now(), data)

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

    async def unfinished(self) -> tuple[Call, ...]:
        """Read what was going on when the node last stopped, and open those logs again."""
        left = (
            select(calls.c.record, func.coalesce(func.max(call_events.c.seq), 0).label("seq"))
            .select_from(calls.outerjoin(call_events))
            .where(calls.c.status.not_in(("ended", "scheduled")))
            .group_by(calls.c.id)
        )
        async with self.engine.connect() as connection:
            rows = (await connection.execute(left)).all()
        found = tuple(Call.model_validate_json(row.record) for row in rows)
        self._last_seq.update((call.id, row.seq) for call, row in zip(found, rows, strict=True))
        return found


def _cursor(call_id: str) -> str:
    return base64.urlsafe_b64encode(call_id.encode()).decode().rstrip("=")


def _after(cursor: str) -> str:
    try:
        padded = cursor.encode() + b"=" * (-len(cursor) % 4)
        call_id = base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, UnicodeError) as error:
        raise CursorInvalid(cursor) from error
    if not call_id.startswith("call_"):
        raise CursorInvalid(cursor)
    return call_id
