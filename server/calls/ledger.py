"""Money of wallets: what was paid, what calls were charged, what was credited.

Rows are only added, in micros (millionths of a dollar), and each of them once: the table takes
one row of a kind for a reference. A balance is the sum of a wallet's rows.

| kind     | amount | reference     | when                                               |
| -------- | ------ | ------------- | -------------------------------------------------- |
| `pay`    | +      | authorization | the payment for a quote was settled                |
| `charge` | -      | quote         | the call was placed; as much as was quoted         |
| `credit` | +      | call          | the call is over; what it did not cost, the margin |
|          |        |               | of a failed one included                           |
"""

from datetime import datetime
from typing import Literal

from sqlalchemy import exists, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.calls.costs import charge_of
from server.calls.events import rfc3339
from server.calls.model import Call
from server.calls.schema import calls, ledger
from server.calls.store import CallStore
from server.sections import CostSettings

Kind = Literal["pay", "charge", "credit"]


async def enter(
    connection: AsyncConnection,
    wallet: str,
    kind: Kind,
    micros: int,
    reference: str,
    now: datetime,
    call_id: str | None = None,
) -> bool:
    """Add a row in a transaction beside which nobody else writes; False where it is there."""
    query = select(ledger.c.id).where(ledger.c.kind == kind, ledger.c.reference == reference)
    if (await connection.execute(query)).first() is not None:
        return False
    row = {"wallet": wallet, "kind": kind, "micros": micros, "reference": reference}
    await connection.execute(insert(ledger), [{**row, "call_id": call_id, "at": rfc3339(now)}])
    return True


async def balance_of(connection: AsyncConnection, wallet: str) -> int:
    """What a wallet has to its credit, in micros."""
    total = select(func.coalesce(func.sum(ledger.c.micros), 0)).where(ledger.c.wallet == wallet)
    return int((await connection.execute(total)).scalar_one())


class Ledger:
    """The ledger of one database."""

    def __init__(self, store: CallStore, costs: CostSettings) -> None:
        self._store = store
        self._costs = costs

    async def balance(self, wallet: str) -> int:
        """What a wallet has to its credit, in micros."""
        async with self._store.engine.connect() as connection:
            return await balance_of(connection, wallet)

    async def settle(self, call: Call, now: datetime) -> int | None:
        """Credit what a call that is over did not cost; returns what it was charged, in micros.

        None where nobody paid for it. Once for each call, however often it is asked for: what
        was charged then stays.
        """
        cost = round((call.cost_cents or 0.0) * 10_000)
        success = call.outcome is not None and call.outcome.success

        async def decide(connection: AsyncConnection) -> int | None:
            mine = select(ledger).where(ledger.c.kind == "charge", ledger.c.call_id == call.id)
            charge = (await connection.execute(mine)).one_or_none()
            if charge is None:
                return None
            quoted = -int(charge.micros)
            rest = quoted - charge_of(cost, quoted, success, self._costs)
            if await enter(connection, charge.wallet, "credit", rest, call.id, now, call.id):
                return quoted - rest
            before = select(ledger.c.micros).where(
                ledger.c.kind == "credit", ledger.c.reference == call.id
            )
            return quoted - int((await connection.execute(before)).scalar_one())

        return await self._store.transact(decide)

    async def settle_ended(self, now: datetime) -> int:
        """Settle what ended while nobody was there to do it; returns how many calls.

        To be run at every start.
        """
        credited = ledger.alias("credited")
        done = exists().where(credited.c.kind == "credit", credited.c.reference == calls.c.id)
        query = (
            select(calls.c.record)
            .join(ledger, ledger.c.call_id == calls.c.id)
            .where(ledger.c.kind == "charge", calls.c.status == "ended", ~done)
        )
        async with self._store.engine.connect() as connection:
            left = (await connection.execute(query)).scalars().all()
        for record in left:
            await self.settle(Call.model_validate_json(record), now)
        return len(left)
