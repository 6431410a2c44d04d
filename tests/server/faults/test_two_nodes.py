"""Two nodes on one PostgreSQL database: each can do what the other is asked for."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr

from server.settings import DataSettings, LimitSettings, Settings
from tests.server.faults.answering import answering
from tests.server.faults.forked import PATIENCE_S, ForkedNode, forked_node
from tests.server.postgresql import postgresql_server
from tests.server.real_node import NUMBER, Peer, new_key, scripted_peer, settings, until

PLACES = 2
"""How many calls a node takes at a time."""
CALLS = 12

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def database() -> Iterator[str]:
    with postgresql_server() as url:
        yield url


def settings_of(folder: Path, peer: Peer, database: str, calls: int) -> Settings:
    limits = LimitSettings(concurrent_calls=calls)
    data = DataSettings(dir=folder / "data", postgresql=SecretStr(database))
    return settings(folder, peer.port, limits=limits).model_copy(update={"data": data})


@asynccontextmanager
async def two_nodes(
    folder: Path, peer: Peer, database: str, calls: int = 20
) -> AsyncIterator[tuple[ForkedNode, ForkedNode]]:
    one, other = (settings_of(folder / name, peer, database, calls) for name in "ab")
    key = await new_key(one.data.database)
    async with forked_node(one, key) as first, forked_node(other, key) as second:
        yield first, second


async def test_a_call_is_watched_and_hung_up_through_another_node(
    tmp_path: Path, database: str
) -> None:
    async with scripted_peer() as peer, two_nodes(tmp_path, peer, database) as (first, second):
        placed = await first.client.place({"to": NUMBER, "objective": "say good morning"})
        _, phone = await peer.picks_up()
        await phone.hears()
        seen = []
        async with asyncio.timeout(PATIENCE_S):
            async for event in second.client.events(placed["id"]):
                seen.append(event["type"])
                if event["data"].get("status") == "in-progress":
                    await second.client.hang_up(placed["id"])
        await peer.hung_up_on()
        record = await second.client.finished(placed["id"], PATIENCE_S)
    assert record["ended_reason"] == "agent_hangup"
    assert seen[-1] == "call.ended"


async def test_calls_of_a_node_that_was_killed_are_closed_or_carried_on_by_the_other(
    tmp_path: Path, database: str
) -> None:
    async with (
        scripted_peer() as peer,
        two_nodes(tmp_path, peer, database, calls=PLACES) as (first, second),
        answering(peer) as callee,
    ):
        callee.hangs_up = False
        numbers = [f"+1416555{place:04d}" for place in range(CALLS)]
        talking = [await placed(first, number) for number in numbers[:PLACES]]
        others = [await placed(second, number) for number in numbers[PLACES : 2 * PLACES]]
        for node, calls in (first, talking), (second, others):
            for call_id in calls:
                await answered(node, call_id)
        waiting = [
            await placed((first, second)[place % 2], number)
            for place, number in enumerate(numbers[2 * PLACES :])
        ]
        callee.hangs_up = True
        await first.dies()
        for call_id in others:
            await second.client.hang_up(call_id)
        lost = [await ended(second, call_id) for call_id in talking]
        carried_on = [await ended(second, call_id) for call_id in waiting]
        await until(lambda: set(callee.let_go) == set(numbers[: 2 * PLACES]), PATIENCE_S)
    assert set(lost) == {"node_lost"}
    assert set(carried_on) == {"user_hangup"}
    assert callee.dialled == dict.fromkeys(numbers, 1)
    byes = [method for method, _ in peer.endpoint.requests if method == b"BYE"]
    assert len(byes) == 2 * PLACES


async def placed(node: ForkedNode, number: str) -> str:
    """Place a call; returns its id."""
    asked = {"to": number, "objective": "say good morning"}
    return str((await node.client.place(asked))["id"])


async def answered(node: ForkedNode, call_id: str) -> None:
    """Wait until what was said first is kept."""
    async with asyncio.timeout(PATIENCE_S):
        async for event in node.client.events(call_id):
            if event["type"] == "transcript.final":
                return


async def ended(node: ForkedNode, call_id: str) -> str:
    """Wait until a call is over; returns why."""
    return str((await node.client.finished(call_id, PATIENCE_S))["ended_reason"])
