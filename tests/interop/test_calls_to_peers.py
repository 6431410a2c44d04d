"""Whole calls of a node, with its own engines, to telephones that others wrote."""

import asyncio
import shutil
import socket
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.child import free_port
from bench.recorded import read_wav
from media.audio import Pcm, rms_dbfs, silence
from media.codecs import PCMU
from models.espeak import EspeakVoice
from models.whisper import WhisperTranscriber
from tests.server.real_node import HOST, NUMBER, PATIENCE_S, Phone, Running, real_node, until

SCENARIOS = Path(__file__).parent / "sipp"
OPENING = "Hello, this is an automated call, and it is recorded."
ANSWER = "yes this is bobby"
LEAD_S = 4.5
"""The peers that only play a file are silent for as long as our opening takes."""
LOUD_DBFS = -35.0


def needs(program: str, package: str) -> None:
    """Skip where a peer is not installed."""
    if shutil.which(program) is None:
        pytest.skip(f"needs the Debian package {package}")


async def spoken(text: str) -> Pcm:
    """Words as another person says them, 8 kHz."""
    voice = EspeakVoice("en-us+m3")
    await voice.start()
    try:
        return np.concatenate([pcm async for pcm, _ in voice.speak(text, 8000)])
    finally:
        await voice.close()


async def recognised(pcm: Pcm) -> set[str]:
    """The words that the bundled recogniser hears."""
    ears = WhisperTranscriber()
    await ears.start()
    try:
        text = (await ears.transcribe(pcm, 8000)).text
    finally:
        await ears.close()
    return words(text)


def words(text: str) -> set[str]:
    """The words of a text, without marks."""
    return set("".join(c if c.isalnum() else " " for c in text.lower()).split())


async def assert_opening_is_heard(pcm: Pcm) -> None:
    """What a peer received is our opening: loud enough, and in its words."""
    assert rms_dbfs(pcm[: int(LEAD_S * 8000)]) > LOUD_DBFS
    heard = await recognised(pcm[: int(LEAD_S * 8000)])
    assert {"hello", "this", "automated", "call"} <= heard


def assert_answer_is_in_the_record(node: Running, record: dict[str, Any]) -> None:
    """What a peer said stands in the transcript and on the callee's side of the recording."""
    user = [message["content"] for message in record["messages"] if message["role"] == "user"]
    assert {"yes", "bobby"} <= words(" ".join(user))
    assert record["messages"][0]["content"] == OPENING
    callee, agent, _ = read_wav(node.recording(record["id"]))
    assert rms_dbfs(callee[np.abs(callee) > 50]) > LOUD_DBFS
    assert rms_dbfs(agent[np.abs(agent) > 50]) > LOUD_DBFS


async def place(node: Running) -> str:
    """Call the peer."""
    return await node.place("ask if they are open today", first_message=OPENING)


async def hears_answer(node: Running, call_id: str) -> None:
    """Wait until the node has taken a turn of the peer down."""
    async for event in node.happens(call_id, "transcript.final"):
        if event["data"]["role"] == "user" and event["data"]["content"]:
            return


async def test_baresip_hears_our_opening_and_is_understood(tmp_path: Path) -> None:
    needs("baresip", "baresip-core")
    port = free_port(socket.SOCK_DGRAM)
    folder = tmp_path / "baresip"
    furnish_baresip(folder, port, await spoken(ANSWER))
    async with (
        output_of("baresip", "-f", str(folder), "-v") as lines,
        real_node(tmp_path, port) as node,
    ):
        await until(lambda: "baresip is ready" in "".join(lines))
        call_id = await place(node)
        await hears_answer(node, call_id)
        await node.client.hang_up(call_id)
        record = await node.record(call_id)
        await until(lambda: "terminated" in "".join(lines))
    assert record["ended_reason"] == "agent_hangup"
    assert_answer_is_in_the_record(node, record)
    (received,) = folder.glob("dump-*-dec.wav")
    await assert_opening_is_heard(from_wav(received))


async def test_sipp_plays_an_answer_that_is_understood(tmp_path: Path) -> None:
    needs("sipp", "sip-tester")
    port = free_port(socket.SOCK_DGRAM)
    answer = tmp_path / "answer.ul"
    answer.write_bytes(PCMU.encode(await spoken(ANSWER)))
    play = (
        f'<pause milliseconds="{LEAD_S * 1000:.0f}"/>'
        f'<nop><action><exec rtp_stream="{answer},1,0,PCMU/8000"/></action></nop>'
    )
    scenario = sipp_scenario(tmp_path, "[rtpstream_audio_port]", play)
    async with sipp(port, scenario), real_node(tmp_path, port) as node:
        call_id = await place(node)
        await hears_answer(node, call_id)
        await node.client.hang_up(call_id)
        record = await node.record(call_id)
    assert record["ended_reason"] == "agent_hangup"
    assert_answer_is_in_the_record(node, record)


async def test_sipp_sends_our_opening_to_a_telephone_and_gets_its_answer(tmp_path: Path) -> None:
    needs("sipp", "sip-tester")
    port = free_port(socket.SOCK_DGRAM)
    phone = await Phone.open()
    scenario = sipp_scenario(tmp_path, str(phone.port), "")
    answer = await spoken(ANSWER)
    async with sipp(port, scenario), real_node(tmp_path, port) as node:
        call_id = await place(node)
        await until(lambda: bool(phone.sources))
        phone.start(next(iter(phone.sources)))
        await phone.hears()
        await phone.hears_silence(seconds=0.6)
        opening = phone.audio
        phone.say(answer)
        await hears_answer(node, call_id)
        await node.client.hang_up(call_id)
        record = await node.record(call_id)
    phone.close()
    assert record["ended_reason"] == "agent_hangup"
    assert_answer_is_in_the_record(node, record)
    await assert_opening_is_heard(opening)


def sipp_scenario(folder: Path, media_port: str, play: str) -> Path:
    """A callee's scenario, with its media."""
    text = (SCENARIOS / "talking_uas.xml").read_text("utf-8")
    path = folder / "callee.xml"
    path.write_text(text.replace("MEDIA_PORT", media_port).replace("\n  RTP_STREAM", f"\n  {play}"))
    return path


@asynccontextmanager
async def sipp(port: int, scenario: Path) -> AsyncIterator[None]:
    """Take one call; in the end SIPp must be content with it."""
    process = await asyncio.create_subprocess_exec(
        *("sipp", "-sf", str(scenario), "-i", HOST, "-p", str(port), "-m", "1", "-nostdin"),
        *("-timeout", "30s", "-timeout_error"),
        cwd=scenario.parent,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        yield
        await asyncio.wait_for(process.wait(), PATIENCE_S)
    finally:
        if process.returncode is None:
            process.kill()
        output, _ = await process.communicate()
        print(output.decode("utf-8", "replace")[-3000:])
    assert process.returncode == 0


@asynccontextmanager
async def output_of(*command: str) -> AsyncIterator[list[str]]:
    """Run a program; its lines appear in the list."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    lines: list[str] = []

    async def read() -> None:
        assert process.stdout is not None
        while line := await process.stdout.readline():
            lines.append(line.decode("utf-8", "replace"))

    reading = asyncio.create_task(read())
    try:
        yield lines
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
        await reading


def furnish_baresip(folder: Path, port: int, answer: Pcm) -> None:
    """A telephone without sound card: it plays one file, and keeps what it hears in another."""
    folder.mkdir()
    play = folder / "answer.wav"
    with wave.open(str(play), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        before, after = silence(int(LEAD_S * 8000)), silence(int(PATIENCE_S * 8000))
        # baresip hangs up where its file ends; we are to be the ones who do.
        file.writeframes(np.concatenate([before, answer, after]).tobytes())
    modules = "".join(f"module {name}.so\n" for name in ("g711", "aufile", "aubridge", "sndfile"))
    (folder / "config").write_text(
        f"sip_listen {HOST}:{port}\nnet_interface {HOST}\ncall_max_calls 4\n"
        f"audio_source aufile,{play}\naudio_player aubridge,nowhere\nsnd_path {folder}\n"
        f"audio_alert aubridge,nowhere\nmodule_path {baresip_modules()}\n{modules}"
        "module_tmp account.so\nmodule_app menu.so\n"
    )
    (folder / "accounts").write_text(
        f"<sip:{NUMBER}@{HOST}>;regint=0;answermode=auto;audio_codecs=PCMU/8000/1\n"
    )


def baresip_modules() -> Path:
    """Where Debian keeps them."""
    (module,) = Path("/usr/lib").glob("**/baresip/modules/g711.so")
    return module.parent


def from_wav(path: Path) -> Pcm:
    """A mono file at 8 kHz."""
    with wave.open(str(path), "rb") as file:
        assert (file.getnchannels(), file.getframerate()) == (1, 8000)
        return np.frombuffer(file.readframes(file.getnframes()), np.int16)
