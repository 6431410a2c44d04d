"""Webhooks of a call, delivered by workflows to a receiver on loopback."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from server.calls.request import CallRequest
from server.calls.webhooks.deliveries import Deliveries
from server.calls.workflow import CallWorkflow
from tests.server.real_node import until
from tests.server.receiver import Receiver, receiving


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


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


async def test_a_call_for_later_is_told_of_when_it_is_taken_on(
    workflow: CallWorkflow, receiver: Any
) -> None:
    due = datetime.now(UTC) + timedelta(days=1)
    asked = request(receiver.url, "call.scheduled")
    call = await workflow.place(asked.model_copy(update={"scheduled_at": due}))
    await until(lambda: bool(receiver.came))
    (_, body) = receiver.came[0]
    assert (body["type"], body["data"]["call_id"]) == ("call.scheduled", call.id)


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
