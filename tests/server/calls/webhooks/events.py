"""A call, its events, and subscriptions to them."""

from datetime import UTC, datetime
from typing import Any

from server.calls.agent import WebhookRequest
from server.calls.events import CallEvent
from server.calls.model import Call
from server.calls.webhooks.signature import new_secret
from server.calls.webhooks.subscriptions import Record, Subscription, subscribe
from server.outward.rules import OutwardRules

AT = datetime(2026, 1, 31, 12, 0, 5, tzinfo=UTC)
SECRET = new_secret()
RULES = OutwardRules.parse(["127.0.0.2"], allow_http=True)


def event(kind: str = "call.ended", seq: int = 9, **data: object) -> CallEvent:
    return CallEvent("call_1", seq, kind, AT, data)


def record(**fields: Any) -> Record:
    call = Call(id="call_1", to="+14165550123", created_at=AT, updated_at=AT, **fields)
    dumped: Record = call.model_dump(mode="json")
    return dumped


def subscription(url: str = "https://hooks.example/a", **fields: Any) -> Subscription:
    return subscribe("sub_1", WebhookRequest(url=url, **fields), SECRET, RULES)
