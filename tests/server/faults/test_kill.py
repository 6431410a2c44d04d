"""A node that is killed between any two steps: nobody is dialled twice, nothing is lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from bench.node_process import NodePlan, running_node
from tests.server.real_node import NUMBER, Peer, scripted_peer, until

PATIENCE_S = 60.0
STEPS = (
    "admitted",
    "begun",
    "inviting",
    "answered",
    "conversed",
    "kept",
    "concluded",
)
"""Places in the life of a call, by the names that `tests.server.faults.dying_node` knows."""


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


def plan_of(folder: Path, peer: Peer, module: str) -> NodePlan:
    """A node that may call webhooks on loopback."""
    more = '[webhooks]\nallow = ["127.0.0.1"]\nallow_http = true\n'
    return NodePlan(folder, folder / "node.log", peer.port, module=module, more=more)


@pytest.mark.parametrize("step", STEPS)
async def test_a_node_killed_at_a_step_dials_nobody_twice_and_ends_every_call(
    tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with scripted_peer() as peer, receiver() as (url, came):
        answering = asyncio.create_task(answer_all(peer))
        monkeypatch.setenv("DIES_AT", step)
        dying = plan_of(tmp_path, peer, "tests.server.faults.dying_node")
        body: dict[str, Any] = {
            "to": NUMBER,
            "objective": "say good morning",
            "webhooks": [{"url": url, "events": ["call.*"]}],
        }
        async with running_node(dying) as node:
            placing = asyncio.create_task(node.client.place(body))
            await until(lambda: not node.process.running, PATIENCE_S)
            placing.cancel()
            await asyncio.gather(placing, return_exceptions=True)
        monkeypatch.delenv("DIES_AT")
        async with running_node(plan_of(tmp_path, peer, "server.cli")) as node:
            (call,) = (await node.client.request("GET", "/v1/calls"))["data"]
            record = await node.client.finished(call["id"], PATIENCE_S)
            await until(lambda: "call.ended" in {kind for _, kind in came}, PATIENCE_S)
        answering.cancel()
        invites = [line for line in peer.endpoint.received if line.startswith("INVITE")]
    assert len(invites) <= 1
    assert record["ended_reason"] in ("node_lost", "user_hangup", "agent_hangup")
    assert len({delivery for delivery, kind in came if kind == "call.ended"}) == 1


async def answer_all(peer: Peer) -> None:
    """Take every call, and hang up a moment later."""
    while True:
        with suppress(TimeoutError):  # nobody calls while a node starts
            invite, phone = await peer.picks_up()
            await phone.hears()
            peer.hangs_up(invite)
