"""Quotes and payments: the library's real signatures, a real database, a local facilitator."""

import asyncio
import base64
import copy
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from x402 import x402Client
from x402.http.utils import decode_payment_required_header, encode_payment_signature_header
from x402.mechanisms.evm.exact.client import ExactEvmScheme

from server.calls.costs import Quote, quote_of
from server.calls.errors import Draining, PaymentRefused, PaymentUnsettled
from server.calls.events import utc_now
from server.calls.facilitator import Facilitator, parse_payment
from server.calls.ids import new_call_id
from server.calls.ledger import Ledger
from server.calls.model import Call, Plan
from server.calls.origin import Caller, Origin
from server.calls.payments import Offer, Paid, Payments, Purchase, open_payments
from server.calls.request import CallRequest
from server.calls.schema import ledger, quotes
from server.calls.store import CallStore
from server.calls.terms import terms
from server.errors import SettingsInvalid
from server.sections import CostSettings, PaymentSettings
from server.settings import Settings
from tests.server.calls.chain import NETWORK, USDC, LocalFacilitator, local_facilitator

PAY_TO = "0x" + "d" * 40
URL = "http://127.0.0.1:8080/v1/tools/voice/call"
COSTS = CostSettings(per_call=0.40, margin=0.25)
ASKED = CallRequest.model_validate({"to": "+14165550123", "objective": "Book a table for two"})
OTHER = CallRequest.model_validate({"to": "+14165550124", "objective": "Book a table for two"})


@dataclass
class Phone:
    """Places calls as the workflow does: the same idempotency key gives the same call."""

    calls: dict[str, Call] = field(default_factory=dict)
    dialled: int = 0
    failure: Exception | None = None

    async def place(self, paid: Paid) -> Call:
        if self.failure is not None:
            raise self.failure
        if paid.quote_id not in self.calls:
            self.dialled += 1
            self.calls[paid.quote_id] = Call(
                id=new_call_id(), to="+14165550123", created_at=utc_now(), updated_at=utc_now()
            )
        return self.calls[paid.quote_id]


@dataclass
class Shop:
    """A node that takes payment, and a wallet with money."""

    store: CallStore
    facilitator: LocalFacilitator
    account: LocalAccount
    phone: Phone = field(default_factory=Phone)
    later: timedelta = timedelta()

    def __post_init__(self) -> None:
        self.settings = PaymentSettings(pay_to=PAY_TO, facilitator_url=self.facilitator.url)
        self.payments = self.restarted()
        self.facilitator.chain.balances[self.wallet] = 10_000_000

    def restarted(self) -> Payments:
        client = Facilitator(self.settings)
        return Payments(self.store, self.settings, client, lambda: utc_now() + self.later)

    @property
    def wallet(self) -> str:
        return self.account.address.lower()

    @property
    def moved(self) -> list[tuple[str, str, int]]:
        return self.facilitator.chain.transfers

    async def offer(self, asked: CallRequest = ASKED) -> Offer:
        offer = await self.payments.offer(quote(asked), asked, origin(self.wallet), URL)
        assert offer is not None
        return offer

    async def redeem(self, offer: Offer, signature: str, **changed: Any) -> Purchase:
        with_defaults = {
            "asked": ASKED,
            "origin": origin(self.wallet),
            "quote_id": offer.quote_id,
            **changed,
        }
        return await self.payments.redeem(
            signature=signature, place=self.phone.place, **with_defaults
        )

    async def refusal(self, offer: Offer, signature: str, **changed: Any) -> str:
        with pytest.raises(PaymentRefused) as refused:
            await self.redeem(offer, signature, **changed)
        return refused.value.code

    async def balance(self) -> int:
        return await Ledger(self.store, COSTS).balance(self.wallet)

    async def rows(self) -> list[tuple[str, int]]:
        async with self.store.engine.connect() as connection:
            found = await connection.execute(select(ledger).order_by(ledger.c.id))
            return [(row.kind, row.micros) for row in found]


@pytest.fixture
async def shop(store: CallStore) -> AsyncIterator[Shop]:
    async with local_facilitator() as facilitator:
        yield Shop(store, facilitator, Account.create())


def origin(wallet: str | None, key_id: str = "key_1") -> Origin:
    return Origin(Caller(key_id), "oneshot", wallet=wallet)


def quote(asked: CallRequest = ASKED, costs: CostSettings = COSTS) -> Quote:
    return quote_of(terms(asked, Settings()), Plan(summary="Book a table."), costs)


def pay(offer: Offer, account: LocalAccount) -> str:
    """What the library's own client answers to the 402."""
    client = x402Client()
    client.register(NETWORK, ExactEvmScheme(account))
    required = decode_payment_required_header(offer.header)
    return encode_payment_signature_header(run(client.create_payment_payload(required)))


def run(coroutine: Any) -> Any:
    """The result of a coroutine of the library that never waits."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("it waits")


def tampered(signature: str, path: tuple[str, ...], value: object) -> str:
    payload = json.loads(base64.b64decode(signature))
    part = payload
    for name in path[:-1]:
        part = part[name]
    part[path[-1]] = value
    return base64.b64encode(json.dumps(payload).encode()).decode()


async def test_a_paid_quote_places_its_call(shop: Shop) -> None:
    offer = await shop.offer()
    purchase = await shop.redeem(offer, pay(offer, shop.account))
    assert purchase.call_id == shop.phone.calls[offer.quote_id].id
    assert shop.moved == [(shop.wallet, PAY_TO, 500_000)]
    assert await shop.rows() == [("pay", 500_000), ("charge", -500_000)]
    receipt = json.loads(base64.b64decode(purchase.header))
    assert receipt["success"] is True
    assert receipt["transaction"] == "0x" + f"{1:064x}"


async def test_the_402_says_what_to_pay_in_the_words_of_x402(shop: Shop) -> None:
    offer = await shop.offer()
    assert json.loads(base64.b64decode(offer.header)) == offer.required
    assert offer.required["x402Version"] == 2
    assert offer.required["resource"] == {
        "url": URL,
        "description": "A phone call",
        "mimeType": "application/json",
    }
    assert offer.required["accepts"] == [
        {
            "scheme": "exact",
            "network": NETWORK,
            "asset": USDC,
            "amount": "500000",
            "payTo": PAY_TO,
            "maxTimeoutSeconds": 600,
            "extra": {"name": "USD Coin", "version": "2", "quoteId": offer.quote_id},
        }
    ]


async def test_what_costs_nothing_is_not_paid_for(shop: Shop) -> None:
    free = quote(costs=CostSettings())
    assert await shop.payments.offer(free, ASKED, origin(None), URL) is None


async def test_the_same_payment_again_is_the_same_call(shop: Shop) -> None:
    offer = await shop.offer()
    signature = pay(offer, shop.account)
    purchases = [await shop.redeem(offer, signature) for _ in range(3)]
    assert len(set(purchases)) == 1
    assert shop.phone.dialled == len(shop.moved) == 1


async def test_concurrent_requests_with_one_payment_are_one_call(shop: Shop) -> None:
    offer = await shop.offer()
    signature = pay(offer, shop.account)
    purchases = await asyncio.gather(*(shop.redeem(offer, signature) for _ in range(20)))
    assert len(set(purchases)) == 1
    assert shop.phone.dialled == len(shop.moved) == 1


async def test_another_node_does_not_settle_what_is_being_settled(shop: Shop) -> None:
    offer = await shop.offer()
    signature = pay(offer, shop.account)
    await shop.payments._claim(offer.quote_id, parse_payment(signature))
    with pytest.raises(PaymentUnsettled):
        await shop.redeem(offer, signature)
    assert shop.moved == []


async def test_a_quote_is_good_once(shop: Shop) -> None:
    offer = await shop.offer()
    await shop.redeem(offer, pay(offer, shop.account))
    assert await shop.refusal(offer, pay(offer, shop.account)) == "quote-used"
    assert shop.phone.dialled == len(shop.moved) == 1


async def test_two_payments_for_one_quote_at_once_are_one_call(shop: Shop) -> None:
    offer = await shop.offer()
    payments = (shop.redeem(offer, pay(offer, shop.account)) for _ in range(5))
    done = await asyncio.gather(*payments, return_exceptions=True)
    assert sum(isinstance(one, Purchase) for one in done) == 1
    assert shop.phone.dialled == len(shop.moved) == 1


async def test_an_authorization_is_good_for_one_quote(shop: Shop) -> None:
    first, second = await shop.offer(), await shop.offer()
    signature = pay(first, shop.account)
    await shop.redeem(first, signature)
    # The facilitator would not let it pass either; it is not even asked to settle.
    shop.facilitator.chain.used.clear()
    assert await shop.refusal(second, signature) == "payment-replayed"
    assert len(shop.moved) == 1


async def test_a_nonce_used_elsewhere_is_refused(shop: Shop) -> None:
    offer = await shop.offer()
    signature = pay(offer, shop.account)
    nonce = json.loads(base64.b64decode(signature))["payload"]["authorization"]["nonce"]
    shop.facilitator.chain.used.add((shop.wallet, bytes.fromhex(nonce[2:])))
    assert await shop.refusal(offer, signature) == "payment-invalid"


async def test_an_expired_quote_is_refused(shop: Shop) -> None:
    offer = await shop.offer()
    shop.later = timedelta(minutes=10, seconds=1)
    signature = tampered(
        pay(offer, shop.account), ("payload", "authorization", "validBefore"), str(2**40)
    )
    assert await shop.refusal(offer, pay(offer, shop.account)) == "payment-expired"
    assert await shop.refusal(offer, signature) == "payment-invalid"


async def test_a_quote_ends_although_the_authorization_lasts(shop: Shop) -> None:
    offer = await shop.offer()
    long = copy.deepcopy(offer.required)
    long["accepts"][0]["maxTimeoutSeconds"] = 90_000  # type: ignore[index,call-overload]
    header = base64.b64encode(json.dumps(long).encode()).decode()
    signature = pay(Offer(offer.quote_id, offer.expires_at, long, header), shop.account)
    shop.later = timedelta(minutes=10, seconds=1)
    assert await shop.refusal(offer, signature) == "quote-expired"
    assert shop.moved == []


async def test_a_quote_is_for_one_key(shop: Shop) -> None:
    offer = await shop.offer()
    another = origin(shop.wallet, "key_2")
    assert await shop.refusal(offer, pay(offer, shop.account), origin=another) == "quote-mismatch"


async def test_a_payment_names_its_quote_by_itself(shop: Shop) -> None:
    await shop.offer()
    offer = await shop.offer()
    await shop.redeem(offer, pay(offer, shop.account), quote_id=None)
    assert list(shop.phone.calls) == [offer.quote_id]


async def test_a_payment_that_names_no_quote_is_refused(shop: Shop) -> None:
    offer = await shop.offer()
    extra = {"name": "USD Coin", "version": "2"}
    signature = tampered(pay(offer, shop.account), ("accepted", "extra"), extra)
    assert await shop.refusal(offer, signature, quote_id=None) == "quote-unknown"


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"asked": OTHER}, "quote-mismatch"),
        ({"origin": origin("0x" + "e" * 40)}, "quote-foreign"),
        ({"origin": origin(None)}, "quote-foreign"),
    ],
)
async def test_a_quote_is_for_one_body_and_one_wallet(
    shop: Shop, changed: dict[str, Any], code: str
) -> None:
    offer = await shop.offer()
    assert await shop.refusal(offer, pay(offer, shop.account), **changed) == code
    assert shop.moved == []


async def test_an_unknown_quote_is_refused(shop: Shop) -> None:
    offer = await shop.offer()
    unknown = Offer("quote_0", offer.expires_at, offer.required, offer.header)
    assert await shop.refusal(unknown, pay(offer, shop.account)) == "quote-unknown"


async def test_another_wallet_cannot_pay(shop: Shop) -> None:
    offer = await shop.offer()
    stranger = Account.create()
    shop.facilitator.chain.balances[stranger.address.lower()] = 10_000_000
    assert await shop.refusal(offer, pay(offer, stranger)) == "payment-foreign"


async def test_a_foreign_signature_is_refused(shop: Shop) -> None:
    offer = await shop.offer()
    stolen = json.loads(base64.b64decode(pay(offer, Account.create())))["payload"]["signature"]
    signature = tampered(pay(offer, shop.account), ("payload", "signature"), stolen)
    assert await shop.refusal(offer, signature) == "payment-invalid"
    assert shop.moved == []


async def test_an_empty_wallet_is_refused_and_may_try_again(shop: Shop) -> None:
    offer = await shop.offer()
    signature = pay(offer, shop.account)
    shop.facilitator.chain.balances[shop.wallet] = 0
    assert await shop.refusal(offer, signature) == "payment-invalid"
    shop.facilitator.chain.balances[shop.wallet] = 500_000
    await shop.redeem(offer, signature)
    assert shop.phone.dialled == 1


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        (("accepted", "amount"), "1", "payment-mismatch"),
        (("accepted", "payTo"), "0x" + "9" * 40, "payment-mismatch"),
        (("accepted", "asset"), "0x" + "9" * 40, "payment-mismatch"),
        (("accepted", "network"), "eip155:84532", "payment-mismatch"),
        (("accepted", "scheme"), "upto", "payment-mismatch"),
        (("payload", "authorization", "value"), "1", "payment-mismatch"),
        (("payload", "authorization", "to"), "0x" + "9" * 40, "payment-mismatch"),
        (("payload", "authorization", "from"), "0x" + "9" * 40, "payment-foreign"),
        (("payload", "authorization", "nonce"), "0x" + "9" * 64, "payment-invalid"),
        (("payload", "authorization", "nonce"), "0x99", "payment-malformed"),
        (("payload", "authorization", "value"), "-500000", "payment-malformed"),
        (("payload", "authorization", "value"), 500000, "payment-malformed"),
        (("payload", "authorization", "validBefore"), "1", "payment-expired"),
        (("payload", "authorization", "validAfter"), str(2**40), "payment-expired"),
        (("payload", "authorization"), None, "payment-malformed"),
        (("payload", "signature"), "0x" + "1" * 130, "payment-invalid"),
        (("payload", "signature"), "zz", "payment-invalid"),
        (("payload", "signature"), None, "payment-malformed"),
        (("x402Version",), 1, "payment-malformed"),
    ],
)
async def test_what_was_tampered_with_is_refused(
    shop: Shop, path: tuple[str, ...], value: object, code: str
) -> None:
    offer = await shop.offer()
    signature = tampered(pay(offer, shop.account), path, value)
    assert await shop.refusal(offer, signature) == code
    assert shop.moved == []
    assert await shop.rows() == []


@pytest.mark.parametrize("header", ["", "x", "bnVsbA==", "W10=", "e30=", "MQ==", "A" * 20_000])
async def test_a_header_that_is_no_payment_is_refused(shop: Shop, header: str) -> None:
    assert await shop.refusal(await shop.offer(), header) == "payment-malformed"


@pytest.mark.parametrize("broken", ["before", "after"])
async def test_a_settlement_that_broke_off_is_taken_up_again(shop: Shop, broken: str) -> None:
    offer = await shop.offer()
    signature = pay(offer, shop.account)
    shop.facilitator.breaks = [broken]
    with pytest.raises(PaymentUnsettled):
        await shop.redeem(offer, signature)
    assert shop.phone.dialled == 0
    if broken == "before":
        await shop.redeem(offer, signature)
        assert shop.phone.dialled == 1
    else:
        # The facilitator only says that the nonce is used; that proves nothing, and loses nothing.
        with pytest.raises(PaymentUnsettled):
            await shop.redeem(offer, signature)
        assert shop.phone.dialled == 0
    assert len(shop.moved) == 1


async def test_a_node_that_died_while_paying_is_waited_for_and_then_replaced(shop: Shop) -> None:
    offer = await shop.offer()
    signature = pay(offer, shop.account)
    await shop.payments._claim(offer.quote_id, parse_payment(signature))
    shop.payments = shop.restarted()
    with pytest.raises(PaymentUnsettled):
        await shop.redeem(offer, signature)
    shop.later = timedelta(minutes=3, seconds=1)
    await shop.redeem(offer, signature)
    assert shop.phone.dialled == len(shop.moved) == 1


async def test_money_is_kept_where_the_call_cannot_be_placed_yet(shop: Shop) -> None:
    offer = await shop.offer()
    signature = pay(offer, shop.account)
    shop.phone.failure = Draining()
    with pytest.raises(Draining):
        await shop.redeem(offer, signature)
    assert await shop.balance() == 500_000
    shop.phone.failure = None
    shop.payments = shop.restarted()
    shop.later = timedelta(hours=1)
    await shop.redeem(offer, signature)
    assert (shop.phone.dialled, len(shop.moved), await shop.balance()) == (1, 1, 0)


async def test_a_crash_behind_the_call_does_not_dial_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer = await shop.offer()
    signature = pay(offer, shop.account)
    whole = shop.phone.place

    async def placed_and_died(paid: Paid) -> Call:
        await whole(paid)
        raise RuntimeError("the node died")

    monkeypatch.setattr(shop.phone, "place", placed_and_died)
    with pytest.raises(RuntimeError):
        await shop.redeem(offer, signature)
    monkeypatch.setattr(shop.phone, "place", whole)
    shop.payments = shop.restarted()
    await shop.redeem(offer, signature)
    assert (shop.phone.dialled, len(shop.moved), await shop.balance()) == (1, 1, 0)


async def test_half_a_day_after_the_payment_nothing_is_dialled(shop: Shop) -> None:
    offer = await shop.offer()
    signature = pay(offer, shop.account)
    shop.phone.failure = Draining()
    with pytest.raises(Draining):
        await shop.redeem(offer, signature)
    shop.later = timedelta(hours=12, minutes=1)
    assert await shop.refusal(offer, signature) == "quote-expired"
    assert await shop.balance() == 500_000


async def test_unpaid_quotes_are_forgotten_and_paid_ones_are_not(shop: Shop) -> None:
    paid = await shop.offer()
    await shop.redeem(paid, pay(paid, shop.account))
    await shop.offer()
    shop.later = timedelta(days=3)
    await shop.offer()
    async with shop.store.engine.connect() as connection:
        assert await connection.scalar(select(func.count()).select_from(quotes)) == 2


async def test_a_facilitator_that_is_away_is_no_refusal(shop: Shop) -> None:
    offer = await shop.offer()
    shop.settings = shop.settings.model_copy(update={"facilitator_url": "http://127.0.0.1:1"})
    shop.payments = shop.restarted()
    with pytest.raises(PaymentUnsettled):
        await shop.redeem(offer, pay(offer, shop.account))


PATHS = st.sampled_from(
    [
        ("payload", "signature"),
        ("payload", "authorization", "from"),
        ("payload", "authorization", "to"),
        ("payload", "authorization", "value"),
        ("payload", "authorization", "validAfter"),
        ("payload", "authorization", "validBefore"),
        ("payload", "authorization", "nonce"),
        ("accepted", "amount"),
        ("accepted", "payTo"),
        ("accepted", "network"),
        ("accepted",),
        ("payload",),
    ]
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    path=PATHS,
    value=st.none()
    | st.integers()
    | st.text(max_size=70)
    | st.from_regex(r"0x[0-9a-f]{40}", fullmatch=True)
    | st.from_regex(r"0x[0-9a-f]{64}", fullmatch=True)
    | st.from_regex(r"0x[0-9a-f]{130}", fullmatch=True)
    | st.integers(0, 2**256).map(str)
    | st.dictionaries(st.text(max_size=5), st.integers(), max_size=2),
)
async def test_nothing_tampered_with_is_ever_taken(
    shop: Shop, path: tuple[str, ...], value: object
) -> None:
    offer = await shop.offer()
    signature = pay(offer, shop.account)
    changed = tampered(signature, path, value)
    assume(path[-1] != "validAfter" or value is None or str(value).strip("0") != "")
    with pytest.raises(PaymentRefused):
        await shop.redeem(offer, changed)
    assert shop.moved == []
    assert shop.phone.dialled == 0


def test_payments_are_off_by_default(store: CallStore) -> None:
    assert open_payments(store, Settings().payments) is None


def test_a_missing_extra_is_told_at_the_start(
    store: CallStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "server.calls.facilitator", None)
    wanted = PaymentSettings(pay_to=PAY_TO, facilitator_url="http://127.0.0.1:1")
    with pytest.raises(SettingsInvalid, match=r"offhook\[payments\]"):
        open_payments(store, wanted)


@pytest.mark.parametrize(
    "changed",
    [{"asset": "0x" + "9" * 40}, {"network": "eip155:4326"}, {"network": "solana:mainnet"}],
)
def test_a_token_that_cannot_be_signed_for_is_refused_at_the_start(
    store: CallStore, changed: dict[str, str]
) -> None:
    wanted = PaymentSettings(
        pay_to=PAY_TO, facilitator_url="http://127.0.0.1:1", **{"asset": USDC, **changed}
    )
    with pytest.raises(SettingsInvalid, match=r"payments\.asset"):
        open_payments(store, wanted)
