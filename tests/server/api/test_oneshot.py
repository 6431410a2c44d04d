"""OneShot's face, by a client that knows its document only."""

from pathlib import Path
from typing import Any

import aiohttp
import pytest

from server.calls.store import CallStore
from tests.server.api.clients.oneshot import EXECUTION, OneShot
from tests.server.api.clients.shape import misfits
from tests.server.api.curl import run
from tests.server.api.reference import curl_of, reference

HOST = "https://win.oneshotagent.com"
BODY = {"objective": "Make a dinner reservation for 2", "target_number": "+14155551234"}


@pytest.fixture
async def client(node: Any) -> OneShot:
    return OneShot(node.url, node.key, "0xYourWalletAddress", node.client)


@pytest.mark.documents
async def test_the_documents_own_example_places_its_call(
    node: Any, tmp_path: Path, phone: Any
) -> None:
    command = curl_of(reference("oneshot-voice-call.txt"), "second page of the same API")
    answer = await run(command, HOST, node.url, node.key, tmp_path)
    assert answer.status == 202, answer.body
    assert misfits(answer.body, EXECUTION) == []
    assert answer.body["target_numbers"] == ["+14155551234"]
    assert phone.tasks[0].goal.startswith("Call the restaurant to make a dinner reservation")
    assert phone.tasks[0].persona == "A polite assistant making a reservation"
    assert phone.tasks[0].context == "Italian restaurant, prefer outdoor seating"


async def test_the_result_of_a_completed_call_has_the_documents_fields(client: OneShot) -> None:
    _, accepted = await client.voice(BODY)
    result = await client.result(accepted["request_id"])
    assert result["transcript"] == "Agent: Hi, this is\nCallee: Hello?"
    assert result["success_evaluation"] in ("pass", "fail")
    assert result["duration_seconds"] == 30.0
    assert result["summary"]


async def test_a_call_that_goes_on_is_processing(client: OneShot, node: Any, phone: Any) -> None:
    phone.lasting = True
    _, accepted = await client.voice(BODY)
    async with node.client.get(f"/v1/requests/{accepted['request_id']}") as answer:
        job = await answer.json()
    assert job["status"] == "processing"
    assert job["success_evaluation"] is None
    async with node.client.post(
        f"/v1/calls/{accepted['request_id']}/actions", json={"action": "hang_up"}
    ) as answer:
        assert answer.status == 202


@pytest.mark.parametrize(("minutes", "seconds"), [(None, 300), (1, 60), (30, 1800)])
async def test_minutes_bound_the_call_five_unless_said(
    client: OneShot, store: CallStore, minutes: int | None, seconds: int
) -> None:
    body = BODY if minutes is None else {**BODY, "max_duration_minutes": minutes}
    _, accepted = await client.voice(body)
    asked = await store.request(accepted["request_id"])
    assert asked.max_duration_s == seconds


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"objective": "Too short"}, "objective"),
        ({"objective": None}, "objective"),
        ({"target_number": "4155551234"}, "target_number"),
        ({"target_number": []}, "target_number"),
        ({"max_duration_minutes": 0}, "max_duration_minutes"),
        ({"max_duration_minutes": 31}, "max_duration_minutes"),
        ({"max_duration_minutes": 5.5}, "max_duration_minutes"),
    ],
)
async def test_an_invalid_request_names_the_field(
    client: OneShot, changes: dict[str, Any], field: str
) -> None:
    status, got = await client.voice({**BODY, **changes})
    assert (status, got["code"]) == (400, "invalid_request")
    assert got["errors"][0]["field"] == field


async def test_ten_characters_are_an_objective(client: OneShot) -> None:
    assert (await client.voice({**BODY, "objective": "Book table"}))[0] == 202


@pytest.mark.parametrize("number", ["911", "112", "+1911", "+19115550123"])
async def test_an_emergency_number_is_blocked(client: OneShot, phone: Any, number: str) -> None:
    status, got = await client.voice({**BODY, "target_number": number})
    assert (status, got["code"]) == (403, "emergency_number_blocked")
    assert phone.dialled == []


async def test_an_objective_that_does_harm_is_blocked(client: OneShot, phone: Any) -> None:
    body = {**BODY, "objective": "Threaten to hurt his family unless he pays today."}
    status, got = await client.voice(body)
    assert (status, got["code"]) == (403, "content_blocked")
    assert phone.dialled == []


async def test_an_unknown_field_is_ignored_and_told_in_the_header(node: Any) -> None:
    body = {**BODY, "urgency": "high"}
    async with node.client.post("/v1/tools/voice/call", json=body) as answer:
        assert answer.status == 202
        assert answer.headers.getall("X-Offhook-Warning") == ["unknown-field:urgency"]


async def test_errors_have_this_documents_spelling(client: OneShot, node: Any) -> None:
    async with node.client.get("/v1/requests/call_0") as answer:
        assert (answer.status, (await answer.json())["code"]) == (404, "not_found")
    async with node.client.post("/v1/tools/voice/call", data=b"{") as answer:
        assert (await answer.json())["code"] == "unsupported_media_type"


async def test_where_nothing_is_paid_a_wallet_is_no_key(node: Any, phone: Any) -> None:
    wallet = {"X-Agent-ID": "0x" + "a" * 40}
    async with (
        aiohttp.ClientSession(node.url, headers=wallet) as anyone,
        anyone.post("/v1/tools/voice/call", json=BODY) as answer,
    ):
        assert answer.status == 401
    assert phone.dialled == []
