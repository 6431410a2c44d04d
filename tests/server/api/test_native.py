"""The native face, over a socket."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from server.api.keys import KeyRing
from server.calls.documents import Deployments
from server.calls.origin import Deployment
from server.calls.store import CallStore
from server.calls.workflow import CallWorkflow
from server.settings import Settings
from tests.server.api.conftest import OURS

TO = "+14165550123"
OBJECTIVE = {"to": TO, "objective": "Book a table for two"}


async def place(node: Any, **fields: object) -> dict[str, Any]:
    async with node.client.post("/v1/calls", json={**OBJECTIVE, **fields}) as answer:
        assert answer.status == 201, await answer.text()
        call: dict[str, Any] = await answer.json()
        return call


async def ended(node: Any, call_id: str) -> dict[str, Any]:
    async with node.client.get(f"/v1/calls/{call_id}/events") as answer:
        await answer.read()
    async with node.client.get(f"/v1/calls/{call_id}") as answer:
        call: dict[str, Any] = await answer.json()
        return call


async def events(answer: aiohttp.ClientResponse) -> list[tuple[int, dict[str, Any]]]:
    blocks = (await answer.text()).strip().split("\n\n")
    found = []
    for block in blocks:
        fields = dict(line.split(": ", 1) for line in block.splitlines())
        found.append((int(fields["id"]), json.loads(fields["data"])))
    return found


async def test_a_call_is_answered_201_with_its_record_and_place(node: Any) -> None:
    async with node.client.post("/v1/calls", json=OBJECTIVE) as answer:
        call = await answer.json()
        assert answer.status == 201
        assert answer.headers["Location"] == f"/v1/calls/{call['id']}"
    assert call["status"] == "queued"
    assert call["to"] == TO
    assert call["created_at"].endswith("Z")
    assert call["warnings"] == []


@pytest.mark.parametrize("to", ["911", "112", "+1911", "sip:911@pbx.example.com", ["+1911"]])
async def test_an_emergency_number_is_refused_before_anything_else(
    node: Any, phone: Any, to: str | list[str]
) -> None:
    async with node.client.post("/v1/calls", json={"to": to, "objective": ""}) as answer:
        problem = await answer.json()
    assert (answer.status, problem["code"]) == (403, "emergency-number-blocked")
    assert problem["errors"][0]["field"] == "to"
    assert phone.dialled == []


async def test_a_finished_call_has_the_whole_record(node: Any) -> None:
    call = await ended(node, (await place(node, metadata={"order": 7}))["id"])
    assert call["status"] == "ended"
    assert call["ended_reason"] == "agent_hangup"
    assert (call["sip_status"], call["sip_reason"]) == (200, "OK")
    assert call["duration_s"] == 30.0
    assert call["answered_by"] == "human"
    assert call["transcript"] == "Agent: Hi, this is\nCallee: Hello?"
    assert call["messages"][0]["interrupted"] is True
    assert call["messages"][0]["heard"] == "Hi, this is"
    assert call["latency"] == {"voice_to_voice_ms": {"p50": 400.0, "n": 1}}
    assert call["quality"] == {"inbound": {"loss": 0.0, "mos": None}}
    assert call["tool_calls"] == [{"name": "end_call"}]
    assert call["warnings"] == ["late-media"]
    assert call["metadata"] == {"order": 7}
    assert isinstance(call["outcome"]["success"], bool)


async def test_an_unknown_script_and_missing_facts_are_warnings(node: Any) -> None:
    task = {"goal": "Collect", "script": "no-such"}
    call = await place(node, objective=None, task=task)
    assert call["warnings"] == ["script-not-found"]
    known = {"goal": "Collect", "script": "debt-collection", "facts": {"debtor_name": "Bobby"}}
    call = await place(node, objective=None, task=known)
    assert call["warnings"] == ["fact-missing:amount_due"]


async def test_events_are_numbered_and_end_with_the_call(node: Any) -> None:
    call = await place(node)
    async with node.client.get(f"/v1/calls/{call['id']}/events") as answer:
        assert answer.content_type == "text/event-stream"
        found = await events(answer)
    assert [number for number, _ in found] == [1, 2, 3, 4, 5, 6]
    assert [event["type"] for _, event in found] == [
        "status",
        "status",
        "status",
        "transcript.final",
        "call.analyzed",
        "call.ended",
    ]
    assert found[-1][1]["data"]["ended_reason"] == "agent_hangup"


async def test_events_are_followed_while_the_call_goes_on(node: Any, phone: Any) -> None:
    phone.lasting = True
    call = await place(node)
    async with node.client.get(f"/v1/calls/{call['id']}/events") as answer:
        seen: list[bytes] = []
        async for line in answer.content:
            if line.startswith(b"event: "):
                seen.append(line[7:].strip())
            if line.startswith(b"event: transcript.final"):
                action = {"action": "hang_up"}
                url = f"/v1/calls/{call['id']}/actions"
                async with node.client.post(url, json=action) as hung_up:
                    assert hung_up.status == 202
    assert seen[-3:] == [b"transcript.final", b"call.analyzed", b"call.ended"]


async def test_events_are_replayed_after_the_last_one_seen(node: Any) -> None:
    call = await place(node)
    await ended(node, call["id"])
    headers = {"Last-Event-ID": "3"}
    async with node.client.get(f"/v1/calls/{call['id']}/events", headers=headers) as answer:
        found = await events(answer)
    assert [number for number, _ in found] == [4, 5, 6]


async def test_a_last_event_id_that_is_no_number_is_refused(node: Any) -> None:
    call = await place(node)
    headers = {"Last-Event-ID": "three"}
    async with node.client.get(f"/v1/calls/{call['id']}/events", headers=headers) as answer:
        assert answer.status == 400
        assert (await answer.json())["errors"][0]["field"] == "Last-Event-ID"


async def test_a_call_that_is_over_cannot_be_hung_up(node: Any) -> None:
    call = await ended(node, (await place(node))["id"])
    url = f"/v1/calls/{call['id']}/actions"
    async with node.client.post(url, json={"action": "hang_up"}) as answer:
        assert answer.status == 409
        assert (await answer.json())["code"] == "call-over"


async def test_a_recording_is_served_as_wav(node: Any, phone: Any, settings: Settings) -> None:
    settings.data.recordings.mkdir()
    phone.recording = settings.data.recordings / "call.wav"
    phone.recording.write_bytes(b"RIFF....WAVE")
    call = await ended(node, (await place(node))["id"])
    async with node.client.get(call["recording_url"]) as answer:
        assert answer.status == 200
        assert answer.content_type == "audio/wav"
        assert await answer.read() == b"RIFF....WAVE"


async def test_a_call_without_recording_is_a_404(node: Any) -> None:
    call = await ended(node, (await place(node))["id"])
    assert call["recording_url"] is None
    async with node.client.get(f"/v1/calls/{call['id']}/recording") as answer:
        assert answer.status == 404


async def test_lists_are_newest_first_in_pages(node: Any) -> None:
    ids = [(await place(node))["id"] for _ in range(5)]
    seen: list[str] = []
    cursor = None
    while True:
        query = {"limit": "2", **({"cursor": cursor} if cursor else {})}
        async with node.client.get("/v1/calls", params=query) as answer:
            page = await answer.json()
        seen += [call["id"] for call in page["data"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == ids[::-1]


async def test_lists_are_filtered_by_status_and_number(node: Any) -> None:
    other = await place(node, to="+14165550199")
    first = await place(node)
    for call in (other, first):
        await ended(node, call["id"])

    async def listed(query: str) -> list[str]:
        async with node.client.get(f"{node.url}/v1/calls?{query}") as answer:
            return [call["id"] for call in (await answer.json())["data"]]

    assert await listed("number=%2B14165550199") == [other["id"]]
    assert await listed("number=+14165550199&status=ended") == [other["id"]]
    assert await listed("status=ringing") == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("cursor=nonsense", "cursor"),
        ("cursor=%FF", "cursor"),
        ("limit=0", "limit"),
        ("limit=many", "limit"),
        ("status=lost", "status"),
        ("colour=red", "colour"),
    ],
)
async def test_a_bad_list_query_is_refused(node: Any, query: str, field: str) -> None:
    async with node.client.get(f"{node.url}/v1/calls?{query}") as answer:
        problem = await answer.json()
    assert answer.status == 400
    assert problem["errors"][0]["field"] == field


async def test_a_node_that_shuts_down_takes_no_more_calls(
    node: Any, workflow: CallWorkflow
) -> None:
    await workflow.drain(1)
    async with node.client.post("/v1/calls", json=OBJECTIVE) as answer:
        assert answer.status == 503
        assert (await answer.json())["code"] == "draining"
        assert "Retry-After" in answer.headers


async def test_many_calls_at_once_all_get_their_record(node: Any) -> None:
    calls = await asyncio.gather(*(place(node) for _ in range(30)))
    records = await asyncio.gather(*(ended(node, call["id"]) for call in calls))
    assert {record["ended_reason"] for record in records} == {"agent_hangup"}
    assert len({record["id"] for record in records}) == 30


async def listed(node: Any, **query: str) -> list[str]:
    async with node.client.get("/v1/calls", params=query) as answer:
        assert answer.status == 200, await answer.text()
        return [call["id"] for call in (await answer.json())["data"]]


async def test_lists_are_filtered_by_agent_metadata_and_time(node: Any, stored: Any) -> None:
    plain = (await place(node))["id"]
    told = (await place(node, metadata={"order": 7, "shop": "a b"}))["id"]
    agent = (await place(node, agent_id=stored.agent))["id"]
    async with node.client.get(f"/v1/calls/{told}") as answer:
        created = (await answer.json())["created_at"]
    assert await listed(node, agent_id=stored.agent) == [agent]
    assert await listed(node, metadata="order:7") == [told]
    assert await listed(node, metadata="shop:a b") == [told]
    assert await listed(node, metadata="order:8") == []
    assert await listed(node, created_before=created) == [plain]
    assert await listed(node, created_after=created) == [agent, told]
    assert await listed(node, created_after="2026-01-01T00:00:00+02:00", limit="1") == [agent]


async def test_a_key_of_a_deployment_sees_only_its_own_calls(
    node: Any, stored: Any, store: CallStore
) -> None:
    other = (await place(node))["id"]
    key = await KeyRing(store.engine).create("bound", deployment_id=stored.deployment)
    headers = {"Authorization": f"Bearer {key}"}
    async with aiohttp.ClientSession(node.url, headers=headers) as client:
        async with client.post("/v1/calls", json=OBJECTIVE) as answer:
            own = await answer.json()
        assert (answer.status, own["deployment_id"], own["from"]) == (201, stored.deployment, OURS)
        async with client.get("/v1/calls") as answer:
            assert [call["id"] for call in (await answer.json())["data"]] == [own["id"]]
        for path in (f"/v1/calls/{other}", f"/v1/calls/{other}/events", f"/v1/requests/{other}"):
            async with client.get(path) as answer:
                assert answer.status == 404
        async with client.post("/v1/calls", json={**OBJECTIVE, "from": TO}) as answer:
            assert (answer.status, (await answer.json())["code"]) == (404, "not-found")


async def test_a_key_without_the_scope_is_forbidden(node: Any, store: CallStore) -> None:
    key = await KeyRing(store.engine).create("reader", ["calls:read"])
    headers = {"Authorization": f"Bearer {key}"}
    call = await place(node)
    async with aiohttp.ClientSession(node.url, headers=headers) as client:
        async with client.get(f"/v1/calls/{call['id']}") as answer:
            assert answer.status == 200
        async with client.post("/v1/calls", json=OBJECTIVE) as answer:
            assert (answer.status, (await answer.json())["code"]) == (403, "forbidden")
        async with client.delete(f"/v1/calls/{call['id']}") as answer:
            assert answer.status == 403


async def test_an_idempotency_key_is_good_for_one_call(node: Any, phone: Any) -> None:
    headers = {"Idempotency-Key": "one"}
    ids = set()
    for _ in range(3):
        async with node.client.post("/v1/calls", json=OBJECTIVE, headers=headers) as answer:
            assert answer.status == 201
            ids.add((await answer.json())["id"])
    assert len(ids) == len(phone.dialled) == 1
    other = {**OBJECTIVE, "objective": "Cancel the table"}
    async with node.client.post("/v1/calls", json=other, headers=headers) as answer:
        assert (answer.status, (await answer.json())["code"]) == (422, "idempotency-mismatch")


@pytest.mark.parametrize("key", ["", "x" * 256, "white space"])
async def test_an_idempotency_key_that_is_none_is_refused(node: Any, key: str) -> None:
    headers = {"Idempotency-Key": key}
    async with node.client.post("/v1/calls", json=OBJECTIVE, headers=headers) as answer:
        assert answer.status == 400
        assert (await answer.json())["errors"][0]["field"] == "Idempotency-Key"


@pytest.mark.parametrize(
    "body",
    [
        {"action": "say", "text": "One moment."},
        {"action": "inject", "text": "The price is 20 dollars."},
        {"action": "press", "digits": "12#"},
        {"action": "transfer", "to": "+14165550199"},
        {"action": "mute"},
        {"action": "unmute"},
        {"action": "hold"},
        {"action": "resume"},
        {"action": "pause_recording"},
        {"action": "resume_recording"},
    ],
)
async def test_an_action_reaches_the_call(node: Any, phone: Any, body: dict[str, str]) -> None:
    phone.lasting = True
    call = await place(node)
    async with node.client.post(f"/v1/calls/{call['id']}/actions", json=body) as answer:
        assert answer.status == 202, await answer.text()
    arguments = {name: value for name, value in body.items() if name != "action"}
    assert phone.acted == [(body["action"], arguments)]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"action": "dance"}, "body"),
        ({"action": "say"}, "say.text"),
        ({"action": "press", "digits": "x"}, "press.digits"),
        ({"action": "transfer", "to": "sip:a@b"}, "transfer.to"),
        ({"action": "mute", "text": "x"}, "mute.text"),
        ({}, "body"),
    ],
)
async def test_an_action_that_is_none_names_the_field(
    node: Any, body: dict[str, str], field: str
) -> None:
    call = await place(node)
    async with node.client.post(f"/v1/calls/{call['id']}/actions", json=body) as answer:
        problem = await answer.json()
    assert answer.status == 400
    assert problem["errors"][0]["field"] == field


async def test_a_scheduled_call_is_canceled(node: Any) -> None:
    call = await place(node, scheduled_at="2026-12-24T10:00:00-05:00")
    assert call["status"] == "scheduled"
    url = f"/v1/calls/{call['id']}/actions"
    async with node.client.post(url, json={"action": "cancel"}) as answer:
        assert answer.status == 202
    record = await ended(node, call["id"])
    assert (record["status"], record["ended_reason"]) == ("ended", "canceled")


async def test_an_erased_call_keeps_its_row_and_nothing_that_was_said(node: Any) -> None:
    call = await ended(node, (await place(node, metadata={"order": 7}))["id"])
    for _ in range(2):
        async with node.client.delete(f"/v1/calls/{call['id']}") as answer:
            assert answer.status == 204
    async with node.client.get(f"/v1/calls/{call['id']}") as answer:
        record = await answer.json()
    assert record["transcript"] is record["objective"] is None
    assert (record["messages"], record["metadata"]) == ([], {})
    assert record["ended_reason"] == "agent_hangup"
    async with node.client.get(f"/conversations/{call['id']}") as answer:
        assert (await answer.json())["agent_config"]["prompt"] is None


async def test_a_call_that_goes_on_cannot_be_erased(node: Any, phone: Any) -> None:
    phone.lasting = True
    call = await place(node)
    async with node.client.delete(f"/v1/calls/{call['id']}") as answer:
        assert (answer.status, (await answer.json())["code"]) == (409, "call-live")


async def test_a_deployment_that_is_not_set_up_places_no_call(
    node: Any, phone: Any, store: CallStore
) -> None:
    unready = Deployment(name="new", number="+16475550100", provisioned=False)
    await Deployments(store.engine).create("new", unready)
    async with node.client.post("/v1/calls", json={**OBJECTIVE, "from": unready.number}) as answer:
        assert (answer.status, (await answer.json())["code"]) == (409, "voice-not-provisioned")
    assert phone.dialled == []
