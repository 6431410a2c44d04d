"""Who was dialled: the rows that make a second INVITE impossible, and what came of each.

A row is committed before its INVITE goes out and never taken back. `over_at` is empty while
the line may be up; until the record is final, `conversation` holds what is known.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pydantic import TypeAdapter
from pydantic_core import to_json
from sqlalchemy import RowMapping, Update, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.calls.conversation import Conversation
from server.calls.events import rfc3339
from server.calls.schema import calls, dials
from server.calls.slots import Capacity, Claim

CONVERSATION = TypeAdapter(Conversation)

Begun = Literal["begun", "dialled before", "over", "busy"]
"""Busy: other calls take up what the number, the key or the deployment may have."""


@dataclass(frozen=True, slots=True)
class Dialled:
    """What is known of one attempt."""

    call_id: str
    attempt: int
    node_id: str
    dialog: str | None
    """What it takes to hang up; None where nobody had answered."""
    conversation: Conversation | None
    is_over: bool


async def begin(
    connection: AsyncConnection,
    claim: Claim,
    attempt: int,
    node_id: str,
    capacity: Capacity,
    now: datetime,
) -> Begun:
    """Take the right to dial, in a transaction that nobody else writes beside."""
    found = await connection.execute(select(calls.c.status).where(calls.c.id == claim.call_id))
    if (found.scalar_one_or_none() or "ended") == "ended":
        return "over"
    before = select(dials.c.node_id).where(
        dials.c.call_id == claim.call_id, dials.c.attempt == attempt
    )
    if (await connection.execute(before.limit(1))).first() is not None:
        return "dialled before"
    if await is_busy(connection, claim, capacity):
        return "busy"
    await enter(connection, claim, attempt, node_id, now)
    return "begun"


async def enter(
    connection: AsyncConnection, claim: Claim, attempt: int, node_id: str, now: datetime
) -> None:
    """The same for a call that nobody else can know of yet, and that is not busy."""
    row = {
        "call_id": claim.call_id,
        "attempt": attempt,
        "deployment_id": claim.deployment_id,
        "key_id": claim.key_id,
        "node_id": node_id,
        "at": rfc3339(now),
    }
    await connection.execute(insert(dials), [{**row, "party": party} for party in claim.numbers])
    mine = update(calls).where(calls.c.id == claim.call_id)
    await connection.execute(mine.values(node_id=node_id))


async def is_busy(connection: AsyncConnection, claim: Claim, capacity: Capacity) -> bool:
    """Whether calls of all nodes take up what the number, the key or the deployment may have."""
    calls_going_on = func.count(func.distinct(dials.c.call_id))
    limits = [(dials.c.party == number, capacity.per_number) for number in claim.numbers]
    if claim.key_id is not None:
        limits.append((dials.c.key_id == claim.key_id, capacity.per_key))
    if claim.deployment_id is not None:
        limits.append((dials.c.deployment_id == claim.deployment_id, capacity.per_deployment))
    for which, most in limits:
        if most is not None:
            count = select(calls_going_on).where(dials.c.over_at.is_(None), which)
            if ((await connection.execute(count)).scalar_one() or 0) >= most:
                return True
    return False


async def keep_conversation(
    connection: AsyncConnection, call_id: str, attempt: int, conversation: bytes, now: datetime
) -> None:
    """Keep what came of an attempt; its line is down."""
    values = {"conversation": conversation.decode(), "dialog": None, "over_at": rfc3339(now)}
    await connection.execute(_of(call_id, attempt).values(**values))


async def read(connection: AsyncConnection, call_id: str, attempt: int) -> Dialled | None:
    """What is known of an attempt; None where it was not dialled."""
    query = select(dials).where(dials.c.call_id == call_id, dials.c.attempt == attempt).limit(1)
    row = (await connection.execute(query)).mappings().one_or_none()
    return _dialled(row) if row is not None else None


async def left_open(connection: AsyncConnection, node_id: str) -> tuple[Dialled, ...]:
    """The attempts of a node whose line may still be up."""
    query = select(dials).where(dials.c.node_id == node_id, dials.c.over_at.is_(None))
    rows = (await connection.execute(query)).mappings().all()
    return tuple(_dialled(row) for row in rows)


def encode(conversation: Conversation) -> bytes:
    """A conversation as it is kept. Raises ValueError for text that is no Unicode."""
    return to_json(conversation, serialize_unknown=True, inf_nan_mode="null")


def _of(call_id: str, attempt: int) -> Update:
    return update(dials).where(dials.c.call_id == call_id, dials.c.attempt == attempt)


def _dialled(row: RowMapping) -> Dialled:
    kept = row["conversation"]
    return Dialled(
        call_id=row["call_id"],
        attempt=row["attempt"],
        node_id=row["node_id"],
        dialog=row["dialog"],
        conversation=CONVERSATION.validate_json(kept) if kept is not None else None,
        is_over=row["over_at"] is not None,
    )
