"""Refusals in the audit: every one of a key, those of strangers in bulk."""

import asyncio
from typing import Any

import aiohttp
import pytest

from server.api.refusals import Refusals
from server.calls.audit import AuditLog
from server.calls.store import CallStore


async def rows(store: CallStore) -> list[Any]:
    found = await AuditLog(store.engine).list(limit=200)
    return [(row["key_id"], row["data"]) for row in reversed(found)]


async def test_many_strangers_are_two_rows(store: CallStore) -> None:
    refusals = Refusals(AuditLog(store.engine))
    for number in range(50):
        await refusals.of_stranger(None, f"192.0.2.{number}", "GET /v1/calls")
    assert await rows(store) == [
        (
            None,
            {"addresses": ["192.0.2.0"], "code": "unauthorized", "route": "GET /v1/calls"},
        )
    ]
    await refusals.close()
    (_, (key_id, told)) = await rows(store)
    assert (key_id, told["count"], len(told["addresses"])) == (None, 49, 10)


async def test_one_stranger_is_one_row(store: CallStore) -> None:
    refusals = Refusals(AuditLog(store.engine))
    await refusals.of_stranger(None, "192.0.2.1", "GET /v1/calls")
    await refusals.close()
    assert len(await rows(store)) == 1


async def test_the_count_is_written_when_the_minute_is_over(
    store: CallStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.api.refusals.WINDOW_S", 0.0)
    refusals = Refusals(AuditLog(store.engine))
    await asyncio.gather(
        *(refusals.of_stranger(None, "192.0.2.1", "GET /v1/calls") for _ in range(3))
    )
    async with asyncio.timeout(20):
        while len(found := await rows(store)) < 2:
            pass
    assert {data.get("count") for _, data in found} == {None, 2}
    await refusals.close()


async def test_each_refusal_of_a_key_is_a_row(store: CallStore) -> None:
    refusals = Refusals(AuditLog(store.engine))
    for _ in range(5):
        await refusals.of_key("k1", "POST /v1/calls", "the key lacks the scope voice:call")
    assert [key_id for key_id, _ in await rows(store)] == ["k1"] * 5


async def test_a_flood_over_http_leaves_one_row_and_no_secret(node: Any, store: CallStore) -> None:
    headers = {"Authorization": "Bearer ohk_guessed_secret"}
    async with aiohttp.ClientSession(node.url, headers=headers) as stranger:
        for number in range(20):
            async with stranger.get(f"/v1/calls/{number}?token=secret") as answer:
                assert answer.status == 401
    ((key_id, data),) = await rows(store)
    assert key_id is None
    assert data["route"] == "GET /v1/calls/0"
    assert "secret" not in str(data)
