"""What is done to a conversation from outside while it goes on."""

import asyncio

from pipeline.events import EngineFailed, ReplyStarted, TurnEnded
from pipeline.ports import Act, Message, Say
from pipeline.tools import result
from tests.pipeline.stage import EchoBrain, Stage
from tests.virtual_time import run

DONE = result(Act("look_up"), ok=True, value=7)
PRESSED = result(Act("press_digits"), ok=True, value="done")


def now() -> float:
    return asyncio.get_running_loop().time()


def test_an_injected_instruction_stands_before_what_the_brain_answers() -> None:
    async def story() -> Stage:
        stage = Stage(EchoBrain("hello there"), "yes")
        await stage.answer()
        await stage.silence(1.0)
        await stage.speak(0.4)
        await stage.silence(0.2)
        stage.session.inject("offer ten percent")
        await stage.silence(1.5)
        return stage

    stage = run(story())
    assert stage.brain.asked[-1] == ["hello there", "offer ten percent", "yes"]
    assert stage.said()[-1] == ("assistant", "you said yes")


def test_an_instruction_by_itself_makes_nobody_speak() -> None:
    async def story() -> Stage:
        stage = Stage(EchoBrain("hello there"))
        await stage.answer()
        await stage.silence(1.0)
        stage.session.inject("offer ten percent")
        await stage.silence(3.0)
        return stage

    assert run(story()).voice.spoken == ["hello there"]


def test_whoever_is_muted_falls_silent_and_hears_on() -> None:
    async def story() -> tuple[Stage, int]:
        stage = Stage(EchoBrain("one two three four five six seven eight"), "i am here")
        await stage.answer()
        await stage.silence(0.5)
        stage.session.mute()
        muted_at = len(stage.played)
        await stage.speak(0.6)
        await stage.silence(12.0)
        return stage, muted_at

    stage, muted_at = run(story())
    assert not any(stage.played[muted_at:])
    assert stage.said() == [("assistant", "one two"), ("user", "i am here")]


def test_whoever_is_unmuted_answers_what_was_said_meanwhile() -> None:
    async def story() -> Stage:
        stage = Stage(EchoBrain("hello there"), "i am here")
        await stage.answer()
        await stage.silence(1.0)
        stage.session.mute()
        await stage.speak(0.6)
        await stage.silence(2.0)
        stage.session.unmute()
        await stage.silence(1.5)
        return stage

    assert run(story()).said()[-1] == ("assistant", "you said i am here")


def test_nothing_is_heard_nor_said_on_hold() -> None:
    async def story() -> tuple[Stage, int]:
        stage = Stage(EchoBrain("one two three four five six seven eight"), "i am here")
        await stage.answer()
        await stage.silence(0.5)
        stage.session.hold()
        held_at = len(stage.played)
        await stage.speak(0.6)
        await stage.silence(12.0)
        return stage, held_at

    stage, held_at = run(story())
    assert not any(stage.played[held_at:])
    assert stage.said() == [("assistant", "one two")]


def test_a_conversation_goes_on_after_a_hold() -> None:
    async def story() -> Stage:
        stage = Stage(EchoBrain("hello there"), "still here")
        await stage.answer()
        await stage.silence(0.7)
        await stage.speak(0.3)
        stage.session.hold()
        await stage.silence(5.0)
        stage.session.resume()
        await stage.silence(1.0)
        await stage.speak(0.6)
        await stage.silence(2.5)
        return stage

    stage = run(story())
    assert stage.said()[1:] == [("user", "still here"), ("assistant", "you said still here")]


def test_a_remark_waits_until_nobody_speaks() -> None:
    async def story() -> Stage:
        stage = Stage(EchoBrain("hello there"), "yes")
        await stage.answer()
        await stage.silence(1.0)
        await stage.speak(0.4)
        stage.session.say_when_silent("i have to go soon")
        await stage.speak(0.4)
        await stage.silence(3.5)
        return stage

    assert run(story()).said()[1:] == [
        ("user", "yes"),
        ("assistant", "you said yes"),
        ("assistant", "i have to go soon"),
    ]


def test_a_remark_waits_for_the_answer() -> None:
    async def story() -> Stage:
        stage = Stage(EchoBrain("hello there"))
        await stage.session.prepare()
        stage.session.say_when_silent("one moment")
        await stage.silence(1.0)
        stage.session.answered(now())
        await stage.silence(2.0)
        return stage

    assert run(story()).said() == [("assistant", "hello there"), ("assistant", "one moment")]


def test_a_remark_that_was_withdrawn_is_not_said() -> None:
    async def story() -> Stage:
        stage = Stage(EchoBrain("one two three four five"))
        await stage.answer()
        stage.session.say_when_silent("one moment")
        stage.session.withdraw("one moment")
        await stage.silence(3.0)
        return stage

    assert run(story()).voice.spoken == ["one two three four five"]


def test_a_remark_is_no_reply_whose_latency_counts() -> None:
    async def story() -> Stage:
        stage = Stage(EchoBrain("hello there", {"yes": []}), "yes")
        await stage.answer()
        await stage.silence(1.0)
        await stage.speak(0.4)
        stage.session.say_when_silent("one moment")
        await stage.silence(1.5)
        return stage

    started = run(story()).of(ReplyStarted)[-1]
    assert isinstance(started, ReplyStarted)
    assert started.text == "one moment"
    assert started.latency.voice_to_voice_ms is None


def test_the_brain_goes_on_once_a_tool_has_answered() -> None:
    async def story() -> Stage:
        brain = EchoBrain("hello there", {DONE.content: [Say("it is seven")]})
        stage = Stage(brain)
        await stage.answer()
        await stage.silence(1.0)
        stage.session.tool_began()
        await stage.silence(9.0)
        assert stage.brain.asked == []
        stage.session.tool_ended(DONE)
        await stage.silence(2.0)
        return stage

    assert run(story()).said()[-1] == ("assistant", "it is seven")


def test_the_brain_waits_for_the_last_of_several_tools() -> None:
    async def story() -> Stage:
        stage = Stage(EchoBrain("hello there", {DONE.content: [Say("it is seven")]}))
        await stage.answer()
        await stage.silence(1.0)
        stage.session.tool_began()
        stage.session.tool_began()
        stage.session.tool_ended(DONE)
        await stage.silence(1.0)
        assert stage.brain.asked == []
        stage.session.tool_ended(DONE)
        await stage.silence(1.5)
        return stage

    assert run(story()).brain.asked == [["hello there", DONE.content, DONE.content]]


def test_an_answer_prepared_before_a_result_came_is_prepared_again() -> None:
    async def story() -> Stage:
        stage = Stage(EchoBrain("hello there"), "and what is it")
        await stage.answer()
        await stage.silence(1.0)
        stage.session.tool_began()
        await stage.speak(0.4)
        await stage.silence(0.2)
        stage.session.tool_ended(DONE)
        await stage.silence(2.5)
        return stage

    stage = run(story())
    assert stage.brain.asked[-1] == ["hello there", DONE.content, "and what is it"]
    assert [m for m in stage.said() if m[0] == "assistant"] == [
        ("assistant", "hello there"),
        ("assistant", "you said and what is it"),
    ]


def test_a_result_that_needs_no_words_is_only_kept() -> None:
    async def story() -> Stage:
        stage = Stage(EchoBrain("hello there"))
        await stage.answer()
        await stage.silence(1.0)
        stage.session.tool_began()
        stage.session.tool_ended(PRESSED, ask=False)
        await stage.silence(3.0)
        return stage

    stage = run(story())
    assert stage.brain.asked == []
    assert stage.said()[-1] == ("tool", PRESSED.content)


def test_whoever_speaks_on_is_known_to_speak() -> None:
    async def story() -> list[tuple[bool, bool]]:
        stage = Stage(EchoBrain("hello there"), "yes")
        await stage.answer()
        seen = [(stage.session.they_speak, stage.session.is_silent)]
        await stage.silence(1.0)
        seen.append((stage.session.they_speak, stage.session.is_silent))
        await stage.speak(20.0)
        seen.append((stage.session.they_speak, stage.session.is_silent))
        return seen

    assert run(story()) == [(False, False), (False, True), (True, False)]


def test_a_conversation_that_is_over_takes_nothing_more() -> None:
    async def story() -> Stage:
        stage = Stage(EchoBrain("hello there"))
        await stage.answer()
        await stage.silence(1.0)
        stage.session.tool_began()
        stage.session.stop(now())
        stage.session.tool_ended(DONE)
        stage.session.inject("too late")
        stage.session.say_when_silent("too late")
        await stage.silence(1.0)
        return stage

    stage = run(story())
    assert stage.said() == [("assistant", "hello there")]
    assert not stage.of(EngineFailed)
    assert not stage.of(TurnEnded)
    assert isinstance(stage.session.messages[0], Message)
