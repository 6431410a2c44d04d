"""Who may use the API."""

from typing import Any

import aiohttp
import pytest
from sqlalchemy import select, update

from server.api.keys import KeyRing
from server.calls.schema import api_keys
from server.calls.store import CallStore


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer ohk_",
        "Bearer ohk_x_y",
        "Basic dXNlcjpwYXNz",
        "Bearer \udcff",
    ],
)
async def test_a_request_without_a_valid_key_is_a_401(node: Any, header: str | None) -> None:
    headers = (
        {} if header is None else {"Authorization": header.encode("utf-8", "replace").decode()}
    )
    async with (
        aiohttp.ClientSession(node.url) as anyone,
        anyone.get("/v1/calls", headers=headers) as answer,
    ):
        problem = await answer.json(content_type="application/problem+json")
    assert (answer.status, problem["code"]) == (401, "unauthorized")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


async def test_a_key_with_the_right_id_and_another_secret_is_unknown(store: CallStore) -> None:
    ring = KeyRing(store.engine)
    key = await ring.create("mine")
    found = await ring.find(key)
    assert found is not None
    assert found.name == "mine"
    assert await ring.find(key[:-1] + ("A" if key[-1] != "A" else "B")) is None


async def test_keys_are_kept_as_a_hash_only(store: CallStore) -> None:
    key = await KeyRing(store.engine).create("mine")
    async with store.engine.connect() as connection:
        row = (await connection.execute(select(api_keys))).one()
    assert key.rpartition("_")[2] not in str(row)
    assert len(row.hash) == 64


async def test_the_first_key_is_made_only_once(store: CallStore) -> None:
    ring = KeyRing(store.engine)
    assert await ring.create_first() is not None
    assert await ring.create_first() is None


async def test_health_needs_no_key(node: Any) -> None:
    async with aiohttp.ClientSession(node.url) as anyone:
        async with anyone.get("/healthz") as answer:
            assert (answer.status, await answer.json()) == (200, {"status": "ok"})
        async with anyone.get("/readyz") as answer:
            assert answer.status == 200
            assert (await answer.json())["checks"]["database"] == "ok"


async def test_a_node_with_a_part_missing_is_not_ready(node: Any) -> None:
    node.checks["engines"] = "loading"
    async with node.client.get("/readyz") as answer:
        body = await answer.json()
    assert answer.status == 503
    assert body["checks"]["engines"] == "loading"


async def test_a_revoked_key_is_refused_when_its_trust_runs_out(
    store: CallStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring = KeyRing(store.engine)
    keys = [await ring.create(name) for name in ("lasting", "brief")]
    assert await ring.find(keys[0]) is not None
    monkeypatch.setattr("server.api.keys.TRUST_S", 0.0)
    assert await ring.find(keys[1]) is not None
    async with store.engine.begin() as connection:
        await connection.execute(update(api_keys).values(revoked_at="2026-01-31"))
    assert await ring.find(keys[0]) is not None
    assert await ring.find(keys[1]) is None
