"""Quotes that can be paid, as they are kept."""

import hashlib
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, JsonValue
from sqlalchemy import Row, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.calls.canonical import canonical
from server.calls.errors import PaymentRefused
from server.calls.events import rfc3339
from server.calls.model import Plan
from server.calls.origin import Origin
from server.calls.request import CallRequest
from server.calls.schema import ledger, quotes

Json = dict[str, JsonValue]


class QuoteState(BaseModel):
    """What is kept of a quote."""

    model_config = ConfigDict(frozen=True)

    state: Literal["offered", "paying", "settled", "paid"] = "offered"
    total_micros: int
    requirements: Json
    plan: Plan | None
    """As it was shown; taken out once the call has it."""
    reference: str | None = None
    """The authorization that pays (`Payment.reference`)."""
    payer: str | None = None
    since: datetime | None = None
    """When the state was reached; None where whoever was paying has given up for now."""
    attempts: int = 0
    """How often the facilitator was asked to move the money."""
    receipt: Json | None = None

    def offered_again(self) -> "QuoteState":
        """The quote as if nobody had tried to pay it."""
        return QuoteState(
            total_micros=self.total_micros, requirements=self.requirements, plan=self.plan
        )


def hash_of(asked: CallRequest, origin: Origin) -> str:
    """What a quote is good for: SHA-256 of the whole request and of whose key it came with.

    The key, since the call's idempotency is the key's.
    """
    request = asked.model_dump(mode="json", exclude_unset=True)
    body = canonical({"request": request, "key_id": origin.caller.key_id})
    return hashlib.sha256(body.encode()).hexdigest()


async def keep_quote(
    connection: AsyncConnection,
    quote_id: str,
    quote: QuoteState,
    *,
    body_hash: str,
    wallet: str | None,
    expires_at: datetime,
) -> None:
    """Add a quote for a request, and a wallet where it is for one."""
    row = {
        "id": quote_id,
        "wallet": wallet,
        "body_hash": body_hash,
        "document": quote.model_dump_json(),
        "expires_at": rfc3339(expires_at),
    }
    await connection.execute(insert(quotes), [row])


async def forget_quotes(connection: AsyncConnection, before: datetime) -> None:
    """Delete what expired before and nobody paid; of the others, what the call was about."""
    old = quotes.c.expires_at < rfc3339(before)
    unpaid = quotes.c.document.like('{"state":"offered"%')
    await connection.execute(delete(quotes).where(old, unpaid))
    telling = select(quotes).where(old, quotes.c.document.like('%"plan":{%'))
    for row in (await connection.execute(telling)).all():
        silent = quote_in(row).model_copy(update={"plan": None})
        await change_quote(connection, row.id, silent, row.call_id)


async def find_quote(connection: AsyncConnection, quote_id: str) -> Row[Any]:
    """The row of a quote. Raises `PaymentRefused`."""
    row = (await connection.execute(select(quotes).where(quotes.c.id == quote_id))).one_or_none()
    if row is None:
        raise PaymentRefused("quote-unknown", "there is no such quote, or not any more")
    return row


def quote_in(row: Row[Any]) -> QuoteState:
    """The quote of a row."""
    return QuoteState.model_validate_json(row.document)


async def change_quote(
    connection: AsyncConnection, quote_id: str, quote: QuoteState, call_id: str | None = None
) -> None:
    """Write what became of a quote."""
    change = update(quotes).where(quotes.c.id == quote_id)
    await connection.execute(change.values(document=quote.model_dump_json(), call_id=call_id))


async def refuse_replay(connection: AsyncConnection, reference: str) -> None:
    """Raises `PaymentRefused` where an authorization was used before, or is being used."""
    entered = select(ledger.c.id).where(ledger.c.kind == "pay", ledger.c.reference == reference)
    claimed = select(quotes.c.id).where(quotes.c.document.like(f'%"reference":"{reference}"%'))
    for query in (entered, claimed):
        if (await connection.execute(query)).first() is not None:
            raise PaymentRefused("payment-replayed", "the authorization was used before")
