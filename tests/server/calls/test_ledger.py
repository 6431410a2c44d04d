"""Money of wallets, in a real database."""

import asyncio
from datetime import UTC, datetime

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from server.calls.ledger import Kind, Ledger, enter
from server.calls.model import Call, Outcome
from server.calls.request import CallRequest
from server.calls.schema import ledger
from server.calls.store import CallStore
from server.sections import CostSettings

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
WALLET = "0x" + "a" * 40
COSTS = CostSettings(margin=0.25)


@pytest.fixture
def money(store: CallStore) -> Ledger:
    return Ledger(store, COSTS)


def ended(*, success: bool, cents: float = 10.0) -> Call:
    return Call(
        id="call_1",
        status="ended",
        to="+14165550123",
        created_at=NOW,
        updated_at=NOW,
        outcome=Outcome(success=success),
        cost_cents=cents,
    )


async def entered(store: CallStore, kind: Kind, micros: int, reference: str) -> bool:
    async def decide(connection: AsyncConnection) -> bool:
        return await enter(connection, WALLET, kind, micros, reference, NOW, "call_1")

    return await store.transact(decide)


async def paid_call(store: CallStore, micros: int = 500_000) -> None:
    await entered(store, "pay", micros, "authorization")
    await entered(store, "charge", -micros, "quote_1")


async def test_a_wallet_begins_with_nothing(money: Ledger) -> None:
    assert await money.balance(WALLET) == 0


async def test_what_was_paid_is_used_up_by_the_charge(store: CallStore, money: Ledger) -> None:
    assert await entered(store, "pay", 500_000, "authorization")
    assert await money.balance(WALLET) == 500_000
    assert await entered(store, "charge", -500_000, "quote_1")
    assert await money.balance(WALLET) == 0


async def test_a_row_is_entered_once(store: CallStore, money: Ledger) -> None:
    assert await entered(store, "pay", 500_000, "authorization")
    assert not await entered(store, "pay", 500_000, "authorization")
    assert await money.balance(WALLET) == 500_000


async def test_a_failed_call_is_charged_at_cost_and_the_rest_is_credited(
    store: CallStore, money: Ledger
) -> None:
    await paid_call(store)
    assert await money.settle(ended(success=False), NOW) == 100_000
    assert await money.balance(WALLET) == 400_000


async def test_a_successful_call_is_charged_with_the_margin(
    store: CallStore, money: Ledger
) -> None:
    await paid_call(store)
    assert await money.settle(ended(success=True), NOW) == 125_000
    assert await money.balance(WALLET) == 375_000


async def test_no_call_is_charged_more_than_was_quoted(store: CallStore, money: Ledger) -> None:
    await paid_call(store)
    assert await money.settle(ended(success=True, cents=1000.0), NOW) == 500_000
    assert await money.balance(WALLET) == 0


async def test_a_call_is_settled_once_however_often_it_is_asked_for(
    store: CallStore, money: Ledger
) -> None:
    await paid_call(store)
    charged = await asyncio.gather(
        *(money.settle(ended(success=success), NOW) for success in (False, True) * 10)
    )
    assert len(set(charged)) == 1
    assert await money.balance(WALLET) == 500_000 - (charged[0] or 0)


async def test_calls_that_ended_unseen_are_settled_at_the_next_start(
    store: CallStore, money: Ledger
) -> None:
    await paid_call(store)
    asked = CallRequest.model_validate({"to": "+14165550123", "objective": "Book a table"})
    await store.create(ended(success=False), asked)
    await store.create(ended(success=False).model_copy(update={"id": "call_2"}), asked)
    live = ended(success=False).model_copy(update={"id": "call_3", "status": "in-progress"})
    await store.create(live, asked)
    assert await money.settle_ended(NOW) == 1
    assert await money.balance(WALLET) == 400_000
    assert await money.settle_ended(NOW) == 0


async def test_a_call_that_nobody_paid_for_is_not_settled(money: Ledger) -> None:
    assert await money.settle(ended(success=False), NOW) is None
    assert await money.balance(WALLET) == 0


async def test_concurrent_payments_all_count(store: CallStore, money: Ledger) -> None:
    done = await asyncio.gather(*(entered(store, "pay", 1, str(n % 25)) for n in range(50)))
    assert sum(done) == 25
    assert await money.balance(WALLET) == 25


async def test_the_table_itself_takes_a_reference_once(store: CallStore) -> None:
    await entered(store, "pay", 1, "authorization")
    row = {"wallet": WALLET, "kind": "pay", "micros": 1, "reference": "authorization", "at": "now"}
    with pytest.raises(IntegrityError):
        async with store.engine.begin() as connection:
            await connection.execute(insert(ledger), [row])
    async with store.engine.connect() as connection:
        assert len((await connection.execute(select(ledger))).all()) == 1
