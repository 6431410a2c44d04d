"""Webhooks carry the call in the shape of the face that placed it."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from server.api.keys import KeyRing
from server.calls.agent import AgentConfig, WebhookRequest
from server.calls.documents import Deployments
from server.calls.origin import Deployment
from server.calls.store import CallStore
from tests.server.api.clients.oneinbox import RECORD
from tests.server.api.clients.shape import misfits
from tests.server.api.clients.voiceos import CONVERSATION
from tests.server.api.conftest import OURS, Stored
from tests.server.real_node import until
from tests.server.receiver import Receiver, receiving

TO = "+14155551234"


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


async def place(node: Any, path: str, body: dict[str, Any]) -> None:
    async with node.client.post(path, json=body) as answer:
        assert answer.status in (200, 201), await answer.text()


async def sent(receiver: Receiver, kind: str) -> dict[str, Any]:
    def found() -> list[dict[str, Any]]:
        return [body for _, body in receiver.came if body["type"] == kind]

    await until(lambda: bool(found()))
    call: dict[str, Any] = found()[0]["data"]["call"]
    return call


async def test_voiceos_is_told_of_its_conversation(node: Any, receiver: Receiver) -> None:
    webhook = {
        "events": ["phone_call:accepted", "conversation:ended"],
        "filter": "call.metadata.order == '7'",
        "url": receiver.url,
    }
    agent = {"prompt": "Confirm.", "metadata": {"order": "7"}, "webhooks": [webhook]}
    body = {"from_number": OURS, "to_number": TO, "agent_config": agent}
    await place(node, "/conversations/create_phone_call", body)
    started = await sent(receiver, "phone_call:accepted")
    assert misfits(started, CONVERSATION) == []
    assert (started["status"], started["agent_config"]["prompt"]) == ("started", "Confirm.")
    ended = await sent(receiver, "conversation:ended")
    assert misfits(ended, CONVERSATION) == []
    async with node.client.get(ended["uri"]) as answer:
        assert ended == await answer.json()


async def test_oneinbox_is_told_of_its_record(
    node: Any, receiver: Receiver, stored: Stored
) -> None:
    body = {"agent_id": stored.agent, "to_number": TO, "from_number": OURS}
    await place(node, "/v1/calls", {**body, "webhook_url": receiver.url})
    ended = await sent(receiver, "call.ended")
    assert misfits(ended, RECORD) == []
    await until(lambda: len(receiver.came) == 4)
    async with node.client.get(f"/v1/calls/{ended['id']}") as answer:
        assert ended == await answer.json()


async def test_a_native_call_is_told_of_natively(node: Any, receiver: Receiver) -> None:
    webhook = {"url": receiver.url, "events": ["call.ended"]}
    await place(node, "/v1/calls", {"to": TO, "objective": "Book", "webhooks": [webhook]})
    ended = await sent(receiver, "call.ended")
    async with node.client.get(f"/v1/calls/{ended['id']}") as answer:
        assert ended == await answer.json()


async def test_oneshot_is_told_of_its_result(
    node: Any, receiver: Receiver, keyed_to_a_deployment: Any
) -> None:
    headers = await keyed_to_a_deployment(receiver.url)
    body = {"objective": "Make a dinner reservation for 2", "target_number": TO}
    async with node.client.post("/v1/tools/voice/call", json=body, headers=headers) as answer:
        assert answer.status == 202
    ended = await sent(receiver, "call.ended")
    async with node.client.get(f"/v1/requests/{ended['request_id']}", headers=headers) as answer:
        assert ended == await answer.json()


@pytest.fixture
def keyed_to_a_deployment(store: CallStore) -> Any:
    """A key whose deployment has a webhook."""

    async def make(url: str) -> dict[str, str]:
        webhook = WebhookRequest.model_validate({"url": url, "events": ["call.ended"]})
        agent = AgentConfig(webhooks=(webhook,))
        deployment = Deployment(name="told", number="+16473705601", agent=agent)
        kept = await Deployments(store.engine).create("told", deployment)
        key = await KeyRing(store.engine).create("told", deployment_id=kept.id)
        return {"Authorization": f"Bearer {key}"}

    return make
