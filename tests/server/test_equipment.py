"""Tools and hooks on a real node: from what the brain wants to what the operator's side gets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from pipeline.ports import Act, Say
from pipeline.session import Engines
from server.app import EngineSet
from server.node import Node
from server.sip.message import Request, parse_message
from server.tools.errors import ToolFailed, ToolUnavailable
from tests.pipeline.stage import EchoBrain, LevelDetector, ListTranscriber, ToneVoice
from tests.server.real_node import HOST, NUMBER, played, real_node, scripted_peer, settings, tone


class TextTrunk(asyncio.DatagramProtocol):
    """A trunk that takes text messages, or does not."""

    def __init__(self, status: int) -> None:
        self.status = status
        self.texts: list[Request] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        request = parse_message(data)
        assert isinstance(request, Request)
        self.texts.append(request)
        copied = ("Via", "From", "To", "Call-ID", "CSeq")
        lines = [f"{name}: {value}" for name, value in request.headers if name in copied]
        head = "\r\n".join([f"SIP/2.0 {self.status} Reason", *lines, "Content-Length: 0", "", ""])
        self.transport.sendto(head.encode(), addr)  # type: ignore[attr-defined]


@asynccontextmanager
async def text_trunk(folder: Path, status: int = 202) -> AsyncIterator[tuple[Node, TextTrunk]]:
    """A node whose trunk answers text messages with a status."""
    trunk = TextTrunk(status)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: trunk, local_addr=(HOST, 0))
    port = transport.get_extra_info("sockname")[1]
    engines = played()
    node = Node(settings(folder, port), engines.engines, engines.make_brain)
    await node.start()
    try:
        yield node, trunk
    finally:
        await node.stop()
        transport.close()


async def test_a_text_goes_out_through_the_trunk(tmp_path: Path) -> None:
    async with text_trunk(tmp_path) as (node, trunk):
        await node.send_text("+16473705600", NUMBER, "Hello")
    (text,) = trunk.texts
    assert (text.method, text.body) == ("MESSAGE", b"Hello")
    assert text.from_.uri.user == "+16473705600"


async def test_a_text_that_the_trunk_refuses_is_told(tmp_path: Path) -> None:
    async with text_trunk(tmp_path, status=405) as (node, _):
        with pytest.raises(ToolFailed, match="405"):
            await node.send_text("+16473705600", NUMBER, "Hello")


async def test_a_text_too_long_for_a_datagram_is_told(tmp_path: Path) -> None:
    async with text_trunk(tmp_path) as (node, trunk):
        with pytest.raises(ToolFailed):
            await node.send_text("+16473705600", NUMBER, "x" * 2000)
    assert trunk.texts == []


async def test_without_a_trunk_there_are_no_texts(tmp_path: Path) -> None:
    engines = played()
    node = Node(settings(tmp_path, None), engines.engines, engines.make_brain)
    with pytest.raises(ToolUnavailable):
        await node.send_text("+16473705600", NUMBER, "Hello")


def acting(*acts: Act) -> EngineSet:
    """Engines of an agent that uses tools as soon as somebody speaks."""
    brain = EchoBrain("good morning", {"hello": [Say("one moment"), *acts]})
    engines = Engines(LevelDetector(), ListTranscriber("hello"), ToneVoice())
    return EngineSet(engines, lambda _task, _call_id: brain)


async def test_a_tool_of_the_request_is_used_and_stands_in_the_record(tmp_path: Path) -> None:
    asked = {"function": {"name": "order_status"}, "url": "https://127.0.0.1:1/"}
    async with (
        scripted_peer() as peer,
        real_node(tmp_path, peer.port, acting(Act("order_status", {"id": 7}))) as node,
    ):
        call_id = await node.place(tools=[asked])
        invite, phone = await peer.picks_up()
        await phone.hears()
        await phone.hears_silence()
        phone.say(tone(300, 0.8))
        async for event in node.happens(call_id, "tool.ended"):
            assert event["data"]["status"] == "failed"  # loopback is not called unless allowed
            break
        peer.hangs_up(invite)
        record = await node.record(call_id)
    (used,) = record["tool_calls"]
    assert (used["name"], used["arguments"]) == ("order_status", {"id": 7})


async def test_a_hook_hangs_up(tmp_path: Path) -> None:
    hook = {"events": ["dtmf.received"], "instructions": [{"instruction": "hang_up"}]}
    async with (
        scripted_peer() as peer,
        real_node(tmp_path, peer.port, played()) as node,
    ):
        call_id = await node.place(hooks=[hook])
        _, phone = await peer.picks_up()
        await phone.hears()
        phone.press(5)
        await peer.hung_up_on()
        record = await node.record(call_id)
    assert record["ended_reason"] == "agent_hangup"
