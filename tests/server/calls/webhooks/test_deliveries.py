"""Webhooks of a call, delivered by workflows to a receiver on loopback."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from standardwebhooks import Webhook

from server.calls.request import CallRequest
from server.calls.webhooks.deliveries import Deliveries
from server.calls.workflow import CallWorkflow
from tests.server.conftest import SECRET
from tests.server.real_node import until


class Receiver:
    """Answers with what it is told to, and keeps what came."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.came: list[tuple[str, dict[str, Any]]] = []

    async def take(self, request: web.Request) -> web.Response:
        body = Webhook(SECRET).verify(await request.text(), dict(request.headers))
        self.came.append((request.headers["webhook-id"], body))
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200)


@pytest.fixture
async def receiver() -> Any:
    kept = Receiver()
    application = web.Application()
    application.router.add_post("/", kept.take)
    async with TestServer(application) as server:
        kept.url = str(server.make_url("/"))  # type: ignore[attr-defined]
        yield kept


def request(url: str, *events: str) -> CallRequest:
    webhook = {"url": url, "events": list(events)}
    body = {"to": "+14165550123", "objective": "Book", "webhooks": [webhook]}
    return CallRequest.model_validate(body)


def deliveries_of(workflow: CallWorkflow) -> Deliveries:
    return workflow._deliveries


async def test_each_event_of_a_call_is_delivered_once_and_signed(
    workflow: CallWorkflow, receiver: Any
) -> None:
    await workflow.place(request(receiver.url, "call.*", "transcript.final"))
    await until(lambda: len(receiver.came) == 5)
    kinds = sorted(body["type"] for _, body in receiver.came)
    assert kinds == [
        "call.analyzed",
        "call.answered",
        "call.ended",
        "call.ringing",
        "transcript.final",
    ]
    assert len({delivery for delivery, _ in receiver.came}) == 5


async def test_a_call_that_came_from_the_queue_tells_its_webhooks_too(
    workflow: CallWorkflow, receiver: Any
) -> None:
    due = datetime.now(UTC) + timedelta(seconds=0.2)
    asked = request(receiver.url, "call.scheduled", "call.ended")
    await workflow.place(asked.model_copy(update={"scheduled_at": due}))
    await until(lambda: {body["type"] for _, body in receiver.came} >= {"call.ended"})


async def test_a_receiver_that_is_gone_gets_no_more_until_it_is_revived(
    workflow: CallWorkflow, receiver: Any
) -> None:
    receiver.statuses = [410]
    await workflow.place(request(receiver.url, "call.ringing"))
    await until(lambda: len(receiver.came) == 1)
    listed: list[Any] = []
    while not listed:
        listed = list(await deliveries_of(workflow).list("disabled"))
    assert await workflow.replay(listed[0].id)
    await until(lambda: len(receiver.came) == 2)
    assert receiver.came[0][0] == receiver.came[1][0]
