"""The native face, over a socket."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from server.calls.workflow import CallWorkflow
from server.settings import Settings

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
