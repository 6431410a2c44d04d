"""What is done to a call that goes on, over the wire and in virtual time."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from media.rtp import RtpSource
from pipeline.ports import Act, Say
from pipeline.session import Engines
from pipeline.task import Task
from server.calls.conversation import Conversation
from server.calls.request import CallRequest
from server.calls.terms import terms
from server.live_actions import Instruction, Refusal
from server.live_call import MOST_INSTRUCTIONS, Attached
from server.live_limits import GOODBYE, WARNING
from server.live_tools import FILLER
from server.node import Node
from server.settings import CallSettings, MediaSettings
from tests.pipeline.stage import EchoBrain, LevelDetector, ListTranscriber, ToneVoice
from tests.server.live import Line, line, virtually
from tests.server.real_node import NUMBER, scripted_peer, settings

COMFORT_NOISE = 13
LOOK_UP: list[Say | Act] = [Say("let me see"), Act("look_up", {"id": 7})]


@dataclass(frozen=True)
class Answer:
    """What came of a tool."""

    ok: bool
    value: Any


class OneVoice(ToneVoice):
    """A voice that knows no other."""

    async def open(self, voice_id: str = "", speed: float = 1.0) -> ToneVoice:
        raise ValueError(f"no voice {voice_id}")


def said(conversation: Conversation) -> list[str]:
    return [message.content for message in conversation.messages if message.role == "assistant"]


@pytest.mark.parametrize("action", ["say", "press", "mute", "hold", "inject", "pause_recording"])
def test_nothing_can_be_done_to_a_phone_that_rings(tmp_path: Path, action: str) -> None:
    async def story() -> Refusal | None:
        async with line(tmp_path) as call:
            return call.act(action, text="hello", digits="1")

    refusal = virtually(story)
    assert refusal is not None
    assert refusal.code == "not_answered"


def test_an_unknown_call_and_an_unknown_action_are_told_apart(tmp_path: Path) -> None:
    async def story() -> list[Refusal | None]:
        async with line(tmp_path) as call:
            await call.answers()
            refusals = [call.act("dance"), call.node.act("call_2", "say", {"text": "hello"})]
            await call.hang_up()
            return [*refusals, call.act("say", text="hello")]

    codes = [refusal.code for refusal in virtually(story) if refusal]
    assert codes == ["unknown_action", "no_such_call", "no_such_call"]


def test_what_a_client_says_is_heard_and_stands_in_the_record(tmp_path: Path) -> None:
    async def story() -> tuple[Line, Conversation]:
        async with line(tmp_path) as call:
            await call.answers()
            await asyncio.sleep(1.0)
            assert call.act("say", text=" please hold the line ") is None
            await asyncio.sleep(0.1)
            await call.phone.hears(after=len(call.phone.heard) - 800)
            await asyncio.sleep(1.5)
            return call, await call.hang_up()

    call, conversation = virtually(story)
    assert said(conversation) == ["good morning", "please hold the line"]
    assert {"action": "say", "text": " please hold the line "} in call.of("action")


@pytest.mark.parametrize("text", [None, "", "  ", "x" * 1001, 7])
def test_words_to_say_are_checked(tmp_path: Path, text: object) -> None:
    async def story() -> Refusal | None:
        async with line(tmp_path) as call:
            await call.answers()
            return call.act("say", text=text)

    refusal = virtually(story)
    assert refusal is not None
    assert refusal.code == "invalid_arguments"


def test_an_instruction_reaches_the_brain_and_not_the_record(tmp_path: Path) -> None:
    async def story() -> tuple[Line, Conversation]:
        async with line(tmp_path, "yes") as call:
            await call.answers()
            await asyncio.sleep(1.0)
            assert call.act("inject", text="offer ten percent") is None
            await call.speaks(0.5)
            return call, await call.hang_up()

    call, conversation = virtually(story)
    assert call.brain.asked[-1] == ["good morning", "offer ten percent", "yes"]
    assert [m.content for m in conversation.messages] == ["good morning", "yes", "you said yes"]


def test_keys_are_pressed_one_after_the_other_while_our_speech_waits(tmp_path: Path) -> None:
    async def story() -> tuple[Line, Conversation]:
        async with line(tmp_path, brain=EchoBrain("one two three four")) as call:
            await call.answers()
            await asyncio.sleep(0.3)
            assert call.act("press", digits="5#") is None
            await asyncio.sleep(2.0)
            return call, await call.hang_up()

    call, conversation = virtually(story)
    pressed = call.phone.pressed
    assert [pressed[0].payload[0], pressed[-1].payload[0]] == [5, 11]
    starts = sorted({packet.rtp_ts for packet in pressed})
    tone_ms = [max(p.payload[2] * 256 + p.payload[3] for p in pressed if p.rtp_ts == at) / 8
               for at in starts]  # fmt: skip
    assert tone_ms == [100, 100]
    assert (starts[1] - starts[0]) / 8 >= 160
    assert said(conversation) == ["one two three four"]
    assert conversation.messages[0].end_s > 0.8 + 0.3


@pytest.mark.parametrize("digits", ["", "12x", None, "1" * 33])
def test_keys_are_checked(tmp_path: Path, digits: object) -> None:
    async def story() -> tuple[Refusal | None, Line]:
        async with line(tmp_path) as call:
            await call.answers()
            refusal = call.act("press", digits=digits)
            await asyncio.sleep(0.5)
            return refusal, call

    refusal, call = virtually(story)
    assert refusal is not None
    assert refusal.code == "invalid_arguments"
    assert call.phone.pressed == []


def test_a_muted_agent_is_silent_until_it_is_unmuted(tmp_path: Path) -> None:
    async def story() -> tuple[Line, Conversation, list[Refusal | None]]:
        async with line(tmp_path, "are you there") as call:
            await call.answers()
            await asyncio.sleep(1.0)
            refusals = [call.act("unmute"), call.act("mute"), call.act("mute")]
            refusals.append(call.act("say", text="hello"))
            begun = len(call.phone.heard)
            await call.speaks(0.6, 3.0)
            assert not call.phone.audio[begun:].any()
            refusals.append(call.act("unmute"))
            await asyncio.sleep(1.5)
            return call, await call.hang_up(), refusals

    call, conversation, refusals = virtually(story)
    assert [refusal and refusal.code for refusal in refusals] == [
        "not_now", None, "not_now", "not_now", None,
    ]  # fmt: skip
    assert said(conversation) == ["good morning", "you said are you there"]
    assert [event["action"] for event in call.of("action")] == ["mute", "unmute"]


def test_a_call_on_hold_is_not_given_up_for_inactivity(tmp_path: Path) -> None:
    async def story() -> tuple[bool, Conversation]:
        limits = CallSettings(inactivity_s=2.0, record=False)
        async with line(tmp_path, "still here", call=limits) as call:
            await call.answers()
            await asyncio.sleep(1.0)
            assert call.act("hold") is None
            await asyncio.sleep(6.0)
            held = not call.conversation.done()
            assert call.act("resume") is None
            await call.speaks(0.5)
            return held, await call.hang_up()

    held, conversation = virtually(story)
    assert held
    assert said(conversation)[-1] == "you said still here"


def test_nothing_is_paused_where_nothing_is_recorded(tmp_path: Path) -> None:
    async def story() -> Refusal | None:
        async with line(tmp_path) as call:
            await call.answers()
            return call.act("pause_recording")

    refusal = virtually(story)
    assert refusal is not None
    assert refusal.code == "not_now"


def test_a_voice_that_the_engine_does_not_have_is_not_dialled(tmp_path: Path) -> None:
    async def story() -> tuple[Conversation, list[str]]:
        voice = {"voice_id": "en-us+zz", "speed": 1.5}
        async with scripted_peer() as peer:
            configured = settings(tmp_path, peer.port)
            engines = Engines(LevelDetector(), ListTranscriber(), OneVoice())
            node = Node(configured, engines, lambda task, call_id: EchoBrain("hello"))
            await node.start()
            request = CallRequest(to=NUMBER, objective="hello", voice=voice)
            conversation = await node.converse(
                "call_1", terms(request, configured), Task("hello"), lambda kind, data: None
            )
            await node.stop()
            return conversation, peer.methods

    conversation, methods = virtually(story)
    assert conversation.ended_reason == "dial_failed"
    assert conversation.sip_reason == "no voice en-us+zz"
    assert methods == []


def test_every_character_that_was_spoken_is_counted(tmp_path: Path) -> None:
    async def story() -> Conversation:
        async with line(tmp_path, brain=EchoBrain("hello there")) as call:
            await call.answers()
            await asyncio.sleep(1.0)
            assert call.act("say", text="please hold") is None
            await asyncio.sleep(2.0)
            return await call.hang_up()

    assert virtually(story).spoken_characters == len("hello there" + "please hold")


def test_a_call_that_nobody_answered_spoke_nothing(tmp_path: Path) -> None:
    async def story() -> Conversation:
        async with line(tmp_path, brain=EchoBrain("hello there")) as call:
            call.node.hang_up("call_1")
            return await call.conversation

    assert virtually(story).spoken_characters is None


# Tools


def test_the_brain_goes_on_with_what_came_of_its_tool(tmp_path: Path) -> None:
    used: list[tuple[str, Mapping[str, object]]] = []

    async def use(name: str, arguments: Mapping[str, object]) -> Answer:
        used.append((name, arguments))
        await asyncio.sleep(0.1)
        return Answer(True, {"price": 7})

    async def story() -> tuple[Line, Conversation]:
        brain = EchoBrain("good morning", {"how much": LOOK_UP})
        async with line(tmp_path, "how much", brain=brain, attached=Attached(use)) as call:
            await call.answers()
            await asyncio.sleep(1.0)
            await call.speaks(0.5, 4.0)
            return call, await call.hang_up()

    call, conversation = virtually(story)
    assert used == [("look_up", {"id": 7})]
    assert '"price": 7' in call.brain.asked[-1][-1]
    assert FILLER not in said(conversation)
    done = {"name": "look_up", "arguments": {"id": 7}, "status": "done", "result": {"price": 7}}
    assert conversation.tool_calls == (done,)
    assert call.of("tool.ended") == [done]


def test_a_filler_is_said_once_while_a_tool_takes_its_time(tmp_path: Path) -> None:
    async def use(name: str, arguments: Mapping[str, object]) -> Answer:
        await asyncio.sleep(12.0)
        return Answer(False, "nobody answers")

    async def story() -> Conversation:
        brain = EchoBrain("good morning", {"how much": LOOK_UP})
        async with line(tmp_path, "how much", brain=brain, attached=Attached(use)) as call:
            await call.answers()
            await asyncio.sleep(1.0)
            await call.speaks(0.5, 18.0)
            return await call.hang_up()

    conversation = virtually(story)
    assert said(conversation)[1:3] == ["let me see", FILLER]
    assert "nobody answers" in said(conversation)[3]
    assert said(conversation).count(FILLER) == 1
    assert conversation.tool_calls[0]["status"] == "failed"


def test_a_tool_that_breaks_is_a_failure_that_the_brain_is_told(tmp_path: Path) -> None:
    async def use(name: str, arguments: Mapping[str, object]) -> Answer:
        raise KeyError(name)

    async def story() -> tuple[Line, Conversation]:
        brain = EchoBrain("good morning", {"how much": LOOK_UP})
        async with line(tmp_path, "how much", brain=brain, attached=Attached(use)) as call:
            await call.answers()
            await asyncio.sleep(1.0)
            await call.speaks(0.5, 3.0)
            return call, await call.hang_up()

    call, conversation = virtually(story)
    assert '"ok": false' in call.brain.asked[-1][-1]
    assert conversation.tool_calls[0]["result"] == "it failed"


@pytest.mark.parametrize(("detached", "finishes"), [((), False), (("look_up",), True)])
def test_only_a_detached_tool_outlives_its_call(
    tmp_path: Path, detached: Sequence[str], finishes: bool
) -> None:
    finished: list[str] = []

    async def use(name: str, arguments: Mapping[str, object]) -> Answer:
        await asyncio.sleep(5.0)
        finished.append(name)
        return Answer(True, None)

    async def story() -> Conversation:
        brain = EchoBrain("good morning", {"how much": LOOK_UP})
        attached = Attached(use, detached)
        async with line(tmp_path, "how much", brain=brain, attached=attached) as call:
            await call.answers()
            await asyncio.sleep(1.0)
            await call.speaks(0.5, 2.0)
            conversation = await call.hang_up()
            await asyncio.sleep(10.0)
            return conversation

    conversation = virtually(story)
    assert bool(finished) is finishes
    if not finishes:
        assert conversation.tool_calls[0]["status"] == "cancelled"


def test_without_anybody_to_carry_it_out_a_tool_is_recorded(tmp_path: Path) -> None:
    async def story() -> Conversation:
        async with line(
            tmp_path, "how much", brain=EchoBrain("good morning", {"how much": LOOK_UP})
        ) as call:
            await call.answers()
            await asyncio.sleep(1.0)
            await call.speaks(0.5, 2.0)
            return await call.hang_up()

    (tool,) = virtually(story).tool_calls
    assert tool == {"name": "look_up", "arguments": {"id": 7}, "status": "recorded"}


@pytest.mark.parametrize("can_transfer", [True, False])
def test_a_client_may_transfer_where_the_tools_can(tmp_path: Path, can_transfer: bool) -> None:
    used: list[str] = []

    async def use(name: str, arguments: Mapping[str, object]) -> Answer:
        used.append(name)
        return Answer(True, "transferred")

    async def story() -> Refusal | None:
        attached = Attached(use, can_transfer=can_transfer)
        async with line(tmp_path, attached=attached) as call:
            await call.answers()
            await asyncio.sleep(1.0)
            refusal = call.act("transfer", to="support")
            await asyncio.sleep(1.0)
            return refusal

    refusal = virtually(story)
    assert (refusal is None) is can_transfer
    assert used == (["transfer"] if can_transfer else [])


@pytest.mark.parametrize(("digits", "status"), [("12", "done"), ("x", "failed")])
def test_keys_that_the_brain_presses_are_pressed_here(
    tmp_path: Path, digits: str, status: str
) -> None:
    async def story() -> tuple[Line, Conversation]:
        menu: list[Say | Act] = [Act("press_digits", {"digits": digits})]
        brain = EchoBrain("good morning", {"press one two": menu})
        async with line(tmp_path, "press one two", brain=brain) as call:
            await call.answers()
            await asyncio.sleep(1.0)
            await call.speaks(0.5, 3.0)
            return call, await call.hang_up()

    call, conversation = virtually(story)
    assert bool(call.phone.pressed) is (status == "done")
    assert conversation.tool_calls[0]["status"] == status
    assert len(call.brain.asked) == (1 if status == "done" else 2)


# Hooks


def test_a_hook_acts_inside_the_call(tmp_path: Path) -> None:
    def hook(kind: str, data: Mapping[str, object]) -> Sequence[Instruction]:
        if kind == "transcript.final" and data["content"] == "stop calling me":
            return [Instruction("say", {"text": "goodbye then"}), Instruction("dance")]
        if kind == "transcript.final" and data["content"] == "goodbye then":
            return [Instruction("hang_up")]
        return ()

    async def story() -> tuple[Line, Conversation]:
        attached = Attached(on_event=hook)
        async with line(tmp_path, "stop calling me", attached=attached) as call:
            await call.answers()
            await asyncio.sleep(1.0)
            await call.speaks(0.5, 0.0)
            return call, await call.conversation

    call, conversation = virtually(story)
    assert conversation.ended_reason == "agent_hangup"
    assert said(conversation)[-1] == "goodbye then"
    assert [refused["code"] for refused in call.of("action.refused")] == ["unknown_action"]


def test_a_hook_that_answers_itself_for_ever_comes_to_an_end(tmp_path: Path) -> None:
    def hook(kind: str, data: Mapping[str, object]) -> Sequence[Instruction]:
        return [Instruction("inject", {"text": "more"})] if kind in ("action", "reply") else ()

    async def story() -> tuple[Line, Conversation]:
        async with line(tmp_path, attached=Attached(on_event=hook)) as call:
            await call.answers()
            await asyncio.sleep(1.0)
            return call, await call.hang_up()

    call, conversation = virtually(story)
    assert len(call.of("action")) == MOST_INSTRUCTIONS
    assert conversation.warnings == ("hooks-exhausted",)


def test_a_hook_that_breaks_does_no_harm(tmp_path: Path) -> None:
    def hook(kind: str, data: Mapping[str, object]) -> Sequence[Instruction]:
        raise KeyError(kind)

    async def story() -> Conversation:
        async with line(tmp_path, attached=Attached(on_event=hook)) as call:
            await call.answers()
            await asyncio.sleep(1.0)
            return await call.hang_up()

    assert said(virtually(story)) == ["good morning"]


# How a call ends by itself


def test_the_end_is_announced_and_a_goodbye_is_said_into_silence(tmp_path: Path) -> None:
    async def story() -> Conversation:
        limits = CallSettings(max_duration_s=60, warning_s=20.0, inactivity_s=90, record=False)
        async with line(tmp_path, call=limits, max_duration_s=60) as call:
            await call.answers()
            return await call.conversation

    conversation = virtually(story)
    ours = [
        (m.content, m.start_s) for m in conversation.messages if m.content in (WARNING, GOODBYE)
    ]
    assert [text for text, _ in ours] == [WARNING, GOODBYE]
    assert 40 <= ours[0][1] < 45
    assert 60 <= ours[1][1] < 61
    assert conversation.ended_reason == "max_duration_reached"


def test_nobody_is_cut_off_for_a_goodbye(tmp_path: Path) -> None:
    async def story() -> Conversation:
        limits = CallSettings(max_duration_s=4, record=False)
        async with line(tmp_path, "and so on", "and so on", call=limits) as call:
            await call.answers()
            await asyncio.sleep(1.0)
            await call.speaks(6.0, 0.0)
            return await call.conversation

    conversation = virtually(story)
    assert conversation.ended_reason == "max_duration_reached"
    assert said(conversation) == ["good morning"]


def test_a_very_short_call_is_not_spent_on_warnings(tmp_path: Path) -> None:
    async def story() -> Conversation:
        limits = CallSettings(max_duration_s=40, warning_s=30.0, inactivity_s=90, record=False)
        async with line(tmp_path, call=limits) as call:
            await call.answers()
            return await call.conversation

    assert WARNING not in said(virtually(story))


def test_whoever_speaks_without_a_pause_is_not_inactive(tmp_path: Path) -> None:
    async def story() -> bool:
        limits = CallSettings(inactivity_s=3.0, record=False)
        async with line(tmp_path, "a long story", call=limits) as call:
            await call.answers()
            await asyncio.sleep(1.0)
            await call.speaks(9.0, 0.5)
            return call.conversation.done()

    assert virtually(story) is False


def test_noise_is_no_activity(tmp_path: Path) -> None:
    async def story() -> tuple[Conversation, int]:
        limits = CallSettings(inactivity_s=4.0, record=False)
        brain = EchoBrain("good morning", {"": []})
        async with line(tmp_path, brain=brain, call=limits) as call:
            await call.answers()
            coughs = 0
            while not call.conversation.done():
                await call.speaks(0.2, 0.8)
                coughs += 1
            return await call.conversation, coughs

    conversation, coughs = virtually(story)
    assert conversation.ended_reason == "inactivity"
    assert coughs < 8


@pytest.mark.parametrize(("sends", "reason"), [(True, "user_hangup"), (False, "media_timeout")])
def test_comfort_noise_is_a_sign_of_life(tmp_path: Path, sends: bool, reason: str) -> None:
    async def story() -> Conversation:
        media = MediaSettings(timeout_s=2.0)
        async with line(tmp_path, media=media) as call:
            phone = await call.answers()
            await asyncio.sleep(1.0)
            phone.falls_silent()
            source = RtpSource()
            for _ in range(6):
                await asyncio.sleep(0.8)
                if sends:
                    source.advance(6400)
                    phone.send(source.packet(COMFORT_NOISE, b"\x40"))
            return await call.hang_up()

    assert virtually(story).ended_reason == reason
