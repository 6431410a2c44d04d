"""The audit: one row for each decision, each with the hash of the row before.

A row's hash is the SHA-256 of the canonical JSON (`server.calls.canonical`) of its other
columns, `data` as the text that is stored. A single row, the head, holds number and hash of
the last one; whoever appends takes it first, so numbers have no gaps, on several nodes too.

Found by `verify`: a row that was changed, lost or moved, and rows cut off at the end. Not
found: an audit written anew from some row on together with its head, by somebody who may
write to the database; unless the head that was noted elsewhere (`since`) is at hand.
"""

import asyncio
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from sqlalchemy import Row, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from server.calls.canonical import canonical
from server.calls.events import rfc3339, utc_now
from server.calls.schema import audit, audit_head

NO_HASH = "0" * 64
"""What stands before the first row."""
STREAMED = 500
"""Rows that are in memory at a time while the audit is verified."""


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One decision."""

    seq: int
    """From 1, without gaps."""
    at: str
    kind: str
    """`admitted`, `refused`, `dialled`, `ended`, `erased`, `key_created` …"""
    call_id: str | None
    key_id: str | None
    data: str
    """Canonical JSON of an object."""
    previous_hash: str

    def hash(self) -> str:
        """SHA-256 in hex."""
        return hashlib.sha256(canonical(asdict(self)).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Head:
    """Where the audit ends. Written `SEQ:HASH`."""

    seq: int
    hash: str

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash}"

    @classmethod
    def parse(cls, text: str) -> "Head":
        """Read what `str` wrote. Raises ValueError."""
        seq, _, digest = text.partition(":")
        if not (seq.isascii() and seq.isdigit()) or len(digest) != len(NO_HASH):
            raise ValueError("not a head such as 12:…, the number and hash of a row")
        return cls(int(seq), digest.lower())


Why = Literal["changed", "missing", "moved", "truncated", "rewritten"]


@dataclass(frozen=True, slots=True)
class Break:
    """The first thing that is wrong."""

    seq: int
    why: Why
    detail: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What `verify` found."""

    head: Head
    """The last row that was read."""
    broken: Break | None = None


class AuditLog:
    """The audit of one database; belongs to one event loop."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._turn = asyncio.Lock()

    async def append(
        self, kind: str, call_id: str | None, key_id: str | None, data: Mapping[str, object]
    ) -> int:
        """Commit one row; returns its number. Raises SQLAlchemyError.

        data: JSON. Phone numbers belong here, secrets do not.
        """
        # SQLite lets waiting writers starve; in line they do not.
        async with self._turn, self._engine.begin() as connection:
            return await self.append_in(connection, kind, call_id, key_id, data)

    async def append_in(
        self,
        connection: AsyncConnection,
        kind: str,
        call_id: str | None,
        key_id: str | None,
        data: Mapping[str, object],
    ) -> int:
        """The same inside of a transaction, which decides whether the row is kept.

        Until that ends nobody else can append.
        """
        return await self.append_all_in(connection, call_id, key_id, {kind: data})

    async def append_all_in(
        self,
        connection: AsyncConnection,
        call_id: str | None,
        key_id: str | None,
        decisions: Mapping[str, Mapping[str, object]],
    ) -> int:
        """Several decisions about one call, data by kind; returns the number of the last."""
        last_seq = audit_head.c.seq + len(decisions)
        taken = update(audit_head).where(audit_head.c.id == 1).values(seq=last_seq)
        head = (await connection.execute(taken.returning(audit_head))).one()
        digest, rows = head.hash, []
        for seq, (kind, data) in enumerate(decisions.items(), head.seq - len(decisions) + 1):
            text = canonical(data)
            row = AuditRow(seq, rfc3339(utc_now()), kind, call_id, key_id, text, digest)
            digest = row.hash()
            rows.append({**asdict(row), "hash": digest})
        await connection.execute(insert(audit), rows)
        moved = update(audit_head).where(audit_head.c.id == 1).values(hash=digest)
        await connection.execute(moved)
        return int(head.seq)

    async def verify(self, since: Head | None = None) -> Verdict:
        """Read the whole audit as it is now, and stop at the first break.

        since: a head noted elsewhere earlier; the audit must still go through it.
        """
        async with self._engine.connect() as connection:
            # Head and rows of one moment.
            if connection.dialect.name == "postgresql":
                await connection.execution_options(isolation_level="REPEATABLE READ")
            else:
                await connection.exec_driver_sql("BEGIN")
            head = await _read_head(connection)
            return await _verify(connection, head, since)

    async def list(
        self, *, call_id: str | None = None, before: int | None = None, limit: int = 50
    ) -> tuple[Mapping[str, Any], ...]:
        """Rows, newest first, `data` as an object. before: only those of a smaller number."""
        query = select(audit).order_by(audit.c.seq.desc()).limit(limit)
        if call_id is not None:
            query = query.where(audit.c.call_id == call_id)
        if before is not None:
            query = query.where(audit.c.seq < before)
        async with self._engine.connect() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return tuple({**row, "data": json.loads(row["data"])} for row in rows)


async def _read_head(connection: AsyncConnection) -> Head | None:
    found = (await connection.execute(select(audit_head))).one_or_none()
    return None if found is None else Head(found.seq, found.hash)


async def _verify(connection: AsyncConnection, head: Head | None, since: Head | None) -> Verdict:
    last = Head(0, NO_HASH)
    query = select(audit).order_by(audit.c.seq)
    async with connection.stream(query, execution_options={"yield_per": STREAMED}) as rows:
        async for found in rows:
            broken = _check(found, last, head) or _passes(since, Head(found.seq, found.hash))
            if broken is not None:
                return Verdict(last, broken)
            last = Head(found.seq, found.hash)
    return Verdict(last, _check_end(last, head, since))


def _check(found: Row[Any], last: Head, head: Head | None) -> Break | None:
    values = dict(found._mapping)
    digest = values.pop("hash")
    row = AuditRow(**values)
    if row.hash() != digest:
        place = _place(row, digest, head.seq if head else 0)
        if place is not None:
            return Break(row.seq, "moved", f"here stands what was written as row {place}")
        return Break(row.seq, "changed", "the row does not have the hash that it was written with")
    if row.seq != last.seq + 1:
        return Break(last.seq + 1, "missing", f"after row {last.seq} comes row {row.seq}")
    if row.previous_hash != last.hash:
        follows = f"it does not follow from row {last.seq}: one of the two was written anew"
        return Break(row.seq, "rewritten", follows)
    return None


def _place(row: AuditRow, digest: str, end: int) -> int | None:
    """The number under which a row has the hash that it holds."""
    values = asdict(row)
    places = range(1, end + 1)
    return next((n for n in places if AuditRow(**{**values, "seq": n}).hash() == digest), None)


def _passes(since: Head | None, row: Head) -> Break | None:
    if since is None or row.seq != since.seq or row.hash == since.hash:
        return None
    return Break(row.seq, "rewritten", "the row is not the one that was noted")


def _check_end(last: Head, head: Head | None, since: Head | None) -> Break | None:
    if head is None:
        return Break(last.seq + 1, "truncated", "the head of the audit is gone")
    if last.seq < max(head.seq, since.seq if since else 0):
        end = max(head.seq, since.seq if since else 0)
        return Break(last.seq + 1, "truncated", f"rows {last.seq + 1} to {end} are gone")
    if last != head:
        return Break(last.seq, "rewritten", f"the head of the audit is row {head.seq}")
    return None
