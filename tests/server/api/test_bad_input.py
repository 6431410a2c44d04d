"""What the API refuses, and how."""

import asyncio
import gzip
import json
from typing import Any

import pytest

HOOK = {"events": ["call.*"], "instructions": [{"instruction": "hang_up"}]}
OBJECTIVE: dict[str, object] = {"to": "+14165550123", "objective": "Book a table for two"}
TASK: dict[str, object] = {"to": "+14165550123"}


async def refused(node: Any, body: object, status: int = 400) -> dict[str, Any]:
    async with node.client.post("/v1/calls", json=body) as answer:
        problem: dict[str, Any] = await answer.json(content_type="application/problem+json")
    assert answer.status == problem["status"] == status
    assert problem["type"] == f"urn:offhook:problem:{problem['code']}"
    assert problem["title"]
    assert problem["detail"]
    return problem


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({**OBJECTIVE, "colour": "red"}, "colour"),
        ({**OBJECTIVE, "hooks": [{**HOOK, "events": ["moon.rise"]}]}, "hooks.0"),
        ({**OBJECTIVE, "hooks": [{**HOOK, "filter": "import os"}]}, "hooks.0"),
        ({**OBJECTIVE, "task": {"goal": "x"}}, "body"),
        ({"to": "+14165550123"}, "body"),
        ({"objective": "x"}, "to"),
        ({**OBJECTIVE, "to": []}, "to"),
        ({**OBJECTIVE, "to": ["+14165550123", "+14165550124"]}, "to"),
        ({**OBJECTIVE, "to": None}, "to"),
        ({**OBJECTIVE, "to": 14165550123}, "to"),
        ({**OBJECTIVE, "to": "4165550123"}, "to"),
        ({**OBJECTIVE, "to": "+1 416 555 0123"}, "to"),
        ({**OBJECTIVE, "to": "+1416"}, "to"),
        ({**OBJECTIVE, "to": "+999999999999"}, "to"),
        ({**OBJECTIVE, "to": "+1416555012٣"}, "to"),
        ({**OBJECTIVE, "to": "sip:alice@example.com"}, "to"),
        ({**OBJECTIVE, "to": "sip:alice@example.com\r\nX: y"}, "to"),
        ({**OBJECTIVE, "to": "sip:a@b:99999"}, "to"),
        ({**OBJECTIVE, "to": "sip:alice@[::"}, "to"),
        ({**OBJECTIVE, "from": "anonymous"}, "from"),
        ({**OBJECTIVE, "objective": ""}, "objective"),
        ({**OBJECTIVE, "objective": "x" * 4001}, "objective"),
        ({**OBJECTIVE, "max_duration_s": 59}, "max_duration_s"),
        ({**OBJECTIVE, "max_duration_s": 1801}, "max_duration_s"),
        ({**OBJECTIVE, "max_duration_s": "300"}, "max_duration_s"),
        ({**OBJECTIVE, "record": "yes"}, "record"),
        ({**OBJECTIVE, "voice": {"speed": 9.0}}, "voice.speed"),
        ({**OBJECTIVE, "agent_name": "Ava\r\nX: y"}, "agent_name"),
        ({**OBJECTIVE, "agent_name": "x" * 81}, "agent_name"),
        ({**OBJECTIVE, "voicemail": {"action": "sing"}}, "voicemail.action"),
        ({**OBJECTIVE, "metadata": []}, "metadata"),
        ({**TASK, "task": {"facts": {}}}, "task.goal"),
        ({**TASK, "task": {"goal": "x", "facts": {"a": "y" * 501}}}, "task.facts.a"),
        ({**TASK, "task": {"goal": "x", "facts": {"a": ["y"]}}}, "task.facts.a"),
        ({**TASK, "task": {"goal": "x", "facts": {str(n): 1 for n in range(31)}}}, "task.facts"),
        (
            {**TASK, "task": {"goal": "x", "facts": {str(n): "y" * 400 for n in range(12)}}},
            "task",
        ),
        ([OBJECTIVE], "body"),
        ("call", "body"),
    ],
)
async def test_a_request_that_breaks_the_contract_names_the_field(
    node: Any, phone: Any, body: object, field: str
) -> None:
    problem = await refused(node, body)
    assert problem["code"] == "validation-failed"
    assert [error["field"] for error in problem["errors"]] == [field]
    assert phone.dialled == []


async def test_every_broken_field_is_named_at_once(node: Any) -> None:
    problem = await refused(node, {"to": "x", "objective": "", "colour": 1})
    assert {error["field"] for error in problem["errors"]} == {"to", "objective", "colour"}


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"{'to': 1}",
        b'{"to": NaN}',
        b"\xff\xfe",
        b'{"to": "\\ud800"}',
        b"[" * 17 + b"]" * 17,
        b"[" * 60_000,
        b'{"a":' * 10_000,
        b'{"metadata": {"n": ' + b"9" * 5000 + b"}}",
    ],
)
async def test_a_body_that_is_no_json_is_a_problem(node: Any, raw: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    async with node.client.post("/v1/calls", data=raw, headers=headers) as answer:
        problem = await answer.json(content_type="application/problem+json")
    assert (answer.status, problem["code"]) == (400, "invalid-json")


async def test_brackets_in_strings_are_not_depth(node: Any) -> None:
    body = {**OBJECTIVE, "context": '"[[[[[[[[[[[[[[[[[[[[{{{{\\'}
    async with node.client.post("/v1/calls", json=body) as answer:
        assert answer.status == 201


async def test_sixteen_levels_are_taken(node: Any) -> None:
    nested: object = 1
    for _ in range(14):
        nested = [nested]
    async with node.client.post(
        "/v1/calls", json={**OBJECTIVE, "metadata": {"deep": nested}}
    ) as answer:
        assert answer.status == 201
    problem = await refused(node, {**OBJECTIVE, "metadata": {"deep": [nested]}})
    assert problem["code"] == "invalid-json"


async def test_numbers_too_large_for_json_are_refused(node: Any) -> None:
    raw = json.dumps(OBJECTIVE)[:-1] + ', "metadata": {"n": 1e999}}'
    headers = {"Content-Type": "application/json"}
    async with node.client.post("/v1/calls", data=raw, headers=headers) as answer:
        problem = await answer.json(content_type="application/problem+json")
    assert (answer.status, problem["code"]) == (400, "validation-failed")


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded"])
async def test_another_content_type_is_a_415(node: Any, content_type: str) -> None:
    headers = {"Content-Type": content_type}
    async with node.client.post("/v1/calls", data=b"{}", headers=headers) as answer:
        problem = await answer.json(content_type="application/problem+json")
    assert (answer.status, problem["code"]) == (415, "unsupported-media-type")


async def test_a_body_above_64_kb_is_a_413(node: Any) -> None:
    problem = await refused(node, {**OBJECTIVE, "context": "x" * 66_000}, 413)
    assert problem["code"] == "request-entity-too-large"


async def test_a_compressed_bomb_is_a_413(node: Any) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    bomb = gzip.compress(b" " * 50_000_000)
    assert len(bomb) < 64_000
    async with node.client.post("/v1/calls", data=bomb, headers=headers) as answer:
        assert answer.status == 413
        assert answer.content_type == "application/problem+json"


async def test_a_body_that_is_not_encoded_as_it_says_is_a_400(node: Any) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    async with node.client.post("/v1/calls", data=b"plain", headers=headers) as answer:
        problem = await answer.json(content_type="application/problem+json")
    assert (answer.status, problem["code"]) == (400, "invalid-json")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/nothing", 404, "not-found"),
        ("GET", "/", 404, "not-found"),
        ("GET", "/v1/calls/call_0", 404, "not-found"),
        ("GET", "/v1/calls/call_0/events", 404, "not-found"),
        ("GET", "/v1/calls/call_0/recording", 404, "not-found"),
        ("PUT", "/v1/calls", 405, "method-not-allowed"),
    ],
)
async def test_what_is_not_there_is_a_problem(
    node: Any, method: str, path: str, status: int, code: str
) -> None:
    async with node.client.request(method, path) as answer:
        problem = await answer.json(content_type="application/problem+json")
    assert (answer.status, problem["code"]) == (status, code)
    if status == 405:
        assert "POST" in answer.headers["Allow"]


async def test_an_unknown_action_is_refused(node: Any) -> None:
    url = "/v1/calls/call_0/actions"
    async with node.client.post(url, json={"action": "sing"}) as answer:
        assert answer.status == 400
    async with node.client.post(url, json={"action": "hang_up"}) as answer:
        assert answer.status == 404


async def test_a_client_that_dawdles_over_its_header_is_cut_off(node: Any) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", node.port)
    writer.write(b"POST /v1/calls HTTP/1.1\r\nHost: x\r\n")
    assert await asyncio.wait_for(reader.read(), 10) == b""
    writer.close()


async def test_a_client_that_dawdles_over_its_body_gets_a_408(node: Any) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", node.port)
    key = node.client.headers["Authorization"]
    writer.write(
        b"POST /v1/calls HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Authorization: " + key.encode() + b"\r\nContent-Length: 100\r\n\r\n{"
    )
    assert (await asyncio.wait_for(reader.readline(), 10)).startswith(b"HTTP/1.1 408 ")
    writer.close()
