"""Persona files: all valid, and the right line for what was heard."""

import pytest
from pydantic import ValidationError

from bench.fuzzy import likeness, resembles, spoken_form
from bench.persona import Expect, Line, Persona, names
from bench.persona_brain import PersonaBrain
from bench.requests import REQUESTS
from pipeline.ports import Message, Say
from server.calls.request import CallRequest

EXPECT = Expect(success=True, disposition=None, ended_reason="agent_hangup")


def persona(*lines: Line, **fields: object) -> Persona:
    return Persona(about="test", lines=list(lines), expect=EXPECT, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", names())
def test_every_scenario_file_is_valid(name: str) -> None:
    assert Persona.load(name).about


def test_the_promised_scenarios_are_there() -> None:
    assert set(names()) == {
        "agrees", "asks-later", "busy", "disputes", "interrupts", "no-answer",
        "refuses", "restaurant", "voicemail", "wrong-person",
    }  # fmt: skip


def test_an_unknown_scenario_names_those_that_exist() -> None:
    with pytest.raises(ValueError, match="agrees"):
        Persona.load("nobody")


@pytest.mark.parametrize("name", sorted(REQUESTS))
def test_the_requests_are_valid_native_bodies(name: str) -> None:
    assert CallRequest.model_validate(REQUESTS[name])


def test_digits_in_a_line_are_refused() -> None:
    with pytest.raises(ValidationError):
        Line(when="any", say="at 7 tonight")


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(ValidationError):
        persona(loudness=3)


def test_a_misheard_phrase_still_fits() -> None:
    assert resembles("is this bobby", spoken_form("Hi, is this Bobbie?"))


def test_another_phrase_does_not_fit() -> None:
    assert not resembles("is this bobby", "please leave a message")


def test_letters_inside_a_longer_word_do_not_count() -> None:
    assert likeness("pay", "the repayment plan") < 78


def test_the_first_line_that_fits_answers() -> None:
    one = persona(Line(when=["pay"], say="yes"), Line(when="any", say="what"))
    assert one.line_for("can you pay") == Line(when=["pay"], say="yes")
    assert one.line_for("good morning") == Line(when="any", say="what")


def test_a_once_line_that_was_said_is_used_up() -> None:
    one = persona(Line(when=["bobby"], say="speaking", once=True), default="go on")
    answers = [one.line_for("is this bobby", said) for said in ([], ["speaking"])]
    assert [line.say for line in answers if line] == ["speaking", "go on"]


def test_a_long_silence_is_answered_only_where_the_persona_says_so() -> None:
    assert persona(default="okay").line_for("") is None
    line = persona(silence="hello").line_for("")
    assert line is not None
    assert line.say == "hello"


async def test_words_that_nobody_heard_do_not_use_up_a_line() -> None:
    brain = PersonaBrain(persona(Line(when=["pay"], say="okay", once=True)))
    cut_off = Message("assistant", "", intended="okay", interrupted=True)
    messages = [Message("user", "can you pay"), cut_off, Message("user", "pay today")]
    assert [piece async for piece in brain.reply(messages)] == [Say("okay")]
