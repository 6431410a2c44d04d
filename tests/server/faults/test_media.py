"""Calls whose audio stops, is forged, is garbage, or is not to be mixed up."""

import asyncio
import os
import random
from contextlib import aclosing
from pathlib import Path

import pytest

from bench.recorded import read_wav
from media.audio import rms_dbfs
from server.settings import CallSettings, MediaSettings
from tests.pipeline.stage import ListTranscriber
from tests.server.real_node import (
    HOST,
    Phone,
    PitchVoice,
    is_audible,
    level_of,
    media_address,
    played,
    real_node,
    scripted_peer,
    tone,
    until,
)

FULL = Path("/dev/full")
LONG = "one two three four five six seven eight nine ten"


async def test_a_callee_who_hangs_up_in_mid_word_has_heard_only_the_words_before(
    tmp_path: Path,
) -> None:
    async with scripted_peer() as peer, real_node(tmp_path, peer.port, played()) as node:
        call_id = await node.place(LONG)
        invite, phone = await peer.picks_up()
        await phone.hears()
        begun = len(phone.heard)
        await until(lambda: len(phone.heard) > begun + 6000)
        peer.hangs_up(invite)
        record = await node.record(call_id)
    assert record["ended_reason"] == "user_hangup"
    (message,) = record["messages"]
    assert message["interrupted"]
    assert LONG.startswith(message["content"])
    assert 1 <= len(message["content"].split()) < 10
    assert message["heard"] == message["content"]
    _, agent, _ = read_wav(node.recording(call_id))
    assert is_audible(agent)
    assert record["warnings"] == []


async def test_a_call_without_any_media_is_given_up(tmp_path: Path) -> None:
    media = MediaSettings(timeout_s=0.5)
    async with (
        scripted_peer() as peer,
        real_node(tmp_path, peer.port, played(), media=media) as node,
    ):
        call_id = await node.place()
        await peer.answers(await peer.rings(), muted=True)
        await peer.hung_up_on()
        record = await node.record(call_id)
    assert record["ended_reason"] == "media_timeout"
    assert record["quality"]["inbound"]["packets"] == 0


async def test_a_call_whose_media_stops_is_given_up(tmp_path: Path) -> None:
    media = MediaSettings(timeout_s=0.5)
    async with (
        scripted_peer() as peer,
        real_node(tmp_path, peer.port, played(), media=media) as node,
    ):
        call_id = await node.place()
        _, phone = await peer.picks_up()
        await phone.hears()
        phone.falls_silent()
        await peer.hung_up_on()
        record = await node.record(call_id)
    assert record["ended_reason"] == "media_timeout"
    assert record["quality"]["inbound"]["packets"] > 0


async def test_a_stranger_on_the_media_port_is_neither_heard_nor_recorded(tmp_path: Path) -> None:
    async with scripted_peer() as peer, real_node(tmp_path, peer.port, played()) as node:
        call_id = await node.place()
        invite, phone = await peer.picks_up()
        await phone.hears()
        stranger = await Phone.open()
        stranger.say(tone(1000, 0.4))
        stranger.start(media_address(invite.sdp))
        await stranger.said()
        stranger.close()
        peer.hangs_up(invite)
        record = await node.record(call_id)
    assert record["quality"]["inbound"]["strangers"] >= 10
    callee, _, _ = read_wav(node.recording(call_id))
    assert rms_dbfs(callee) < -60
    assert not stranger.heard


async def test_garbage_on_both_ports_does_not_end_a_call(tmp_path: Path) -> None:
    dice = random.Random(7)
    junk = [dice.randbytes(dice.randrange(1, 400)) for _ in range(100)]
    junk += [b"", b"\r\n\r\n", b"SIP/2.0 200 OK\r\n\r\n", b"BYE sip:offhook SIP/2.0\r\n\r\n"]
    async with scripted_peer() as peer, real_node(tmp_path, peer.port, played()) as node:
        call_id = await node.place(f"{LONG} {LONG}")
        invite, phone = await peer.picks_up()
        loop = asyncio.get_running_loop()
        vandal, _ = await loop.create_datagram_endpoint(
            asyncio.DatagramProtocol, remote_addr=(HOST, invite.source.port)
        )
        for datagram in junk:
            vandal.sendto(datagram)
            phone.send(datagram)
        vandal.close()
        heard = len(phone.heard)
        await until(lambda: len(phone.heard) > heard + 4000)
        await phone.hears(after=heard)
        peer.hangs_up(invite)
        record = await node.record(call_id)
    assert record["ended_reason"] == "user_hangup"
    assert record["messages"][0]["heard"]


async def test_a_key_that_is_pressed_is_an_event(tmp_path: Path) -> None:
    async with scripted_peer() as peer, real_node(tmp_path, peer.port, played()) as node:
        call_id = await node.place()
        invite, phone = await peer.picks_up()
        await phone.hears()
        phone.press(5)
        phone.press(11)
        async with aclosing(node.happens(call_id, "dtmf.received")) as pressed:
            digits = [(await anext(pressed))["data"]["digit"] for _ in range(2)]
        peer.hangs_up(invite)
        await node.record(call_id)
    assert digits == ["5", "#"]


async def test_a_call_is_over_at_its_longest(tmp_path: Path) -> None:
    call = CallSettings(max_duration_s=1)
    async with scripted_peer() as peer, real_node(tmp_path, peer.port, played(), call=call) as node:
        call_id = await node.place(f"{LONG} {LONG}")
        await peer.picks_up()
        await peer.hung_up_on()
        record = await node.record(call_id)
    assert record["ended_reason"] == "max_duration_reached"
    assert record["duration_s"] >= 1.0
    assert len(record["messages"][0]["heard"].split()) < 20


async def test_a_call_in_which_nobody_speaks_is_over(tmp_path: Path) -> None:
    call = CallSettings(inactivity_s=0.6)
    async with scripted_peer() as peer, real_node(tmp_path, peer.port, played(), call=call) as node:
        call_id = await node.place()
        await peer.picks_up()
        await peer.hung_up_on()
        record = await node.record(call_id)
    assert record["ended_reason"] == "inactivity"
    assert [message["content"] for message in record["messages"]] == ["good morning"]


async def test_two_calls_at_once_do_not_hear_each_other(tmp_path: Path) -> None:
    engines = played(PitchVoice(), ListTranscriber())
    async with scripted_peer() as peer, real_node(tmp_path, peer.port, engines) as node:
        low = await node.place("440 and so on for a while")
        low_invite, low_phone = await peer.picks_up()
        high = await node.place("1800 and so on for a while")
        high_invite, high_phone = await peer.picks_up()
        low_phone.say(tone(700, 0.6, 400))
        high_phone.say(tone(1100, 0.6, 400))
        await asyncio.gather(low_phone.said(), high_phone.said())
        await until(lambda: min(len(low_phone.heard), len(high_phone.heard)) > 8000)
        assert level_of(low_phone.audio, 440) > 0.9
        assert level_of(high_phone.audio, 1800) > 0.9
        for invite in (low_invite, high_invite):
            peer.hangs_up(invite)
        await asyncio.gather(node.record(low), node.record(high))
    for call_id, theirs, ours in ((low, 700, 440), (high, 1100, 1800)):
        callee, agent, _ = read_wav(node.recording(call_id))
        assert level_of(callee, theirs) > 0.9
        assert level_of(agent, ours) > 0.9


async def test_a_recordings_folder_that_cannot_be_made_does_not_stop_calls(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "recordings").write_text("in the way")
    async with scripted_peer() as peer, real_node(tmp_path, peer.port, played()) as node:
        call_id = await node.place()
        invite, phone = await peer.picks_up()
        await phone.hears()
        peer.hangs_up(invite)
        record = await node.record(call_id)
    assert record["ended_reason"] == "user_hangup"
    assert record["warnings"] == ["recording-incomplete"]
    assert record["recording_url"] is None


@pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")
async def test_a_disk_that_fills_up_costs_the_recording_and_not_the_call(tmp_path: Path) -> None:
    async with scripted_peer() as peer, real_node(tmp_path, peer.port, played()) as node:
        call_id = await node.place(f"{LONG} {LONG}")
        invite, phone = await peer.picks_up()
        path = node.recording(call_id)
        await until(lambda: path.exists() and path.stat().st_size > 10_000)
        fill_up(path)
        kept = path.stat().st_size
        heard = len(phone.heard)
        await until(lambda: len(phone.heard) > heard + 8000)
        await phone.hears(after=heard)
        peer.hangs_up(invite)
        record = await node.record(call_id)
        recording = await node.client.recording(call_id)
    assert record["ended_reason"] == "user_hangup"
    assert record["warnings"] == ["recording-incomplete"]
    assert recording is not None
    assert len(recording) == kept
    _, agent, _ = read_wav(path)
    assert is_audible(agent)


def fill_up(path: Path) -> None:
    """Put a full disk under a file that this process has open."""
    for entry in Path("/proc/self/fd").iterdir():
        if entry.is_symlink() and os.readlink(entry) == str(path.resolve()):
            full = os.open(FULL, os.O_RDWR)
            os.dup2(full, int(entry.name))
            os.close(full)
            return
    raise AssertionError(f"{path} is not open")


async def test_what_is_said_while_the_recording_pauses_is_not_in_it(tmp_path: Path) -> None:
    async with scripted_peer() as peer, real_node(tmp_path, peer.port, played()) as node:
        call_id = await node.place()
        invite, phone = await peer.picks_up()
        await phone.hears()
        live = node.application._node
        assert live.act(call_id, "pause_recording", {}) is None
        phone.say(tone(700, 0.5))
        await phone.said()
        heard = len(phone.heard)
        await until(lambda: len(phone.heard) > heard + 1600)
        assert live.act(call_id, "resume_recording", {}) is None
        phone.say(tone(1100, 0.5))
        await phone.said()
        peer.hangs_up(invite)
        record = await node.record(call_id)
    assert [m["content"] for m in record["messages"]][:1] == ["good morning"]
    callee, _, _ = read_wav(node.recording(call_id))
    assert level_of(callee, 700) < 0.01
    assert level_of(callee, 1100) > 0.5
    assert len(callee) >= 8000
