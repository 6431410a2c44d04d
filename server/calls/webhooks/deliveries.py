"""What webhooks are owed: rows that outlive the node, each with a workflow that delivers it.

A row is committed together with the event it is about. Its id is the `webhook-id`, made from
what it stands for, so that a receiver can tell what it gets twice.
"""

import asyncio
import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import to_json
from sqlalchemy import CursorResult, delete, insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from server.calls.agent import WebhookRequest
from server.calls.errors import Refused
from server.calls.events import CallEvent, rfc3339, utc_now
from server.calls.model import Call
from server.calls.schema import disabled_webhooks, webhook_deliveries
from server.calls.store import CallStore, Owed
from server.calls.webhooks.delivery import Delivered, Delivery, Disabled, GaveUp, Retry, attempt
from server.calls.webhooks.errors import WebhookError
from server.calls.webhooks.subscriptions import (
    Message,
    Record,
    Render,
    Subscription,
    messages,
    native,
    subscribe,
)
from server.calls.writer import NewDelivery
from server.outward.client import OutwardClient
from server.outward.errors import OutwardRefused
from server.outward.rules import OutwardRules

log = logging.getLogger(__name__)

AT_ONCE = 20
"""Requests to receivers at a time: slow ones must not take all sockets."""
DATABASE_RETRY_S = 5.0
NOTHING = "{}"
"""The document of what was delivered, or whose call was erased."""


@dataclass(frozen=True, slots=True)
class DeliveryState:
    """Where a delivery stands."""

    id: str
    call_id: str
    event: str
    url: str
    status: str
    """pending, delivered, dead or disabled."""
    attempts: int
    last_error: str | None
    created_at: str
    updated_at: str


class Deliveries:
    """Deliveries in the database, and attempts to make them."""

    def __init__(
        self, store: CallStore, client: OutwardClient, rules: OutwardRules, own_secret: str
    ) -> None:
        self._store = store
        self._client = client
        self._rules = rules
        self._own_secret = own_secret
        self._at_once = asyncio.Semaphore(AT_ONCE)

    def subscriptions(
        self, call_id: str, asked: Sequence[WebhookRequest], render: Render = native
    ) -> tuple[Subscription, ...]:
        """The webhooks of a call, checked. Raises `Refused`."""
        return tuple(
            self._subscribe(f"{call_id}/{place}", webhook, place, render)
            for place, webhook in enumerate(asked)
        )

    def _subscribe(
        self, name: str, webhook: WebhookRequest, place: int, render: Render
    ) -> Subscription:
        try:
            return subscribe(name, webhook, self._own_secret, self._rules, render)
        except (WebhookError, OutwardRefused) as error:
            raise Refused(f"webhooks.{place}", str(error)) from error

    async def deliver(self, delivery_id: str) -> float | None:
        """Try once; returns after how many seconds to try again, None at the end. Never raises."""
        try:
            async with self._at_once:
                return await self._deliver(delivery_id)
        except SQLAlchemyError as error:
            log.warning("%s: %s", delivery_id, type(error).__name__)
            return DATABASE_RETRY_S
        except Exception:
            log.exception("%s cannot be delivered", delivery_id)
            return None

    async def _deliver(self, delivery_id: str) -> float | None:
        row = await self._row(delivery_id)
        if row is None or row["status"] != "pending":
            return None
        if await self._is_disabled(row["url"]):
            await self._settle(row, "disabled", "the receiver answered 410 before")
            return None
        outcome = await attempt(self._client, _of_row(row), utc_now())
        match outcome:
            case Delivered():
                await self._settle(row, "delivered", None)
            case GaveUp(reason=reason):
                await self._settle(row, "dead", reason)
            case Disabled():
                await self._disable(row["url"])
                await self._settle(row, "disabled", "the receiver answered 410")
            case Retry(after_s=after_s, reason=reason):
                await self._settle(row, "pending", reason)
                return after_s
        return None

    async def pending(self) -> tuple[str, ...]:
        """The ids of all that is still owed."""
        query = select(webhook_deliveries.c.id).where(webhook_deliveries.c.status == "pending")
        async with self._store.engine.connect() as connection:
            return tuple((await connection.execute(query)).scalars())

    async def list(self, status: str | None = None, limit: int = 50) -> tuple[DeliveryState, ...]:
        """Deliveries, the newest first."""
        columns = [webhook_deliveries.c[name] for name in DeliveryState.__dataclass_fields__]
        query = select(*columns).order_by(webhook_deliveries.c.created_at.desc()).limit(limit)
        if status is not None:
            query = query.where(webhook_deliveries.c.status == status)
        async with self._store.engine.connect() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return tuple(DeliveryState(**row) for row in rows)

    async def revive(self, delivery_id: str) -> bool:
        """Make a dead or disabled delivery pending again, from its first attempt."""
        values = {"status": "pending", "attempts": 0, "updated_at": rfc3339(utc_now())}
        row = await self._row(delivery_id)
        if row is None or row["status"] not in ("dead", "disabled") or row["document"] == NOTHING:
            return False

        async def write(connection: Any) -> bool:
            url = disabled_webhooks.c.url_hash == _hash(row["url"])
            await connection.execute(delete(disabled_webhooks).where(url))
            waiting = update(webhook_deliveries).where(
                webhook_deliveries.c.id == delivery_id, webhook_deliveries.c.status != "pending"
            )
            done: CursorResult[Any] = await connection.execute(waiting.values(**values))
            return done.rowcount > 0

        return await self._store.transact(write)

    async def _row(self, delivery_id: str) -> dict[str, Any] | None:
        query = select(webhook_deliveries).where(webhook_deliveries.c.id == delivery_id)
        async with self._store.engine.connect() as connection:
            row = (await connection.execute(query)).mappings().one_or_none()
        return dict(row) if row is not None else None

    async def _settle(self, row: dict[str, Any], status: str, error: str | None) -> None:
        values: dict[str, Any] = {
            "status": status,
            "attempts": row["attempts"] + 1,
            "last_error": error[:500] if error else None,
            "updated_at": rfc3339(utc_now()),
        }
        if status == "delivered":
            values["document"] = NOTHING  # what was said is kept in the call, and nowhere else
        # Its call may have been erased while it was under way.
        changed = update(webhook_deliveries).where(
            webhook_deliveries.c.id == row["id"], webhook_deliveries.c.status == "pending"
        )

        async def write(connection: Any) -> None:
            await connection.execute(changed.values(**values))

        await self._store.transact(write)

    async def _is_disabled(self, url: str) -> bool:
        query = select(disabled_webhooks.c.url).where(disabled_webhooks.c.url_hash == _hash(url))
        async with self._store.engine.connect() as connection:
            return (await connection.execute(query)).first() is not None

    async def _disable(self, url: str) -> None:
        row = {"url_hash": _hash(url), "url": url, "at": rfc3339(utc_now())}
        known = select(disabled_webhooks.c.url).where(disabled_webhooks.c.url_hash == _hash(url))

        async def write(connection: Any) -> None:
            if (await connection.execute(known)).first() is None:
                await connection.execute(insert(disabled_webhooks), [row])

        await self._store.transact(write)


def owed_by(subscriptions: Sequence[Subscription], record: Call) -> Owed:
    """What the webhooks of a call are owed of its events."""

    def owed(event: CallEvent) -> tuple[NewDelivery, ...]:
        if not subscriptions:
            return ()
        plain = native(record)
        return tuple(
            _row_of(subscription, message, event)
            for subscription in subscriptions
            for message in messages(subscription, event, plain, _shown(subscription, record))
        )

    return owed


def _shown(subscription: Subscription, record: Call) -> Record:
    """The record for a receiver. A face that fails must not cost the call its record."""
    try:
        return subscription.render(record)
    except Exception:
        log.exception("%s: %s cannot be rendered; sent as it is", record.id, record.dialect)
        return native(record)


def _row_of(subscription: Subscription, message: Message, event: CallEvent) -> NewDelivery:
    document = {
        "subscription": subscription.id,
        "secret": subscription.secret,
        "method": subscription.method,
        "headers": dict(subscription.headers),
        "body": message.body,
    }
    text = to_json(document).decode()
    return NewDelivery(message.id, event.call_id, message.name, subscription.url, text, event.at)


def _of_row(row: dict[str, Any]) -> Delivery:
    document = json.loads(row["document"])
    subscription = Subscription(
        id=document["subscription"],
        url=row["url"],
        secret=document["secret"],
        events=frozenset(),
        method=document["method"],
        headers=document["headers"],
    )
    message = Message(row["id"], row["event"], document["body"])
    return Delivery(subscription, message, row["attempts"] + 1)


def _hash(url: str) -> str:
    return hashlib.sha256(url.encode()).hexdigest()
