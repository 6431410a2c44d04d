"""What of a model's text is let through to the voice."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.ports import Say
from pipeline.speakable import SpeechStream
from pipeline.speech import clauses


def streamed(text: str, size: int = 1) -> list[str]:
    """What a stream lets through, some letters at a time."""
    stream = SpeechStream()
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    says = [say for piece in pieces for say in stream.feed(piece)] + list(stream.finish())
    return [say.text for say in says]


def test_text_is_passed_on_as_it_comes() -> None:
    stream = SpeechStream()
    assert list(stream.feed("Great, thank you. Th")) == [Say("Great, thank you. Th")]


def test_what_was_said_is_finished_once_the_trigger_is_there() -> None:
    stream = SpeechStream()
    assert list(stream.feed("I will see to it<to")) == [Say("I will see to ")]
    assert list(stream.feed("ol>")) == [Say("it", finished=True)]
    assert list(stream.feed('{"name"')) == []
    assert list(stream.finish()) == []
    assert stream.call == '{"name"'


def test_nothing_is_finished_before_a_word() -> None:
    assert list(SpeechStream().feed("<tool>")) == []


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 13])
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("No, I'm not a robot. Fine?", "No, I'm an automated assistant. Fine?"),
        ("I am a real person!", "I am an automated assistant!"),
        ("Sure, I’m definitely not an AI system, sir.", "Sure, I’m an automated assistant, sir."),
        ("You're talking to a human being. Yes", "You're talking to an automated assistant. Yes"),
        ("Yes, this is a real, live person", "Yes, this is an automated assistant"),
        ("<think>I'm a bot</think>**I'm** _really_ human.", "I'm an automated assistant."),
        ("I'm here. I'm not a person, I'm a machine.",
         "I'm here. I'm not a person, I'm a machine."),
        ("I'm in human resources. I'm the right person.",
         "I'm in human resources. I'm the right person."),
    ],
)  # fmt: skip
def test_the_assistant_never_denies_what_it_is(text: str, said: str, size: int) -> None:
    assert "".join(streamed(text, size)).strip() == said


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 13])
def test_clauses_are_cut_the_same_however_the_text_arrives(size: int) -> None:
    text = "Great, thank you. That is $3.50 for Dr. Lee, as agreed. Is that okay?"
    rest, cut = "", list[str]()
    for piece in streamed(text, size):
        done, rest = clauses(rest + piece, first=not cut)
        cut += done
    assert [*cut, rest] == [
        "Great, thank you.", "That is $3.50 for Dr. Lee, as agreed.", "Is that okay?"
    ]  # fmt: skip


@pytest.mark.parametrize("trigger", ["<tool>", " <tool>", "\n< tool >", "<TOOL>", "<Tool>"])
@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 13])
def test_no_part_of_a_tool_call_is_spoken(trigger: str, size: int) -> None:
    text = f'Thank you. Goodbye.{trigger}{{"name": "end_call"}}\n<tool>{{"name": "x"}}'
    assert "".join(streamed(text, size)).strip() == "Thank you. Goodbye."


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 13])
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Fine. <to", "Fine."),
        ("Fine. < tool", "Fine."),
        ("That is a<b, and it stays so for good.", "That is ab, and it stays so for good."),
        ("Assistant: Hello. Agents help.\nAgent: Bye.", "Hello. Agents help. Bye."),
        ("Go to www.vello.io/x or https://pay.vello.io/x now", "Go to the link or the link now"),
        ("Well (silence) then, we **will**.", "Well then, we will."),
        ("<think>No < tool </think>Yes.", "Yes."),
        ("<think>never ends", ""),
    ],
)
def test_what_cannot_be_spoken_is_left_out(text: str, said: str, size: int) -> None:
    assert "".join(streamed(text, size)).strip() == said


PARTS = (
    "< > / t o l T O tool> think> w . : p* _ a \n {} I'm I\tam not an ai human really , this\tis "
    "person http ; a.i. chat bot"
).replace("\t", " ").split(" ")  # fmt: skip


@settings(max_examples=300)
@given(st.lists(st.sampled_from([*PARTS, " "]), max_size=25).map("".join), st.integers(1, 9))
def test_how_the_text_is_cut_changes_nothing(text: str, size: int) -> None:
    assert "".join(streamed(text, size)).strip() == "".join(streamed(text, 1000)).strip()
