"""The same key and body give the same call, for a day; the key of another client is another key.

Decided in the transaction that creates the call, so that of concurrent duplicates one creates
it and the others, who wait for their turn to write, find it.
"""

from datetime import datetime, timedelta

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.calls.errors import IdempotencyMismatch
from server.calls.events import rfc3339
from server.calls.origin import Origin
from server.calls.schema import idempotency

KEPT = timedelta(hours=24)


async def known_call(connection: AsyncConnection, origin: Origin, now: datetime) -> str | None:
    """The id of the call that this key created before, if there is one.

    Raises `IdempotencyMismatch` where it was for another body.
    """
    if origin.idempotency_key is None:
        return None
    query = select(idempotency.c.body_hash, idempotency.c.call_id).where(
        idempotency.c.key_id == origin.caller.key_id,
        idempotency.c.route == origin.dialect,
        idempotency.c.key == origin.idempotency_key,
        idempotency.c.created_at > rfc3339(now - KEPT),
    )
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        return None
    if row.body_hash != (origin.body_hash or ""):
        raise IdempotencyMismatch("this idempotency key was used with another body")
    return str(row.call_id)


async def remember(
    connection: AsyncConnection, origin: Origin, call_id: str, now: datetime
) -> None:
    """Keep which call a key stands for, and forget the keys of yesterday."""
    if origin.idempotency_key is None:
        return
    old = delete(idempotency).where(idempotency.c.created_at <= rfc3339(now - KEPT))
    await connection.execute(old)
    row = {
        "key_id": origin.caller.key_id,
        "route": origin.dialect,
        "key": origin.idempotency_key,
        "body_hash": origin.body_hash or "",
        "call_id": call_id,
        "created_at": rfc3339(now),
    }
    await connection.execute(insert(idempotency), [row])
