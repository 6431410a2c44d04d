"""VoiceOS's face, by a client that knows its document only."""

import json
from pathlib import Path
from typing import Any

import pytest

from server.calls.store import CallStore
from server.sections import ProviderSettings
from server.settings import Settings
from tests.server.api.clients.shape import misfits
from tests.server.api.clients.voiceos import CONVERSATION, VoiceOS
from tests.server.api.conftest import OURS, Stored
from tests.server.api.curl import run
from tests.server.api.reference import curl_of, reference

HOST = "https://api.voiceos.io"
TO = "+14155551234"
BODY = {"from_number": OURS, "to_number": TO, "agent_config": {"prompt": "Confirm the order."}}
FILLED = (
    ('"from_number": "<string>"', f'"from_number": "{OURS}"'),
    ('"to_number": "<string>"', f'"to_number": "{TO}"'),
    ('"agent_id": "<string>"', '"agent_id": null'),
    ('"url": "<string>"', '"url": "https://example.com/hook"'),
    ('"filter": "<string>"', '"filter": "event.type"'),
    ('"name": "<string>"', '"name": "look_up"'),
)
"""Placeholders of the document that stand for something of a certain form."""


@pytest.fixture
def settings(settings: Settings) -> Settings:
    providers = ProviderSettings(voice={"playht": "default", "azure/jenny": "en-gb+f2"})
    return settings.model_copy(update={"providers": providers})


@pytest.fixture
async def client(node: Any) -> VoiceOS:
    return VoiceOS(node.url, node.key, node.client)


async def ended(client: VoiceOS, node: Any, call_id: str) -> dict[str, Any]:
    async with node.client.get(f"/v1/calls/{call_id}/events") as answer:
        await answer.read()
    return (await client.get(call_id))[1]


@pytest.mark.documents
async def test_the_documents_own_example_is_taken_once_its_placeholders_are_filled(
    node: Any, tmp_path: Path, phone: Any
) -> None:
    command = curl_of(reference("voiceos-create-phone-call.txt"), "create_phone_call")
    for placeholder, value in FILLED:
        assert placeholder in command
        command = command.replace(placeholder, value)
    answer = await run(command, HOST, node.url, node.key, tmp_path)
    assert answer.status == 200, answer.body
    assert misfits(answer.body, CONVERSATION) == []
    sent = json.loads(command.partition("--data '")[2].rstrip("'"))["agent_config"]
    assert answer.body["agent_config"] == sent | {
        "hooks": [{**sent["hooks"][0], "instructions": [
            {"instruction": "hang_up", "text": None, "to": None, "digits": None}
        ]}]
    }  # fmt: skip


@pytest.mark.documents
async def test_the_documents_placeholders_are_refused_by_name(node: Any, tmp_path: Path) -> None:
    command = curl_of(reference("voiceos-create-phone-call.txt"), "create_phone_call")
    answer = await run(command, HOST, node.url, node.key, tmp_path)
    assert (answer.status, answer.body["code"]) == (400, "validation-failed")
    assert {error["field"] for error in answer.body["errors"]} == {
        "from_number",
        "to_number",
        "agent_config.language_model.tools.0.function.name",
        "agent_config.webhooks.0.url",
    }


async def test_what_is_not_said_has_the_documents_default(client: VoiceOS) -> None:
    _, conversation = await client.create_phone_call(BODY)
    config = conversation["agent_config"]
    assert config["voice"] == {
        "provider": "playht",
        "credential_id": None,
        "model": "susan",
        "speed": 1,
        "temperature": 1,
        "text_guidance": 1.5,
        "style_guidance": 15.5,
    }
    assert config["language_model"] == {
        "provider": "openai",
        "credential_id": None,
        "model": "gpt-3.5-turbo",
        "tools": [],
        "temperature": 0,
        "max_tokens": 300,
    }
    assert config["transcriber"] == {
        "provider": "deepgram",
        "credential_id": None,
        "model": "nova-2",
        "language": "en",
        "keywords": [],
    }
    assert config["max_duration_seconds"] == 600


async def test_the_configuration_reaches_the_request(client: VoiceOS, store: CallStore) -> None:
    config = {
        "initial_message": "Hello there.",
        "prompt": "Confirm the order.",
        "voice": {"speed": 1.25},
        "language_model": {
            "temperature": 0.5,
            "max_tokens": 50,
            "tools": [{"type": "function", "function": {"name": "look_up", "parameters": {}}}],
        },
        "transcriber": {"language": "en", "keywords": ["Vello"]},
        "max_duration_seconds": 120,
        "webhooks": [{"events": ["conversation:ended"], "url": "https://example.com/hook"}],
        "hooks": [
            {
                "events": ["message:sent"],
                "filter": "data.content",
                "instructions": [{"instruction": "hang_up"}],
            }
        ],
        "metadata": {"order": 7},
    }
    _, conversation = await client.create_phone_call({**BODY, "agent_config": config})
    asked = await store.request(conversation["id"])
    agent = asked.agent
    assert agent is not None
    assert agent.voice is not None
    assert agent.language_model is not None
    assert agent.transcriber is not None
    assert agent.voice.speed == 1.25
    assert agent.language_model.system_prompt == "Confirm the order."
    assert (agent.language_model.temperature, agent.language_model.max_tokens) == (0.5, 50)
    assert agent.transcriber.keywords == ("Vello",)
    assert agent.first_message == "Hello there."
    assert agent.max_duration_s == 120
    assert [tool.function.name for tool in agent.tools or ()] == ["look_up"]
    assert [hook.url for hook in agent.webhooks or ()] == ["https://example.com/hook"]
    assert [hook.events for hook in agent.hooks or ()] == [("message:sent",)]
    assert conversation["agent_config"]["metadata"] == {"order": 7}


async def test_a_provider_stands_for_the_voice_that_the_operator_chose(
    client: VoiceOS, store: CallStore
) -> None:
    config = {"prompt": "Hi.", "voice": {"provider": "azure", "model": "jenny"}}
    _, conversation = await client.create_phone_call({**BODY, "agent_config": config})
    asked = await store.request(conversation["id"])
    assert asked.agent is not None
    assert asked.agent.voice is not None
    assert asked.agent.voice.voice_id == "en-gb+f2"
    assert conversation["agent_config"]["voice"]["provider"] == "azure"


@pytest.mark.parametrize(
    ("port", "provider"),
    [("voice", "elevenlabs"), ("transcriber", "azure"), ("language_model", "anthropic")],
)
async def test_a_provider_that_nothing_stands_for_is_a_clear_400(
    client: VoiceOS, phone: Any, port: str, provider: str
) -> None:
    config = {"prompt": "Hi.", port: {"provider": provider}}
    status, got = await client.create_phone_call({**BODY, "agent_config": config})
    assert (status, got["code"]) == (400, "validation-failed")
    assert got["errors"][0]["field"] == f"agent_config.{port}.provider"
    assert f"providers.{port}" in got["errors"][0]["message"]
    assert phone.dialled == []


async def test_a_stored_agent_is_used_where_no_configuration_is_given(
    client: VoiceOS, stored: Stored
) -> None:
    body = {"from_number": OURS, "to_number": TO, "agent_id": stored.agent, "agent_config": None}
    _, conversation = await client.create_phone_call(body)
    assert conversation["agent_id"] == stored.agent
    assert conversation["agent_config"]["initial_message"] == "Hello from the stored agent."
    assert conversation["agent_config"]["prompt"] == "You confirm appointments."


async def test_a_configuration_lies_over_the_stored_agent(client: VoiceOS, stored: Stored) -> None:
    body = {**BODY, "agent_id": stored.agent, "agent_config": {"voice": {"speed": 1.5}}}
    _, conversation = await client.create_phone_call(body)
    assert conversation["agent_config"]["voice"]["speed"] == 1.5
    assert conversation["agent_config"]["initial_message"] == "Hello from the stored agent."


async def test_neither_agent_nor_configuration_is_a_400(client: VoiceOS) -> None:
    body = {"from_number": OURS, "to_number": TO, "agent_id": None}
    status, got = await client.create_phone_call(body)
    assert (status, got["errors"][0]["field"]) == (400, "agent_config")


async def test_a_conversation_that_is_over_has_its_record(client: VoiceOS, node: Any) -> None:
    _, placed = await client.create_phone_call(BODY)
    assert (placed["status"], placed["started_at"], placed["ended_reason"]) == (
        "queued",
        None,
        None,
    )
    conversation = await ended(client, node, placed["id"])
    assert (conversation["status"], conversation["ended_reason"]) == ("ended", "agent_ended")
    assert conversation["phone_call"] == {
        "provider": "sip",
        "to_number": TO,
        "from_number": OURS,
    }
    assert [message["role"] for message in conversation["messages"]] == ["assistant", "user"]
    assert conversation["type"] == "outbound_phone_call"
    assert [one["id"] for one in await client.list()] == [placed["id"]]


@pytest.mark.parametrize(
    ("reason", "theirs"),
    [("user_hangup", "user_ended"), ("dial_busy", "unknown"), ("engine_error", "unknown")],
)
async def test_reasons_are_told_in_the_documents_words(
    client: VoiceOS, node: Any, phone: Any, reason: str, theirs: str
) -> None:
    phone.endings = [reason]
    _, placed = await client.create_phone_call(BODY)
    assert (await ended(client, node, placed["id"]))["ended_reason"] == theirs


async def test_a_conversation_is_ended(client: VoiceOS, node: Any, phone: Any) -> None:
    phone.lasting = True
    _, placed = await client.create_phone_call(BODY)
    assert (await client.end(placed["id"]))[0] == 200
    assert (await ended(client, node, placed["id"]))["status"] == "ended"
    assert (await client.end(placed["id"]))[0] == 409


async def test_what_has_no_effect_is_told_in_the_header(node: Any) -> None:
    config = {"prompt": "Hi.", "voice": {"style_guidance": 3}, "mood": "gay"}
    body = {**BODY, "agent_config": config}
    async with node.client.post("/conversations/create_phone_call", json=body) as answer:
        assert answer.status == 200
        assert answer.headers.getall("X-Offhook-Warning") == [
            "unknown-field:agent_config.mood",
            "no-effect:agent_config.voice.style_guidance",
        ]
