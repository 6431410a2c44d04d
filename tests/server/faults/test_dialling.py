"""Calls that are refused, never answered, given up, or answered with nonsense."""

import asyncio
import socket
from pathlib import Path

import aiohttp
import pytest

from bench.child import free_port
from media.udp import PortPool
from pipeline.session import Engines
from pipeline.task import Task
from server.calls.conversation import Conversation
from server.calls.request import CallRequest
from server.calls.store import CallStore
from server.calls.terms import terms
from server.node import Node
from server.settings import CallSettings, LimitSettings, MediaSettings
from server.sip.events import Canceled, IncomingInvite
from server.sip.transport import SipEndpoint
from tests.pipeline.stage import EchoBrain, LevelDetector, ListTranscriber, ToneVoice
from tests.server.real_node import (
    HOST,
    NUMBER,
    played,
    real_node,
    scripted_peer,
    sdp,
    settings,
    until,
)
from tests.virtual_time import run, virtual_loop

TRUNK = 5070


class Nobody(asyncio.DatagramProtocol):
    """A firewall: takes everything, answers nothing."""


def conversation_in_virtual_time(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, trunk_listens: bool, ring_timeout_s: float
) -> tuple[Conversation, float]:
    """One call of a node, and how long it took; the database has no part in it."""

    async def scenario() -> tuple[Conversation, float]:
        loop = virtual_loop()
        monkeypatch.setattr(SipEndpoint, "now", staticmethod(loop.time))
        if trunk_listens:
            await loop.create_datagram_endpoint(Nobody, local_addr=(HOST, TRUNK))
        call = CallSettings(ring_timeout_s=ring_timeout_s)
        engines = Engines(LevelDetector(), ListTranscriber(), ToneVoice())
        node = Node(
            settings(folder, TRUNK, call=call), engines, lambda task, call_id: EchoBrain(task.goal)
        )
        await node.start()
        began = loop.time()
        request = terms(
            CallRequest(to=NUMBER, objective="hello"), settings(folder, TRUNK, call=call)
        )
        ended = await node.converse("call_1", request, Task("hello"), lambda kind, data: None)
        took = loop.time() - began
        await node.stop()
        return ended, took

    return run(scenario())


@pytest.mark.parametrize("trunk_listens", [False, True])
def test_a_trunk_that_gives_no_sign_of_life_is_a_failed_dial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trunk_listens: bool
) -> None:
    ended, took = conversation_in_virtual_time(
        tmp_path, monkeypatch, trunk_listens=trunk_listens, ring_timeout_s=30.0
    )
    assert ended.ended_reason == "dial_failed"
    assert ended.sip_reason == "the trunk does not respond"
    assert took <= 32.5


def test_the_invite_of_an_unanswering_trunk_runs_out_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended, took = conversation_in_virtual_time(
        tmp_path, monkeypatch, trunk_listens=True, ring_timeout_s=60.0
    )
    assert (ended.ended_reason, ended.sip_status) == ("dial_failed", 408)
    assert took == pytest.approx(32.0, abs=0.5)


async def test_a_node_without_a_trunk_says_so(tmp_path: Path) -> None:
    async with real_node(tmp_path, None, played()) as node:
        record = await node.record(await node.place())
    assert record["ended_reason"] == "dial_failed"
    assert record["sip_reason"] == "no trunk is configured"
    assert record["duration_s"] == 0.0
    assert record["messages"] == []


async def test_a_node_without_a_free_media_port_fails_the_call_and_no_other(
    tmp_path: Path,
) -> None:
    port = free_even_port()
    media = MediaSettings(port_first=port, port_last=port)
    async with (
        scripted_peer() as peer,
        real_node(tmp_path, peer.port, played(), media=media) as node,
    ):
        first = await node.place()
        invite, _ = await peer.picks_up()
        refused = await node.record(await node.place())
        assert refused["ended_reason"] == "dial_failed"
        assert "no free port" in refused["sip_reason"]
        peer.hangs_up(invite)
        assert (await node.record(first))["ended_reason"] == "user_hangup"
        again = await node.place()
        invite, _ = await peer.picks_up()
        peer.hangs_up(invite)
        assert (await node.record(again))["ended_reason"] == "user_hangup"


def free_even_port() -> int:
    """A port for one leg."""
    while (port := free_port(socket.SOCK_DGRAM)) % 2:
        pass
    return port


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (486, "dial_busy"),
        (603, "user_declined"),
        (404, "invalid_destination"),
        (480, "dial_no_answer"),
        (503, "dial_failed"),
    ],
)
async def test_a_refusal_is_named_by_its_status(tmp_path: Path, status: int, reason: str) -> None:
    async with scripted_peer() as peer, real_node(tmp_path, peer.port, played()) as node:
        call_id = await node.place()
        invite = await peer.event(IncomingInvite)
        peer.do(lambda agent, now: agent.reject(invite.call_id, status, now))
        record = await node.record(call_id)
        assert (record["ended_reason"], record["sip_status"]) == (reason, status)
        assert record["recording_url"] is None
        await until(lambda: "ACK" in peer.methods)


async def test_a_phone_that_rings_out_is_cancelled(tmp_path: Path) -> None:
    call = CallSettings(ring_timeout_s=0.3)
    async with scripted_peer() as peer, real_node(tmp_path, peer.port, played(), call=call) as node:
        call_id = await node.place()
        await peer.rings()
        await peer.event(Canceled)
        record = await node.record(call_id)
    assert record["ended_reason"] == "dial_no_answer"
    assert peer.methods == ["INVITE", "CANCEL", "ACK"]


async def test_hanging_up_on_a_ringing_phone_cancels(tmp_path: Path) -> None:
    async with scripted_peer() as peer, real_node(tmp_path, peer.port, played()) as node:
        call_id = await node.place()
        await peer.rings()
        await node.client.hang_up(call_id)
        await peer.event(Canceled)
        record = await node.record(call_id)
    assert record["ended_reason"] == "canceled"
    assert "CANCEL" in peer.methods


async def test_a_node_that_stops_gives_up_what_rings(tmp_path: Path) -> None:
    async with scripted_peer() as peer:
        async with real_node(tmp_path, peer.port, played()) as node:
            call_id = await node.place()
            await peer.rings()
        await peer.event(Canceled)
    store = await CallStore.open(tmp_path / "data" / "offhook.sqlite3")
    record = await store.get(call_id)
    await store.close()
    assert (record.status, record.ended_reason) == ("ended", "canceled")


async def test_a_call_can_be_withdrawn_while_the_trunk_is_looked_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looking, found = asyncio.Event(), asyncio.Event()

    async def slow_bind(self: object) -> object:
        looking.set()
        await found.wait()
        return await bind(self)

    bind = PortPool.bind
    monkeypatch.setattr(PortPool, "bind", slow_bind)
    async with scripted_peer() as peer, real_node(tmp_path, peer.port, played()) as node:
        call_id = await node.place()
        await looking.wait()
        await node.client.hang_up(call_id)
        found.set()
        assert (await node.record(call_id))["ended_reason"] == "canceled"
        assert peer.methods == []


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"this is no session description",
        sdp(40000, formats="18"),
        sdp(0),
        sdp(40000, address="IN IP4 pbx.example.com"),
        sdp(40000, address="IN IP6 ::1"),
    ],
    ids=["none", "garbage", "G729 alone", "port 0", "a name", "IPv6 to an IPv4 leg"],
)
async def test_an_answer_without_usable_media_is_hung_up(tmp_path: Path, answer: bytes) -> None:
    async with scripted_peer() as peer, real_node(tmp_path, peer.port, played()) as node:
        call_id = await node.place()
        invite = await peer.rings()
        peer.do(lambda agent, now: agent.answer(invite.call_id, answer, now))
        await peer.hung_up_on()
        record = await node.record(call_id)
    assert record["ended_reason"] == "dial_failed"
    assert record["sip_reason"]
    assert record["answered_at"] is None


async def test_calls_beyond_the_limit_wait_until_one_ends(tmp_path: Path) -> None:
    limits = LimitSettings(concurrent_calls=1)
    async with (
        scripted_peer() as peer,
        real_node(tmp_path, peer.port, played(), limits=limits) as node,
    ):
        first, second = await node.place(), await node.place()
        third = await node.place()
        invite, _ = await peer.picks_up()
        await node.client.hang_up(third)
        assert (await node.record(third))["ended_reason"] == "canceled"
        assert (await node.client.read(second))["status"] == "queued"
        assert peer.events.empty()
        peer.hangs_up(invite)
        await peer.picks_up()
        assert (await node.record(first))["status"] == "ended"
        await node.client.hang_up(second)
        assert (await node.record(second))["ended_reason"] == "agent_hangup"


BAD_REQUESTS: tuple[tuple[dict[str, object], str], ...] = (
    ({"to": "416-555-0123", "objective": "hello"}, "to"),
    ({"to": "+1416555", "objective": "hello"}, "to"),
    ({"to": "sip:bob@example.com", "objective": "hello"}, "to"),
    ({"to": NUMBER, "objective": "hello", "max_duration_s": 5}, "max_duration_s"),
    ({"to": NUMBER, "task": {"goal": "hello", "facts": {"debts": ["a"]}}}, "task.facts.debts"),
    ({"to": NUMBER, "objective": "hello", "colour": "red"}, "colour"),
)


@pytest.mark.parametrize(("body", "field"), BAD_REQUESTS, ids=[f for _, f in BAD_REQUESTS])
async def test_a_bad_request_is_refused_by_the_name_of_its_field(
    tmp_path: Path, body: dict[str, object], field: str
) -> None:
    async with scripted_peer() as peer, real_node(tmp_path, peer.port, played()) as node:
        url = f"{node.application.url}/v1/calls"
        headers = {"Authorization": f"Bearer {node.key}"}
        async with (
            aiohttp.ClientSession(headers=headers) as client,
            client.post(url, json=body) as answer,
        ):
            problem = await answer.json()
        assert answer.content_type == "application/problem+json"
        assert 400 <= answer.status < 500
        assert field in [error["field"] for error in problem["errors"]]
        assert peer.methods == []
