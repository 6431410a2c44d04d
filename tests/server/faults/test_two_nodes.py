"""Two nodes on one PostgreSQL database: each can do what the other is asked for."""

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bench.node_process import NodePlan, RunningNode, running_node
from tests.server.faults.test_kill import answer_all
from tests.server.postgresql import postgresql_server
from tests.server.real_node import NUMBER, Peer, scripted_peer, until

OTHER = "+14165550124"
TAKEN_OVER_S = 45.0


@pytest.fixture
def database() -> Iterator[str]:
    if shutil.which("initdb") is None:
        pytest.skip("PostgreSQL is not installed")
    with postgresql_server() as url:
        yield url


def plan_of(folder: Path, peer: Peer, database: str, calls: int = 20) -> NodePlan:
    return NodePlan(
        folder, folder / "node.log", peer.port, concurrent_calls=calls, postgresql=database
    )


@asynccontextmanager
async def two_nodes(
    folder: Path, peer: Peer, database: str, calls: int = 20
) -> AsyncIterator[tuple[RunningNode, RunningNode]]:
    async with (
        running_node(plan_of(folder / "a", peer, database, calls)) as first,
        running_node(plan_of(folder / "b", peer, database, calls)) as second,
    ):
        yield first, second


async def test_a_call_is_watched_and_hung_up_through_another_node(
    tmp_path: Path, database: str
) -> None:
    async with scripted_peer() as peer, two_nodes(tmp_path, peer, database) as (first, second):
        placed = await first.client.place({"to": NUMBER, "objective": "say good morning"})
        _, phone = await peer.picks_up()
        await phone.hears()
        seen = []
        async with asyncio.timeout(TAKEN_OVER_S):
            async for event in second.client.events(placed["id"]):
                seen.append(event["type"])
                if event["data"].get("status") == "in-progress":
                    await second.client.hang_up(placed["id"])
        await peer.hung_up_on()
        record = await second.client.finished(placed["id"], 20)
    assert record["ended_reason"] == "agent_hangup"
    assert seen[-1] == "call.ended"


async def test_calls_of_a_node_that_was_killed_are_closed_or_carried_on_by_the_other(
    tmp_path: Path, database: str
) -> None:
    async with (
        scripted_peer() as peer,
        two_nodes(tmp_path, peer, database, calls=1) as (first, second),
    ):
        talking = await first.client.place({"to": NUMBER, "objective": "say good morning"})
        _, phone = await peer.picks_up()
        await phone.hears()
        waiting = await first.client.place({"to": OTHER, "objective": "say good morning"})
        os.kill(first.process.pid, signal.SIGKILL)
        answering = asyncio.create_task(answer_all(peer))
        lost = await second.client.finished(talking["id"], TAKEN_OVER_S)
        carried_on = await second.client.finished(waiting["id"], TAKEN_OVER_S)
        answering.cancel()
        invites = [line for line in peer.endpoint.received if line.startswith("INVITE")]
        await until(lambda: "BYE" in peer.methods)
    assert lost["ended_reason"] == "node_lost"
    assert carried_on["ended_reason"] == "user_hangup"
    assert len({line.split(" ")[1] for line in invites}) == len(invites) == 2
