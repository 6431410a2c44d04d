import asyncio

import pytest

from pipeline.events import EngineFailed, ReplyStarted, ToolRequested, TurnEnded
from pipeline.ports import Act, Say
from tests.pipeline.stage import EchoBrain, Stage
from tests.virtual_time import run


def test_the_opening_goes_out_in_the_tick_after_the_answer() -> None:
    async def story() -> Stage:
        stage = Stage(EchoBrain("good morning"))
        await stage.answer()
        await stage.silence(1.0)
        return stage

    stage = run(story())
    assert stage.played[0]
    assert stage.said() == [("assistant", "good morning")]


def test_an_answered_question_is_replied_to_within_half_a_second_of_its_end() -> None:
    async def story() -> Stage:
        stage = Stage(EchoBrain("is this bobby"), "yes")
        await stage.answer()
        await stage.silence(1.0)
        await stage.speak(0.5)
        await stage.silence(1.5)
        return stage

    stage = run(story())
    reply = stage.of(ReplyStarted)[-1]
    assert isinstance(reply, ReplyStarted)
    assert reply.latency.voice_to_voice_ms is not None
    assert 200 <= reply.latency.voice_to_voice_ms <= 300
    assert stage.said()[1:] == [("user", "yes"), ("assistant", "you said yes")]


def test_the_reply_is_ready_before_the_turn_is_over() -> None:
    async def story() -> Stage:
        stage = Stage(EchoBrain("is this bobby"), "i will see about it")
        await stage.answer()
        await stage.silence(1.0)
        await stage.speak(0.5)
        await stage.silence(0.2)
        return stage

    stage = run(story())
    assert "you said i will see about it" in stage.voice.spoken
    assert not stage.of(TurnEnded)


def test_a_prepared_reply_leaves_no_trace_when_they_go_on() -> None:
    async def story() -> Stage:
        stage = Stage(EchoBrain("yes please"), "i can pay", "i can pay on friday")
        await stage.answer()
        await stage.silence(1.0)
        await stage.speak(0.5)
        await stage.silence(0.2)
        await stage.speak(0.5)
        await stage.silence(3.0)
        return stage

    stage = run(story())
    assert stage.said()[1:] == [
        ("user", "i can pay on friday"),
        ("assistant", "you said i can pay on friday"),
    ]
    assert stage.transcriber.stretches[1] > stage.transcriber.stretches[0]


def test_an_interrupted_sentence_is_recorded_as_far_as_it_was_heard() -> None:
    async def story() -> Stage:
        stage = Stage(EchoBrain("one two three four five six seven eight nine ten"), "stop it")
        await stage.answer()
        await stage.silence(1.24)
        await stage.speak(0.9)
        await stage.silence(0.25)
        return stage

    stage = run(story())
    message = stage.session.messages[0]
    assert message.content == "one two three four five six"
    assert message.intended.endswith("nine ten")
    assert message.interrupted
    assert stage.interruptions == 1


def test_we_fall_silent_within_a_fifth_of_a_second_of_an_interruption() -> None:
    async def story() -> tuple[Stage, int]:
        stage = Stage(EchoBrain("one two three four five six seven eight nine ten"))
        await stage.answer()
        await stage.silence(1.4)
        before = len(stage.played)
        await stage.speak(1.0)
        return stage, before

    stage, before = run(story())
    last_voiced = max(index for index, voiced in enumerate(stage.played) if voiced)
    assert (last_voiced - before + 1) * 20 <= 200


@pytest.mark.parametrize("text", ["", "uh huh", "okay"])
def test_a_cough_or_a_listening_sound_only_pauses_us(text: str) -> None:
    async def story() -> Stage:
        stage = Stage(EchoBrain("one two three four five six seven eight nine ten"), text)
        await stage.answer()
        await stage.silence(1.4)
        await stage.speak(0.3)
        await stage.silence(3.0)
        return stage

    stage = run(story())
    assert stage.said() == [("assistant", "one two three four five six seven eight nine ten")]
    assert sum(stage.played) == 100
    assert stage.interruptions == 0


def test_a_cough_before_our_reply_does_not_cancel_it() -> None:
    async def story() -> Stage:
        brain = EchoBrain("hello there", thinks_s=0.8)
        stage = Stage(brain, "yes", "")
        await stage.answer()
        await stage.silence(1.0)
        await stage.speak(0.4)
        await stage.silence(0.5)
        await stage.speak(0.1)
        await stage.silence(3.0)
        return stage

    assert run(story()).said()[1:] == [("user", "yes"), ("assistant", "you said yes")]


def test_words_before_our_reply_began_are_answered_together_with_the_turn() -> None:
    async def story() -> Stage:
        brain = EchoBrain("hello there", thinks_s=0.8)
        stage = Stage(brain, "yes", "but not today")
        await stage.answer()
        await stage.silence(1.0)
        await stage.speak(0.4)
        await stage.silence(0.6)
        await stage.speak(0.4)
        await stage.silence(3.0)
        return stage

    stage = run(story())
    assert stage.said()[1:] == [
        ("user", "yes"),
        ("user", "but not today"),
        ("assistant", "you said but not today"),
    ]


def test_tools_run_only_after_the_words_before_them_are_out() -> None:
    async def story() -> Stage:
        goodbye = [Say("thank you goodbye"), Act("end_call", {"reason": "agent_hangup"})]
        stage = Stage(EchoBrain("hello there", {"bye": goodbye}), "bye")
        await stage.answer()
        await stage.silence(1.0)
        await stage.speak(0.4)
        await stage.silence(2.5)
        return stage

    stage = run(story())
    names = [type(event).__name__ for event in stage.events]
    assert names[-2:] == ["Spoken", "ToolRequested"]
    tool = stage.of(ToolRequested)[0]
    assert isinstance(tool, ToolRequested)
    assert tool.name == "end_call"


def test_a_long_silence_is_an_empty_turn() -> None:
    async def story() -> Stage:
        stage = Stage(EchoBrain("hello there", {"": [Say("are you still there")]}))
        await stage.answer()
        await stage.silence(9.0)
        return stage

    assert run(story()).said()[:3] == [
        ("assistant", "hello there"),
        ("user", ""),
        ("assistant", "are you still there"),
    ]


def test_a_brain_that_says_nothing_is_asked_again_after_two_seconds_of_silence() -> None:
    async def story() -> Stage:
        brain = EchoBrain("hi", {"after the tone": [], "": [Say("please call back")]})
        stage = Stage(brain, "after the tone")
        await stage.answer()
        await stage.silence(0.5)
        await stage.speak(2.0)
        await stage.silence(3.2)
        return stage

    stage = run(story())
    assert ("user", "after the tone") in stage.said()
    assert "please call back" in stage.voice.spoken


def test_a_lost_recogniser_is_asked_once_more() -> None:
    async def story() -> Stage:
        stage = Stage(EchoBrain("hello there"), RuntimeError("lost"), "yes")
        await stage.answer()
        await stage.silence(1.0)
        await stage.speak(0.4)
        await stage.silence(1.5)
        return stage

    stage = run(story())
    assert ("user", "yes") in stage.said()
    assert not stage.of(EngineFailed)


def test_a_recogniser_that_stays_lost_fails_the_conversation() -> None:
    async def story() -> Stage:
        stage = Stage(EchoBrain("hello there"), RuntimeError("lost"), RuntimeError("lost"))
        await stage.answer()
        await stage.silence(1.0)
        await stage.speak(0.4)
        await stage.silence(1.5)
        return stage

    assert run(story()).of(EngineFailed)


def test_a_voice_that_stays_lost_fails_the_conversation() -> None:
    async def story() -> Stage:
        stage = Stage(EchoBrain("hello there"))
        stage.voice.fails = 2
        await stage.answer()
        await stage.silence(0.5)
        return stage

    assert run(story()).of(EngineFailed)


def test_the_end_of_the_leg_records_what_was_heard_so_far_of_both() -> None:
    async def story() -> Stage:
        stage = Stage(EchoBrain("one two three four five six seven eight nine ten"))
        await stage.answer()
        await stage.silence(0.5)
        stage.session.stop(0.0)
        await stage.silence(0.5)
        return stage

    stage = run(story())
    assert stage.said() == [("assistant", "one two")]


def test_words_spoken_just_before_the_leg_ends_are_in_the_record() -> None:
    async def story() -> Stage:
        stage = Stage(EchoBrain("is it confirmed"), "yes confirmed")
        await stage.answer()
        await stage.silence(1.0)
        await stage.speak(0.5)
        await stage.session.finish(asyncio.get_running_loop().time())
        return stage

    assert run(story()).said()[-1] == ("user", "yes confirmed")


def test_a_turn_that_was_recognised_when_the_leg_ended_is_recorded_once() -> None:
    async def story() -> Stage:
        stage = Stage(EchoBrain("is it confirmed"), "yes confirmed", "yes confirmed", takes_s=0.1)
        await stage.answer()
        await stage.silence(1.0)
        await stage.speak(0.5)
        await stage.silence(0.24)
        stage.transcriber.takes_s = 0.6
        await stage.session.finish(asyncio.get_running_loop().time())
        return stage

    assert run(story()).said()[1:] == [("user", "yes confirmed")]


def test_a_click_before_the_first_word_does_not_throw_the_opening_away() -> None:
    async def story() -> Stage:
        stage = Stage(EchoBrain("good morning"), "")
        stage.voice.takes_s = 0.5
        preparing = asyncio.ensure_future(stage.session.prepare())
        stage.session.answered(asyncio.get_running_loop().time())
        await stage.silence(0.06)
        await stage.speak(0.1)
        await stage.silence(1.5)
        await preparing
        return stage

    assert run(story()).said() == [("assistant", "good morning")]


def test_we_do_not_hang_up_on_someone_who_has_begun_to_speak() -> None:
    async def story() -> Stage:
        goodbye = [Say("thank you very much goodbye"), Act("end_call")]
        stage = Stage(EchoBrain("hello there", {"bye": goodbye}), "bye", "wait i have a question")
        await stage.answer()
        await stage.silence(1.0)
        await stage.speak(0.4)
        await stage.silence(1.0)
        await stage.speak(0.9)
        await stage.silence(2.0)
        return stage

    stage = run(story())
    assert not stage.of(ToolRequested)
    assert ("user", "wait i have a question") in stage.said()


def test_a_brain_that_fails_in_any_way_fails_the_conversation() -> None:
    async def story() -> Stage:
        brain = EchoBrain("hello there")
        brain.answers = None  # type: ignore[assignment]
        stage = Stage(brain, "yes")
        await stage.answer()
        await stage.silence(1.0)
        await stage.speak(0.4)
        await stage.silence(1.0)
        return stage

    assert run(story()).of(EngineFailed)


def test_an_interruption_between_slow_clauses_is_no_answer_in_our_tail() -> None:
    async def story() -> Stage:
        stage = Stage(
            EchoBrain("hello there. this is the second sentence. and the third"), "stop it"
        )
        stage.voice.takes_s = 0.45
        await stage.answer()
        await stage.silence(0.8)
        await stage.speak(0.9)
        await stage.silence(1.0)
        return stage

    stage = run(story())
    assert stage.interruptions == 1
    assert stage.session.messages[0].interrupted


def test_the_callee_may_speak_before_a_slow_brain_is_warm() -> None:
    async def story() -> Stage:
        brain = EchoBrain("good morning", prepares_s=3.0)
        stage = Stage(brain, "hello")
        preparing = asyncio.ensure_future(stage.session.prepare())
        await asyncio.sleep(0.05)
        stage.session.answered(asyncio.get_running_loop().time())
        await stage.silence(1.0)
        preparing.cancel()
        return stage

    assert run(story()).said() == [("assistant", "good morning")]


def test_forced_speech_drops_what_was_being_said() -> None:
    async def story() -> Stage:
        stage = Stage(EchoBrain("one two three four five six seven eight nine ten"))
        await stage.answer()
        await stage.silence(0.5)
        stage.session.say("wait a moment")
        await stage.silence(1.0)
        return stage

    assert run(story()).said() == [("assistant", "one two"), ("assistant", "wait a moment")]
