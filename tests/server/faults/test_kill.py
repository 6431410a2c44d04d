"""A node that is killed between any two steps: nobody is dialled twice, nothing is lost."""

import asyncio
import os
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from time import perf_counter
from typing import Any

import pytest
from aiohttp import ClientError, web

from server.errors import ServerError
from server.sections import WebhookSettings
from server.settings import Settings
from tests.server.faults.answering import Answering, answering
from tests.server.faults.dying_node import STEPS
from tests.server.faults.forked import PATIENCE_S, ForkedNode, forked_node
from tests.server.real_node import new_key, scripted_peer, settings, until

RANDOM_KILLS = int(os.environ.get("OFFHOOK_KILLS", "8"))
"""Places that are tried at random; more of them where somebody has the time."""


@dataclass
class Ordeal:
    """One data folder, the nodes that die over it, and all that others saw of them."""

    configured: Settings
    key: str
    callee: Answering
    url: str
    came: list[tuple[str, str]]
    """Id and event of every webhook."""
    placed: list[str] = field(default_factory=list)
    """The calls whose client was told of them."""
    numbers: int = 0

    def node(self) -> AbstractAsyncContextManager[ForkedNode]:
        """Start a node on what the last one left."""
        return forked_node(self.configured, self.key)

    async def place(self, node: ForkedNode) -> None:
        """Ask for a call to a number of its own; the node may die meanwhile."""
        self.numbers += 1
        body = {
            "to": f"+1416555{self.numbers:04d}",
            "objective": "say good morning",
            "webhooks": [{"url": self.url, "events": ["call.*"]}],
        }
        try:
            self.placed.append((await node.client.place(body))["id"])
        except (ServerError, ClientError):
            await node.died()

    async def settled(self, node: ForkedNode) -> list[dict[str, Any]]:
        """Every call, once all have ended and all webhooks have come."""
        calls = (await node.client.request("GET", "/v1/calls?limit=100"))["data"]
        records = [await node.client.finished(call["id"], PATIENCE_S) for call in calls]
        assert set(self.placed) <= {call["id"] for call in calls}
        await until(lambda: all(status == "delivered" for *_, status in self.owed()), PATIENCE_S)
        return records

    def owed(self) -> list[tuple[str, str, str, str]]:
        """Of each webhook: id, call, event, status."""
        path = self.configured.data.dir / "offhook.sqlite3"
        with closing(sqlite3.connect(path)) as connection:
            query = "SELECT id, call_id, event, status FROM webhook_deliveries"
            return connection.execute(query).fetchall()

    def is_sound(self, records: list[dict[str, Any]]) -> None:
        """Nobody was dialled twice, every call ended, every webhook came under one id."""
        assert max(self.callee.dialled.values()) == 1
        for record in records:
            assert record["ended_reason"] in ("node_lost", "user_hangup", "agent_hangup")
        assert {name for name, _ in self.came} == {name for name, *_ in self.owed()}
        ends = Counter(call_id for _, call_id, event, _ in self.owed() if event == "call.ended")
        assert ends == Counter(record["id"] for record in records)


@pytest.fixture
async def ordeal(tmp_path: Path) -> AsyncIterator[Ordeal]:
    async with scripted_peer() as peer, answering(peer) as callee, receiver() as (url, came):
        webhooks = WebhookSettings(allow=("127.0.0.1",), allow_http=True)
        configured = settings(tmp_path, peer.port, webhooks=webhooks)
        key = await new_key(configured.data.database)
        yield Ordeal(configured, key, callee, url, came)


@asynccontextmanager
async def receiver() -> AsyncIterator[tuple[str, list[tuple[str, str]]]]:
    """A webhook receiver on loopback: its URL, and the ids and types that came."""
    came: list[tuple[str, str]] = []

    async def take(request: web.Request) -> web.Response:
        came.append((request.headers["webhook-id"], (await request.json())["type"]))
        return web.Response()

    application = web.Application()
    application.router.add_post("/", take)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/", came
    finally:
        await runner.cleanup()


@pytest.mark.timeout(900)
async def test_a_node_killed_at_each_step_dials_nobody_twice_and_ends_every_call(
    ordeal: Ordeal,
) -> None:
    for number, step in enumerate(STEPS):
        async with ordeal.node() as node:
            assert len(await ordeal.settled(node)) == number
            await node.is_to_die_at(step)
            await ordeal.place(node)
            await node.died()
    async with ordeal.node() as node:
        records = await ordeal.settled(node)
    ordeal.is_sound(records)
    assert len(records) == len(STEPS)


@pytest.mark.timeout(300 + 60 * RANDOM_KILLS)
async def test_a_node_killed_at_any_moment_dials_nobody_twice_and_ends_every_call(
    ordeal: Ordeal,
) -> None:
    random = Random(13)
    async with ordeal.node() as node:
        begun = perf_counter()
        await ordeal.place(node)
        await ordeal.settled(node)
        life_s = perf_counter() - begun
    for number in range(RANDOM_KILLS):
        async with ordeal.node() as node:
            placing = asyncio.create_task(ordeal.place(node))
            if number % 2:  # else most would die before the call is taken on
                await placing
            await asyncio.sleep(random.uniform(0.0, life_s))
            await node.dies()
            await placing
    async with ordeal.node() as node:
        records = await ordeal.settled(node)
    ordeal.is_sound(records)


@pytest.mark.timeout(300)
async def test_whoever_was_on_the_line_is_let_go_once_and_before_the_node_is_ready(
    ordeal: Ordeal,
) -> None:
    ordeal.callee.hangs_up = False
    async with ordeal.node() as node:
        await node.is_to_die_at("talking")
        await ordeal.place(node)
        await node.died()
    assert ordeal.callee.let_go == []
    async with ordeal.node() as node:
        for _ in range(10):  # what was sent before the node was ready has arrived
            await asyncio.sleep(0)
        assert ordeal.callee.let_go == ["+14165550001"]
        (record,) = await ordeal.settled(node)
    byes = [method for method, _ in ordeal.callee.peer.endpoint.requests if method == b"BYE"]
    assert record["ended_reason"] == "node_lost"
    assert len(byes) == 1
