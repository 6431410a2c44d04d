"""One attempt to deliver a message, and when to make the next.

The times are those that Standard Webhooks recommends: ten attempts over three days, each wait
a tenth longer or shorter, so that what failed together is not tried together.
"""

import random
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from server.calls.webhooks.signature import sign
from server.calls.webhooks.subscriptions import BODILESS, Message, Subscription
from server.outward.client import OutwardClient, Reply
from server.outward.errors import AddressRefused, OutwardError, OutwardRefused
from server.outward.target import with_query

WAITS_S = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""After the first attempt, the second, …; after the one that follows the last, none."""
MAX_ATTEMPTS = len(WAITS_S) + 1
JITTER = 0.1
MAX_RETRY_AFTER_S = 86_400.0
TIMEOUT_S = 15.0
GONE = 410


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message on its way."""

    subscription: Subscription
    message: Message
    attempt: int = 1
    """Which one this is, from 1."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """The receiver has it."""

    status: int


@dataclass(frozen=True, slots=True)
class Retry:
    """Not yet; try again."""

    after_s: float
    reason: str


@dataclass(frozen=True, slots=True)
class GaveUp:
    """A dead letter: this was the last attempt, or it can never be sent."""

    reason: str


@dataclass(frozen=True, slots=True)
class Disabled:
    """The receiver wants no more of this subscription (410)."""


Outcome = Delivered | Retry | GaveUp | Disabled


async def attempt(client: OutwardClient, delivery: Delivery, now: datetime) -> Outcome:
    """Send a message once and say what follows.

    now: the wall clock, with its zone. The same arguments and answer give the same outcome.
    Raises `SecretInvalid` where the subscription did not come from `subscribe`.
    """
    try:
        reply = await _send(client, delivery, now)
    except AddressRefused as error:
        return _later(delivery, str(error))
    except OutwardRefused as error:
        return GaveUp(str(error))
    except OutwardError as error:
        return _later(delivery, str(error))
    if 200 <= reply.status < 300:
        return Delivered(reply.status)
    if reply.status == GONE:
        return Disabled()
    return _later(delivery, f"status {reply.status}", _retry_after_s(reply, now))


def wait_s(message_id: str, attempt: int) -> float:
    """How long to wait after this attempt, 1 to `MAX_ATTEMPTS` - 1; the same whenever asked."""
    jitter = random.Random(f"{message_id}/{attempt}").uniform(-JITTER, JITTER)
    return WAITS_S[attempt - 1] * (1 + jitter)


async def _send(client: OutwardClient, delivery: Delivery, now: datetime) -> Reply:
    subscription, message = delivery.subscription, delivery.message
    url, body, headers = subscription.url, message.body.encode(), dict(subscription.headers)
    bodiless = subscription.method in BODILESS
    if bodiless:
        url = with_query(url, "event", message.body)
    elif "content-type" not in {name.lower() for name in headers}:
        headers["Content-Type"] = "application/json"
    return await client.send(
        subscription.method,
        url,
        headers=headers,
        signature=sign(subscription.secret, message.id, now, message.body),
        body=None if bodiless else body,
        timeout_s=TIMEOUT_S,
    )


def _later(delivery: Delivery, reason: str, at_least_s: float = 0.0) -> Outcome:
    if delivery.attempt >= MAX_ATTEMPTS:
        return GaveUp(reason)
    return Retry(max(wait_s(delivery.message.id, delivery.attempt), at_least_s), reason)


def _retry_after_s(reply: Reply, now: datetime) -> float:
    """Seconds that the receiver asks us to wait, within a day; 0 where it does not (RFC 9110)."""
    text = reply.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), MAX_RETRY_AFTER_S)
    try:
        moment = parsedate_to_datetime(text)
        # A date "-0000" comes without a zone; HTTP's are in UTC.
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        wait = (moment - now).total_seconds()
    except (ValueError, OverflowError):
        return 0.0
    return min(max(wait, 0.0), MAX_RETRY_AFTER_S)
