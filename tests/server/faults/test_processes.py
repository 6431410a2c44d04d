"""Engine processes that die under a call, and nodes that do."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from bench.child import Child, free_port
from bench.node_process import NodePlan, running_node
from bench.recorded import read_wav
from media.audio import Pcm
from models.espeak import EspeakVoice
from models.silero import SileroDetector
from models.whisper import WhisperTranscriber
from pipeline.session import Engines
from server.app import EngineSet
from server.calls.store import CallStore
from tests.pipeline.stage import EchoBrain, ListTranscriber, ToneVoice
from tests.server.faulty import ShortLivedTranscriber
from tests.server.real_node import (
    NUMBER,
    Peer,
    is_audible,
    played,
    real_node,
    scripted_peer,
    tone,
    until,
)

CALM_S = 1.0
"""A node that dials what it finds does so at once; this long it is watched."""


async def spoken(text: str) -> Pcm:
    """Words as another person says them."""
    voice = EspeakVoice("en-us+m3")
    await voice.start()
    try:
        return next(iter([pcm async for pcm, _ in voice.speak(text, 8000)]))
    finally:
        await voice.close()


def kill(pid: int | None) -> None:
    """End a process as the kernel does when memory runs out."""
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


async def test_a_recogniser_that_is_killed_is_replaced_and_the_call_goes_on(
    tmp_path: Path,
) -> None:
    words = await spoken("yes this is bobby")
    ears = WhisperTranscriber()
    engines = EngineSet(
        Engines(SileroDetector(), ears, ToneVoice()),
        lambda task, call_id: EchoBrain(task.goal),
        [ears],
    )
    async with scripted_peer() as peer, real_node(tmp_path, peer.port, engines) as node:
        call_id = await node.place("hello")
        invite, phone = await peer.picks_up()
        await phone.hears()
        await phone.hears_silence()
        kill(ears.host.pid)
        before = len(phone.heard)
        phone.say(words)
        await phone.said()
        await phone.hears(after=before)
        peer.hangs_up(invite)
        record = await node.record(call_id)
    assert record["ended_reason"] == "user_hangup"
    assert ears.host.restarts == 1
    user = [message["content"] for message in record["messages"] if message["role"] == "user"]
    assert "bobby" in user[0].lower()


async def test_a_voice_that_is_killed_is_replaced_and_the_call_goes_on(tmp_path: Path) -> None:
    voice = EspeakVoice()
    engines = replace(played(voice, ListTranscriber("yes")), processes=[voice])
    async with scripted_peer() as peer, real_node(tmp_path, peer.port, engines) as node:
        call_id = await node.place("hello")
        invite, phone = await peer.picks_up()
        await phone.hears()
        await phone.hears_silence()
        kill(voice.host.pid)
        before = len(phone.heard)
        phone.say(tone(500, 0.4))
        await phone.said()
        await phone.hears(after=before)
        await phone.hears_silence()
        peer.hangs_up(invite)
        record = await node.record(call_id)
        said = [event["data"] async for event in node.happens(call_id, "transcript.final")]
    assert record["ended_reason"] == "user_hangup"
    assert voice.host.restarts == 1
    assert ["intended" in data for data in said] == [True, False, True]
    assert isinstance(record["quality"]["inbound"]["packets"], int)
    assert [message["content"] for message in record["messages"]] == [
        "hello",
        "yes",
        "you said yes",
    ]


async def test_an_engine_that_stays_dead_ends_the_call_and_is_named(tmp_path: Path) -> None:
    ears = ShortLivedTranscriber(tmp_path)
    engines = replace(played(transcriber=ears), processes=[ears])
    async with scripted_peer() as peer, real_node(tmp_path, peer.port, engines) as node:
        call_id = await node.place("hello")
        _, phone = await peer.picks_up()
        await phone.hears()
        await phone.hears_silence()
        kill(ears.host.pid)
        phone.say(tone(500, 0.4))
        await peer.hung_up_on()
        record = await node.record(call_id)
    assert record["ended_reason"] == "engine_error"
    assert record["warnings"] == ["engine-failed:recogniser"]
    assert record["messages"][0]["content"] == "hello"


async def test_a_node_whose_engine_is_down_is_not_ready(tmp_path: Path) -> None:
    ears = ShortLivedTranscriber(tmp_path)
    engines = replace(played(transcriber=ears), processes=[ears])
    async with real_node(tmp_path, 5060, engines) as node:
        assert (await node.application.readiness())["engines"] == "ok"
        kill(ears.host.pid)
        await until(lambda: ears.host.pid is None)
        assert (await node.application.readiness())["engines"] == "down: short-lived"


# Nodes as processes


@asynccontextmanager
async def talking(folder: Path) -> AsyncIterator[tuple[Peer, Child, str]]:
    """A node with its own engines in the middle of its opening."""
    async with scripted_peer() as peer:
        plan = NodePlan(folder, folder / "node.log", peer.port)
        async with running_node(plan) as node:
            placed = await node.client.place({"to": NUMBER, "objective": "say good morning"})
            _, phone = await peer.picks_up()
            await phone.hears()
            begun = len(phone.heard)
            await until(lambda: len(phone.heard) > begun + 4000)
            yield peer, node.process, placed["id"]


async def test_a_node_that_is_told_to_stop_hangs_up_and_completes_its_records(
    tmp_path: Path,
) -> None:
    async with talking(tmp_path) as (peer, process, call_id):
        os.kill(process.pid, signal.SIGTERM)
        await peer.hung_up_on()
        assert await process.stop(grace_s=10.0) == 0
    store = await CallStore.open(tmp_path / "data" / "offhook.sqlite3")
    record = await store.get(call_id)
    recording = await store.recording(call_id)
    await store.close()
    assert (record.status, record.ended_reason) == ("ended", "agent_hangup")
    assert record.messages[0].interrupted
    assert record.warnings == ("node-stopping",)
    assert recording is not None
    _, agent, _ = read_wav(tmp_path / "data" / "recordings" / recording)
    assert is_audible(agent)


async def test_a_node_that_was_killed_closes_its_calls_and_does_not_dial_them_again(
    tmp_path: Path,
) -> None:
    async with talking(tmp_path) as (peer, process, call_id):
        children = children_of(process.pid)
        assert children
        kill(process.pid)
        await until(lambda: not any(map(is_alive, children)))
        before = len(peer.endpoint.received)
        async with real_node(tmp_path, peer.port, played()) as node:
            record = await node.record(call_id)
            recording = await node.client.recording(call_id)
            await asyncio.sleep(CALM_S)
        requests = {line.split(" ")[0] for line in peer.endpoint.received[before:]}
        assert requests == {"BYE"}
    assert record["ended_reason"] == "node_lost"
    assert record["status"] == "ended"
    assert record["answered_at"] <= record["ended_at"]
    assert record["outcome"]["success"] is False
    assert record["summary"]
    assert recording[:4] == b"RIFF"


def children_of(pid: int) -> list[int]:
    """The processes that a process has started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(
    ("kind", "table"), [(socket.SOCK_DGRAM, "sip"), (socket.SOCK_STREAM, "http")]
)
async def test_a_node_whose_port_is_taken_says_so_and_exits(
    tmp_path: Path, kind: socket.SocketKind, table: str
) -> None:
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", 0))
        if kind is socket.SOCK_STREAM:
            taken.listen()
        port = taken.getsockname()[1]
        plan = NodePlan(tmp_path, tmp_path / "node.log", free_port(socket.SOCK_DGRAM))
        plan = replace(plan, **{f"{table}_port": port})
        plan.config.write_text(plan.toml(), "utf-8")
        process = await Child.start(
            "the node", "server.cli", "serve", "--config", str(plan.config), log=plan.log
        )
        process.keep_log()
        try:
            await until(lambda: not process.running)
        finally:
            status = await process.stop()
    assert status == 1
    assert "cannot start" in process.tail()
