"""The do-not-call list: numbers that are never dialled."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from server.calls.database import take_turn
from server.calls.errors import NotFound
from server.calls.events import rfc3339, utc_now
from server.calls.policy.errors import NumberRefused
from server.calls.policy.numbers import normalise
from server.calls.schema import do_not_call

MAX_REASON_CHARS = 500
BATCH = 500
"""Numbers in one query."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A number on the list."""

    number: str
    """E.164."""
    reason: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Line:
    """A line that is to be imported, or why it cannot be."""

    line: int
    """From 1."""
    number: str = ""
    reason: str = ""
    error: str | None = None


class DoNotCall:
    """The list, which all deployments of the database share."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def add(self, number: str, reason: str = "") -> bool:
        """Put a number in E.164 on the list; False where it is there already."""
        return bool(await self.add_all({number: reason}))

    async def add_all(self, reasons: Mapping[str, str]) -> int:
        """Put numbers in E.164 on the list, with reasons; returns how many were not there."""
        now = rfc3339(utc_now())
        numbers = list(reasons)
        new = set(numbers)
        async with self._engine.begin() as connection:
            await take_turn(connection)
            for at in range(0, len(numbers), BATCH):
                some = do_not_call.c.number.in_(numbers[at : at + BATCH])
                query = select(do_not_call.c.number).where(some)
                new.difference_update((await connection.execute(query)).scalars())
            rows = [
                {"number": number, "reason": reasons[number], "created_at": now}
                for number in numbers
                if number in new
            ]
            if rows:
                await connection.execute(insert(do_not_call), rows)
        return len(rows)

    async def remove(self, number: str) -> None:
        """Take a number off the list. Raises `NotFound`."""
        async with self._engine.begin() as connection:
            gone = await connection.execute(
                delete(do_not_call).where(do_not_call.c.number == number)
            )
        if not gone.rowcount:
            raise NotFound("number on the list")

    async def contains(self, number: str) -> bool:
        """Whether a number in E.164 is on the list."""
        async with self._engine.connect() as connection:
            return await self.holds(connection, number)

    @staticmethod
    async def holds(connection: AsyncConnection, number: str) -> bool:
        """The same inside of a transaction."""
        query = select(do_not_call.c.number).where(do_not_call.c.number == number)
        return await connection.scalar(query) is not None

    async def get(self, number: str) -> Listed:
        """Read one entry. Raises `NotFound`."""
        query = select(do_not_call).where(do_not_call.c.number == number)
        async with self._engine.connect() as connection:
            row = (await connection.execute(query)).one_or_none()
        if row is None:
            raise NotFound("number on the list")
        return Listed(row.number, row.reason, datetime.fromisoformat(row.created_at))

    async def list(self, cursor: str | None = None, limit: int = 50) -> Sequence[Listed]:
        """Read entries by number. cursor: the number behind which to go on."""
        query = select(do_not_call).order_by(do_not_call.c.number).limit(limit)
        if cursor is not None:
            query = query.where(do_not_call.c.number > cursor)
        async with self._engine.connect() as connection:
            rows = (await connection.execute(query)).all()
        return tuple(
            Listed(row.number, row.reason, datetime.fromisoformat(row.created_at)) for row in rows
        )


def read_lines(lines: Iterable[str], region: str) -> Sequence[Line]:
    """Read CSV: a number and, in a second column, a reason; never raises.

    region: where numbers without a plus sign are from, such as US. A first line that holds no
    digit is a heading; empty lines and those that begin with # are left out.
    """
    found = []
    for number, text in enumerate(lines, start=1):
        text = text.strip().removeprefix("\ufeff")
        heading = number == 1 and not any(character.isdigit() for character in text)
        if text and not text.startswith("#") and not heading:
            found.append(_line(number, text, region))
    return tuple(found)


def _line(number: int, text: str, region: str) -> Line:
    try:
        cells = [cell.strip() for cell in next(csv.reader([text]))]
        reason = cells[1] if len(cells) > 1 else ""
        if len(reason) > MAX_REASON_CHARS:
            return Line(number, error=f"the reason is longer than {MAX_REASON_CHARS} characters")
        return Line(number, normalise(cells[0], region), reason)
    except (NumberRefused, csv.Error) as error:
        return Line(number, error=str(error))
