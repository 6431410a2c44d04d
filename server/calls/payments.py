"""Payment before a call: a quote, the money for it, the call, each exactly once.

Stands before `CallWorkflow.place`. A quote goes

    offered → paying → settled → paid

`paying` is written before the facilitator is asked to move the money, `settled` together with
the ledger's row, `paid` with the call. Whatever breaks off, the same request with the same
payment goes on from there: money that was moved is in the ledger, and the call is placed under
the quote's id as its idempotency key, which gives the same call again.
"""

import asyncio
import base64
import json
import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from server.calls.costs import Quote
from server.calls.errors import PaymentRefused, PaymentUnsettled
from server.calls.events import rfc3339, utc_now
from server.calls.ledger import enter
from server.calls.model import Call, Plan
from server.calls.origin import Origin
from server.calls.quotes import (
    Json,
    QuoteState,
    change_quote,
    find_quote,
    forget_quotes,
    hash_of,
    keep_quote,
    quote_in,
    refuse_replay,
)
from server.calls.request import CallRequest
from server.calls.store import CallStore
from server.errors import SettingsInvalid
from server.sections import PaymentSettings

if TYPE_CHECKING:
    from server.calls.facilitator import Facilitator, Payment

log = logging.getLogger(__name__)

LEAST_MICROS = 10_000
"""A token moves no less than a cent: what costs nothing is asked for without payment."""
CLOCKS_S = 10
"""An authorization must still be good for so long."""
ABANDONED = timedelta(minutes=3)
"""Longer than a node waits for the facilitator: whoever was paying then is gone."""
PLACED_WITHIN = timedelta(hours=12)
"""Of the settlement; idempotency keys are known for longer than that."""
FORGOTTEN = timedelta(days=2)

ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")


@dataclass(frozen=True, slots=True)
class Offer:
    """A quote that can be paid: what a 402 is made of."""

    quote_id: str
    expires_at: datetime
    required: Json
    """`PaymentRequired` of x402, for the body."""
    header: str
    """The same, as `PAYMENT-REQUIRED`."""


@dataclass(frozen=True, slots=True)
class Paid:
    """Leave to place one call."""

    quote_id: str
    """Also the idempotency key to place it under."""
    payer: str
    plan: Plan | None


@dataclass(frozen=True, slots=True)
class Purchase:
    """A call that was paid for."""

    call_id: str
    header: str
    """`PAYMENT-RESPONSE`: the facilitator's receipt."""


Place = Callable[[Paid], Awaitable[Call]]


class Payments:
    """Quotes, and what was paid for them."""

    def __init__(
        self,
        store: CallStore,
        settings: PaymentSettings,
        facilitator: "Facilitator",
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._store = store
        self._lasts = timedelta(minutes=settings.quote_minutes)
        self._facilitator = facilitator
        self._now = now
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def close(self) -> None:
        """Let the facilitator's client go."""
        await self._facilitator.close()

    async def offer(
        self, quote: Quote, asked: CallRequest, origin: Origin, url: str
    ) -> Offer | None:
        """Keep a quote, and say how to pay it; None where there is nothing to pay.

        origin: its wallet is to pay; anybody where it has none. url: of the resource, for the
        client.
        """
        if quote.total_micros < LEAST_MICROS:
            return None
        now = self._now()
        expires_at = now + self._lasts
        seconds = int(self._lasts.total_seconds())
        requirements = self._facilitator.requirements(quote.total_micros, seconds, quote.id)
        kept = QuoteState(
            total_micros=quote.total_micros, requirements=requirements, plan=quote.plan
        )

        async def keep(connection: AsyncConnection) -> None:
            await forget_quotes(connection, now - FORGOTTEN)
            await keep_quote(
                connection,
                quote.id,
                kept,
                body_hash=hash_of(asked, origin),
                wallet=_wallet(origin.wallet),
                expires_at=expires_at,
            )

        await self._store.transact(keep)
        required = self._facilitator.required(requirements, url)
        return Offer(quote.id, expires_at, required, _header(required))

    async def redeem(
        self,
        asked: CallRequest,
        origin: Origin,
        signature: str,
        place: Place,
        quote_id: str | None = None,
    ) -> Purchase:
        """Take a payment for a quote, and place its call.

        signature: the header `PAYMENT-SIGNATURE`. quote_id: where the client gives it; the
        payment names it too. Raises `PaymentRefused`, `PaymentUnsettled` and what `place`
        raises; the money is kept for the same request then.
        """
        from server.calls.facilitator import parse_payment

        payment = parse_payment(signature)
        quote_id = quote_id or payment.quote_id
        if quote_id is None:
            raise PaymentRefused("quote-unknown", "the payment names no quote")
        turn = self._turns.setdefault(quote_id, asyncio.Lock())
        async with turn:
            quote = quote_in(await self._read(quote_id, asked, origin))
            _check(payment, quote.requirements, _address(origin.wallet))
            if quote.state == "offered":
                self._check_time(payment)
                await self._facilitator.verify(payment, quote.requirements)
            quote, call_id = await self._claim(quote_id, payment)
            if quote.state == "paying":
                quote = await self._settle(quote_id, quote, payment)
            if call_id is None:
                call_id = await self._place(quote_id, quote, place)
            return Purchase(call_id, _header(quote.receipt or {}))

    async def _read(self, quote_id: str, asked: CallRequest, origin: Origin) -> Row[Any]:
        async with self._store.engine.connect() as connection:
            row = await find_quote(connection, quote_id)
        if row.wallet is not None and row.wallet != _wallet(origin.wallet):
            raise PaymentRefused("quote-foreign", "the quote was made for another wallet")
        if row.body_hash != hash_of(asked, origin):
            raise PaymentRefused("quote-mismatch", "the quote was made for another call")
        return row

    def _check_time(self, payment: "Payment") -> None:
        seconds = self._now().timestamp()
        if payment.valid_after > seconds or payment.valid_before < seconds + CLOCKS_S:
            raise PaymentRefused("payment-expired", "the authorization is not valid now")

    async def _claim(self, quote_id: str, payment: "Payment") -> tuple[QuoteState, str | None]:
        """Reserve the quote for one payment; returns how far that has come, and its call."""
        now = self._now()

        async def decide(connection: AsyncConnection) -> tuple[QuoteState, str | None]:
            row = await find_quote(connection, quote_id)
            quote = quote_in(row)
            if quote.state == "offered":
                if row.expires_at < rfc3339(now):
                    raise PaymentRefused("quote-expired", "ask for another quote")
                await refuse_replay(connection, payment.reference)
            elif quote.reference != payment.reference:
                raise PaymentRefused("quote-used", "the quote is paid by another payment")
            elif quote.state == "settled" and quote.since and now > quote.since + PLACED_WITHIN:
                raise PaymentRefused("quote-expired", "too late; the money is to your credit")
            elif quote.state != "paying":
                return quote, row.call_id
            elif quote.since is not None and now < quote.since + ABANDONED:
                raise PaymentUnsettled("the payment is being settled")
            quote = quote.model_copy(
                update={
                    "state": "paying",
                    "reference": payment.reference,
                    "payer": payment.payer,
                    "since": now,
                    "attempts": quote.attempts + 1,
                }
            )
            await change_quote(connection, quote_id, quote)
            return quote, None

        return await self._store.transact(decide)

    async def _settle(self, quote_id: str, quote: QuoteState, payment: "Payment") -> QuoteState:
        try:
            receipt = await self._facilitator.settle(payment, quote.requirements)
        except PaymentRefused:
            if quote.attempts == 1:
                await self._change(quote_id, quote.offered_again())
                raise
            # The attempt before this one may have moved the money all the same.
            await self._change(quote_id, quote.model_copy(update={"since": None}))
            log.error("%s: look up nonce %s of the payer", quote_id, payment.nonce)
            raise PaymentUnsettled("whether the payment went through is not known") from None
        except PaymentUnsettled:
            await self._change(quote_id, quote.model_copy(update={"since": None}))
            raise
        now = self._now()
        settled = quote.model_copy(update={"state": "settled", "since": now, "receipt": receipt})

        async def keep(connection: AsyncConnection) -> None:
            await change_quote(connection, quote_id, settled)
            micros = quote.total_micros
            await enter(connection, payment.payer, "pay", micros, payment.reference, now)

        await self._store.transact(keep)
        return settled

    async def _place(self, quote_id: str, quote: QuoteState, place: Place) -> str:
        payer = quote.payer or ""
        call = await place(Paid(quote_id, payer, quote.plan))
        now = self._now()
        paid = quote.model_copy(update={"state": "paid", "since": now, "plan": None})

        async def keep(connection: AsyncConnection) -> None:
            await change_quote(connection, quote_id, paid, call.id)
            await enter(connection, payer, "charge", -quote.total_micros, quote_id, now, call.id)

        await self._store.transact(keep)
        return call.id

    async def _change(self, quote_id: str, quote: QuoteState) -> None:
        await self._store.transact(lambda connection: change_quote(connection, quote_id, quote))


def open_payments(store: CallStore, settings: PaymentSettings | None) -> Payments | None:
    """The payments that the settings ask for; none by default. Raises `SettingsInvalid`."""
    if settings is None:
        return None
    try:
        from server.calls.facilitator import Facilitator
    except ImportError as error:
        raise SettingsInvalid(
            f"[payments] needs the extra `payments`: pip install 'offhook[payments]' ({error})"
        ) from error
    return Payments(store, settings, Facilitator(settings))


def _check(payment: "Payment", requirements: Json, wallet: str | None) -> None:
    """What was signed must be what was asked for, to the letter."""
    for name in ("scheme", "network", "asset", "amount", "payTo"):
        if str(payment.accepted.get(name)).lower() != str(requirements[name]).lower():
            raise PaymentRefused("payment-mismatch", f"{name}: not what was asked for")
    if payment.to != str(requirements["payTo"]).lower():
        raise PaymentRefused("payment-mismatch", "the authorization pays somebody else")
    if str(payment.value) != requirements["amount"]:
        raise PaymentRefused("payment-mismatch", "the authorization is for another amount")
    if wallet is not None and payment.payer != wallet:
        raise PaymentRefused("payment-foreign", "the payment is from another wallet")


def _wallet(wallet: str | None) -> str | None:
    return wallet.lower() if wallet is not None else None


def _address(wallet: str | None) -> str | None:
    """The wallet where it is an address; agents have other names too."""
    return wallet.lower() if wallet is not None and ADDRESS.fullmatch(wallet) else None


def _header(document: Json) -> str:
    """A document as a header of x402 carries it."""
    return base64.b64encode(json.dumps(document).encode()).decode()
