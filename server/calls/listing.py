"""Lists of calls, newest first, in pages."""

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Text, cast, func, or_, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncEngine

from server.calls.errors import CursorInvalid
from server.calls.events import rfc3339
from server.calls.model import Call, Status
from server.calls.schema import calls


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which calls; what is None does not matter."""

    status: Status | None = None
    number: str | None = None
    """Either side's."""
    agent_id: str | None = None
    deployment_id: str | None = None
    created_after: datetime | None = None
    """At or after."""
    created_before: datetime | None = None
    """Before."""
    metadata: tuple[str, str] | None = None
    """A name at the top of the metadata, and its value as text."""
    cursor: str | None = None
    """`Page.next_cursor` of the page before."""
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Page:
    """Part of a list, newest first."""

    calls: tuple[Call, ...]
    next_cursor: str | None
    """Where to go on; None at the end."""


async def list_calls(engine: AsyncEngine, wanted: Wanted) -> Page:
    """Read records, newest first. Raises `CursorInvalid`."""
    query = select(calls.c.id, calls.c.record).order_by(calls.c.id.desc())
    query = query.where(*_conditions(wanted, engine.dialect.name)).limit(wanted.limit + 1)
    async with engine.connect() as connection:
        rows = (await connection.execute(query)).all()
    page, rest = rows[: wanted.limit], rows[wanted.limit :]
    return Page(
        calls=tuple(Call.model_validate_json(row.record) for row in page),
        next_cursor=_cursor(page[-1].id) if rest else None,
    )


def _conditions(wanted: Wanted, dialect: str) -> list[ColumnElement[bool]]:
    columns, found = calls.c, list[ColumnElement[bool]]()
    for name in ("status", "agent_id", "deployment_id"):
        value = getattr(wanted, name)
        if value is not None:
            found.append(columns[name] == value)
    if wanted.number is not None:
        number = wanted.number
        found.append(or_(columns.to_number == number, columns.from_number == number))
    if wanted.created_after is not None:
        found.append(columns.created_at >= rfc3339(wanted.created_after))
    if wanted.created_before is not None:
        found.append(columns.created_at < rfc3339(wanted.created_before))
    if wanted.metadata is not None:
        found.append(_metadata(dialect, *wanted.metadata))
    if wanted.cursor is not None:
        found.append(columns.id < _after(wanted.cursor))
    return found


def _metadata(dialect: str, name: str, value: str) -> ColumnElement[bool]:
    """Strings and numbers by their text; the name is letters, digits, `_`, `.` and `-`."""
    if dialect == "postgresql":
        found: ColumnElement[str] = cast(calls.c.record, JSONB)["metadata"][name].astext
        return found == value
    return cast(func.json_extract(calls.c.record, f'$.metadata."{name}"'), Text) == value


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
