"""Who wants which events of a call, and what they are sent.

A request with a body carries the whole event. GET and DELETE have no body: they carry a thin
one in the query, as `event={"type": …, "timestamp": …, "data": {"call_id": …, "seq": …}}`;
what was said on the phone does not go into the access logs of servers, and the receiver reads
the rest from the API. What is signed is the body, or there the value of `event`.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from pydantic import JsonValue

from server.calls.agent import WebhookRequest
from server.calls.events import CallEvent, json_text, rfc3339
from server.calls.model import Call
from server.calls.webhooks.expression import Scope
from server.calls.webhooks.filters import Filter, compile_filter
from server.calls.webhooks.names import names_of, resolve_names
from server.calls.webhooks.signature import check_secret
from server.outward.client import Method
from server.outward.rules import OutwardRules
from server.outward.target import check_headers, parse_url

BODILESS: frozenset[Method] = frozenset({"GET", "DELETE"})
Record = Mapping[str, JsonValue]
"""A call as JSON."""
Render = Callable[[Call], Record]


def native(call: Call) -> Record:
    """A call as the native API shows it."""
    shown: Record = call.model_dump(mode="json")
    return shown


@dataclass(frozen=True, slots=True)
class Subscription:
    """One webhook of one call or agent, checked."""

    id: str
    url: str
    secret: str = field(repr=False)
    events: frozenset[str]
    """Names without wildcards."""
    filter: Filter | None = None
    method: Method = "POST"
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    render: Render = field(default=native, repr=False)
    """How the face that placed the call shows it."""


@dataclass(frozen=True, slots=True)
class Message:
    """One event for one subscription; every attempt to deliver it sends the same."""

    id: str
    """The `webhook-id`; the same after a crash, since it is made from what it stands for."""
    name: str
    body: str = field(repr=False)


def subscribe(
    subscription_id: str,
    asked: WebhookRequest,
    own_secret: str,
    rules: OutwardRules,
    render: Render = native,
) -> Subscription:
    """Check a webhook as it was asked for; whether its host is allowed shows at delivery.

    own_secret: the node's, where the client gave none.
    Raises `FilterInvalid`, `EventUnknown`, `SecretInvalid` and `OutwardRefused`.
    """
    parse_url(asked.url, rules)
    check_headers(asked.headers)
    return Subscription(
        id=subscription_id,
        url=asked.url,
        secret=check_secret(asked.secret or own_secret),
        events=resolve_names(asked.events),
        filter=compile_filter(asked.filter) if asked.filter is not None else None,
        method=asked.method,
        headers=MappingProxyType(dict(asked.headers)),
        render=render,
    )


def messages(
    subscription: Subscription, event: CallEvent, record: Record, shown: Record | None = None
) -> tuple[Message, ...]:
    """What a subscription is sent about an event: nothing, or one message for each name of it.

    record: the native one, which filters see; shown: what is sent of it where that is another.
    """
    sent = record if shown is None else shown
    return tuple(
        Message(
            id=message_id(subscription.id, name, event),
            name=name,
            body=json_text(payload(name, event, sent, thin=subscription.method in BODILESS)),
        )
        for name in names_of(event.type, event.data)
        if name in subscription.events
        and (subscription.filter is None or subscription.filter.matches(scope(name, event, record)))
    )


def payload(
    name: str, event: CallEvent, record: Record, *, thin: bool = False
) -> dict[str, JsonValue]:
    """An event in the form of Standard Webhooks: `type`, `timestamp`, `data`.

    `data` is that of the event, its `call_id` and `seq`, and where the event is one in the
    life of the call, the `call`.
    """
    data: dict[str, JsonValue] = {} if thin else _json(event.data)
    if not thin and any(each.startswith("call.") for each in names_of(event.type, event.data)):
        data["call"] = dict(record)
    data |= {"call_id": event.call_id, "seq": event.seq}
    return {"type": name, "timestamp": rfc3339(event.at), "data": data}


def scope(name: str, event: CallEvent, record: Record) -> Scope:
    """What a filter sees: `event`, `call`, and `data`, which is `event.data`."""
    data = _json(event.data)
    seen = {"type": name, "call_id": event.call_id, "seq": event.seq, "at": rfc3339(event.at)}
    return {"event": {**seen, "data": data}, "call": record, "data": data}


def message_id(subscription_id: str, name: str, event: CallEvent) -> str:
    """The id of a message, which tells one who receives it twice."""
    parts = (subscription_id, name, event.call_id, str(event.seq))
    return f"msg_{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:32]}"


def _json(data: Mapping[str, object]) -> dict[str, JsonValue]:
    plain: dict[str, JsonValue] = json.loads(json_text(data))
    return plain
