"""The list of webhook deliveries, for operators: dead letters first of all."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncEngine

from server.calls.schema import webhook_deliveries


@dataclass(frozen=True, slots=True)
class Listed:
    """One delivery without what it delivers."""

    id: str
    call_id: str
    event: str
    url: str
    status: str
    attempts: int
    last_error: str | None
    created_at: str
    updated_at: str


async def list_deliveries(
    engine: AsyncEngine,
    *,
    status: str | None = None,
    call_id: str | None = None,
    after: tuple[str, str] | None = None,
    limit: int = 50,
) -> Sequence[Listed]:
    """Read deliveries, newest first. after: `created_at` and `id` behind which to go on."""
    table = webhook_deliveries.c
    columns = [table[name] for name in Listed.__dataclass_fields__]
    query = select(*columns).order_by(table.created_at.desc(), table.id.desc()).limit(limit)
    if status is not None:
        query = query.where(table.status == status)
    if call_id is not None:
        query = query.where(table.call_id == call_id)
    if after is not None:
        query = query.where(tuple_(table.created_at, table.id) < tuple_(*after))
    async with engine.connect() as connection:
        rows = (await connection.execute(query)).mappings().all()
    return tuple(Listed(**row) for row in rows)


async def is_delivery(engine: AsyncEngine, delivery_id: str) -> bool:
    """Whether there is one of this id."""
    query = select(webhook_deliveries.c.id).where(webhook_deliveries.c.id == delivery_id)
    async with engine.connect() as connection:
        return await connection.scalar(query) is not None
