"""OneInbox's bodies and records on `/v1/calls`, by a client that knows its document only."""

from pathlib import Path
from typing import Any

import pytest

from server.calls.store import CallStore
from tests.server.api.clients.oneinbox import RECORD, OneInbox
from tests.server.api.clients.shape import misfits
from tests.server.api.conftest import OURS, Stored
from tests.server.api.curl import run
from tests.server.api.reference import curl_of, reference

HOST = "https://api.oneinbox.ai"
TO = "+14155551234"
EXAMPLE_AGENT = "3c90c3cc-0d44-4b50-8888-8dd25736052a"
FILLED = (
    ('"to_number": "<string>"', f'"to_number": "{TO}"'),
    ('"from_number": "<string>"', f'"from_number": "{OURS}"'),
    ('"scheduled_at": "2023-11-07T05:31:56Z"', '"scheduled_at": null'),
    ('"webhook_url": "<string>"', '"webhook_url": "https://example.com/hook"'),
    ('"language": "<string>"', '"language": "en"'),
    ('"temperature": 123', '"temperature": 1.23'),
    ('"speed": 123', '"speed": 1.23'),
)
"""Placeholders of the document that stand for something of a certain form or range."""


@pytest.fixture
async def client(node: Any) -> OneInbox:
    return OneInbox(node.url, node.key, node.client)


@pytest.fixture
def body(stored: Stored) -> dict[str, Any]:
    return {"agent_id": stored.agent, "to_number": TO, "from_number": OURS}


@pytest.mark.documents
async def test_the_documents_own_example_is_taken_once_its_placeholders_are_filled(
    node: Any, stored: Stored, tmp_path: Path
) -> None:
    command = curl_of(reference("oneinbox-create-call.txt"), "Create Call")
    for placeholder, value in (*FILLED, (EXAMPLE_AGENT, stored.agent)):
        assert placeholder in command
        command = command.replace(placeholder, value)
    answer = await run(command, HOST, node.url, node.key, tmp_path)
    assert answer.status == 201, answer.body
    assert misfits(answer.body, RECORD) == []


@pytest.mark.documents
async def test_the_documents_placeholders_are_refused_by_name(node: Any, tmp_path: Path) -> None:
    command = curl_of(reference("oneinbox-create-call.txt"), "Create Call")
    answer = await run(command, HOST, node.url, node.key, tmp_path)
    assert (answer.status, answer.body["code"]) == (400, "validation-failed")
    assert {error["field"] for error in answer.body["errors"]} == {
        "to_number",
        "from_number",
        "webhook_url",
        "overrides.llm.temperature",
        "overrides.transcriber.language",
        "overrides.tts.speed",
    }


async def test_a_call_has_every_field_while_it_waits_and_when_it_is_over(
    client: OneInbox, node: Any, body: dict[str, Any]
) -> None:
    status, placed = await client.create({**body, "metadata": {"order": 7}})
    assert (status, placed["from_number"], placed["to_number"]) == (201, OURS, TO)
    async with node.client.get(f"/v1/calls/{placed['id']}/events") as answer:
        await answer.read()
    _, record = await client.get(placed["id"])
    assert (record["status"], record["end_reason"]) == ("ended", "agent_hangup")
    assert record["duration_seconds"] == 30.0
    assert record["transcript"] == "Agent: Hi, this is\nCallee: Hello?"
    assert record["latency"]["voice_to_voice_ms"]["p50"] == 400.0
    assert record["outcome"] == record["analysis"]["disposition"]
    assert isinstance(record["analysis"]["success"], bool)
    assert record["metadata"] == {"order": 7}


async def test_overrides_lie_over_the_stored_agent(
    client: OneInbox, store: CallStore, body: dict[str, Any]
) -> None:
    overrides = {
        "llm": {"temperature": 0.25, "system_prompt": "You are brief."},
        "transcriber": {"language": "en"},
        "tts": {"voice_id": "en-gb+m2", "speed": 1.5},
        "first_message": "Hi {{name}}.",
    }
    variables = {"name": "Bobby"}
    _, placed = await client.create({**body, "overrides": overrides, "variables": variables})
    asked = await store.request(placed["id"])
    assert asked.language_model is not None
    assert asked.voice is not None
    assert asked.language_model.temperature == 0.25
    assert asked.language_model.system_prompt == "You are brief."
    assert (asked.voice.voice_id, asked.voice.speed) == ("en-gb+m2", 1.5)
    assert asked.first_message == "Hi {{name}}."
    assert placed["variables"] == variables


async def test_a_webhook_is_taken_over(
    client: OneInbox, store: CallStore, body: dict[str, Any]
) -> None:
    _, placed = await client.create({**body, "webhook_url": "https://example.com/hook"})
    asked = await store.request(placed["id"])
    assert [hook.url for hook in asked.webhooks or ()] == ["https://example.com/hook"]


async def test_a_call_is_scheduled_in_any_zone(client: OneInbox, body: dict[str, Any]) -> None:
    at = "2026-12-24T10:00:00-05:00"
    _, placed = await client.create({**body, "scheduled_at": at})
    assert placed["status"] == "scheduled"
    assert placed["scheduled_at"] in ("2026-12-24T15:00:00Z", at)


async def test_an_agent_that_is_not_stored_is_refused_by_name(
    client: OneInbox, body: dict[str, Any]
) -> None:
    status, got = await client.create({**body, "agent_id": EXAMPLE_AGENT})
    assert (status, got["errors"][0]["field"]) == (400, "agent_id")


@pytest.mark.parametrize("field", ["agent_id", "from_number"])
async def test_a_required_field_is_required(
    client: OneInbox, body: dict[str, Any], field: str
) -> None:
    status, got = await client.create({k: v for k, v in body.items() if k != field})
    assert (status, got["errors"][0]["field"]) == (400, field)


async def test_lists_show_each_call_as_it_was_asked_for(
    client: OneInbox, node: Any, body: dict[str, Any]
) -> None:
    await client.create(body)
    async with node.client.post("/v1/calls", json={"to": TO, "objective": "Say hello."}) as answer:
        assert answer.status == 201
    async with node.client.get("/v1/calls") as answer:
        native, theirs = (await answer.json())["data"]
    assert native["to"] == TO
    assert misfits(theirs, RECORD) == []


async def test_what_changes_nothing_here_is_told_in_the_header(
    node: Any, body: dict[str, Any]
) -> None:
    overrides = {"llm": {"model": "gpt-9"}, "tts": {"stability": 0.5}}
    async with node.client.post("/v1/calls", json={**body, "overrides": overrides}) as answer:
        assert answer.status == 201
        assert answer.headers.getall("X-Offhook-Warning") == [
            "no-effect:overrides.llm.model",
            "no-effect:overrides.tts.stability",
        ]
