"""The language model's brain, with the model's words given."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.brain import LlmBrain, SpeechStream
from pipeline.ports import Act, Message, Say
from pipeline.prompt import TOOL_GRAMMAR, TOOLS, parse_tool, system_prompt
from pipeline.speech import clauses
from pipeline.task import Task
from tests.pipeline.conversation import DEBT, FACTS, RESTAURANT, collect


class Recital:
    """A language model that says what it was given, a few letters at a time."""

    def __init__(self, *texts: str) -> None:
        self.texts = list(texts)
        self.prompts: list[Sequence[tuple[str, str]]] = []
        self.grammars: list[str | None] = []
        self.warmed: list[Sequence[tuple[str, str]]] = []
        self.released = ""

    async def warm(self, conversation: str, prompt: Sequence[tuple[str, str]]) -> None:
        self.warmed.append(prompt)

    async def generate(
        self,
        conversation: str,
        prompt: Sequence[tuple[str, str]],
        *,
        grammar: str | None = None,
        max_tokens: int = 200,
        temperature: float = 0.3,
    ) -> AsyncIterator[str]:
        self.prompts.append(prompt)
        self.grammars.append(grammar)
        text = self.texts.pop(0)
        for at in range(0, len(text), 3):
            yield text[at : at + 3]

    def release(self, conversation: str) -> None:
        self.released = conversation


USER = Message("user", "yes i can pay")


OPENED = Message("assistant", "This is an automated assistant. Hi, is this Bobby?")


def reply(model: Recital, *messages: Message, task: Task = DEBT) -> list[Say | Act]:
    return asyncio.run(collect(LlmBrain(task, model, "c"), messages or (OPENED, USER)))


def spoken(steps: Sequence[Say | Act]) -> str:
    """What is said, as one text."""
    return "".join(step.text for step in steps if isinstance(step, Say)).strip()


def streamed(text: str, size: int = 1) -> list[str]:
    """What a stream lets through, some letters at a time."""
    stream = SpeechStream()
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    return [said for piece in pieces for said in stream.feed(piece)] + list(stream.finish())


def test_text_is_passed_on_as_it_comes() -> None:
    text = "Great, thank you. That is $154.56 for Dr. Lee. Is that okay?"
    assert spoken(reply(Recital(text))) == text
    stream = SpeechStream()
    assert "".join(stream.feed("Great, thank you. Th")) == "Great, thank you. Th"


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


@given(st.text(alphabet="<>/tolTOLhink w.:p*_ a\n{}", max_size=60), st.integers(1, 9))
def test_how_the_text_is_cut_changes_nothing(text: str, size: int) -> None:
    assert "".join(streamed(text, size)).strip() == "".join(streamed(text, 1000)).strip()


def test_a_tool_call_is_done_and_not_spoken() -> None:
    steps = reply(
        Recital('Thank you. Goodbye.\n<tool>{"name": "end_call", "reason": "agent_hangup"}')
    )
    assert spoken(steps) == "Thank you. Goodbye."
    assert steps[-1] == Act("end_call", {"reason": "agent_hangup"})


def test_the_disclosure_precedes_the_first_reply_where_the_other_side_begins() -> None:
    task = replace(DEBT, first_message="", recorded=True)
    told = "This is an automated assistant, and this call is recorded."
    hello = Message("user", "hello")
    steps = reply(Recital("Hi, is this Bobby?"), hello, task=task)
    assert steps[0] == Say(told)
    assert spoken(steps[1:]) == "Hi, is this Bobby?"
    again = [hello, Message("assistant", f"{told} Hi, is this Bobby?"), Message("user", "yes")]
    assert spoken(reply(Recital("Fine."), *again, task=task)) == "Fine."
    robot = [hello, Message("assistant", "This is an"), Message("user", "are you a robot")]
    assert reply(Recital(), *robot, task=task)[0] == Say(told)


def test_a_disclosure_that_only_a_screener_heard_is_made_again() -> None:
    screen = "please record your name and reason for calling"
    who = "This is Ava, an automated assistant calling for Vello."
    messages = [OPENED, Message("user", screen), Message("assistant", who), Message("user", "hi")]
    assert reply(Recital("Hello."), *messages)[0] == Say("This is an automated assistant.")


def test_the_model_is_told_to_ask_for_the_person_when_the_opening_does_not() -> None:
    assert "First ask: Is this Bobby?" in system_prompt(replace(DEBT, first_message=""))
    own = system_prompt(replace(DEBT, first_message="Good morning, Bobby?"))
    assert "Once the person is confirmed, say: Hi Bobby" in own


def test_the_model_does_not_know_identifiers() -> None:
    prompt = system_prompt(replace(DEBT, facts={**FACTS, "ssn": "123-45-6789"}))
    assert "6789" not in prompt


def test_several_tools_end_with_the_end_of_the_call() -> None:
    text = (
        'Bye.<tool>{"name": "end_call", "reason": "agent_hangup"}\n'
        '<tool>{"name": "send_message", "text": "Link: x"}'
    )
    names = [step.name for step in reply(Recital(text)) if isinstance(step, Act)]
    assert names == ["send_message", "end_call"]


def test_a_goodbye_ends_the_call_even_if_the_model_forgets() -> None:
    assert reply(Recital("Thanks, goodbye."))[-1] == Act("end_call", {"reason": "agent_hangup"})


def test_a_broken_tool_call_is_written_anew_under_the_grammar() -> None:
    model = Recital(
        "Okay.<tool>escalate please", '{"name": "escalate", "rule": "r", "summary": "s"}'
    )
    assert reply(model)[-1] == Act("escalate", {"rule": "r", "summary": "s"})
    assert model.grammars == [None, TOOL_GRAMMAR]


def test_nothing_but_a_tool_still_gets_a_word() -> None:
    assert reply(Recital('<tool>{"name": "end_call"}'))[0] == Say("Goodbye.")
    assert reply(Recital(" "))[0] == Say("Sorry, could you say that again, please?")


def test_addresses_marks_and_thoughts_are_not_spoken() -> None:
    steps = reply(Recital("<think>hm. so.</think>**Sure.** Go to https://pay.vello.io/x now."))
    assert spoken(steps) == "Sure. Go to the link now."


@pytest.mark.parametrize("text", ["are you a robot", "am i talking to a real person"])
def test_the_truth_about_being_a_machine_is_not_left_to_the_model(text: str) -> None:
    steps = reply(Recital(), Message("assistant", "Can you pay this today?"), Message("user", text))
    assert steps == [
        Say("I'm an automated assistant, not a person."),
        Say("Can you pay this today?"),
    ]


def test_a_machine_that_answers_is_left_to_the_rules() -> None:
    greeting = Message("user", "you have reached bobby please leave a message after the tone")
    assert reply(Recital(), greeting) == []
    steps = reply(Recital(), greeting, Message("user", ""))
    assert steps[-1] == Act("end_call", {"reason": "voicemail_reached"})


def test_three_silences_end_the_call() -> None:
    silence = Message("user", "")
    assert reply(Recital(), USER, silence, silence, silence)[-1] == Act(
        "end_call", {"reason": "agent_hangup"}
    )


def test_the_prompt_holds_what_was_heard_and_only_grows() -> None:
    model = Recital("One.", "Two.")
    brain = LlmBrain(DEBT, model, "c")
    asyncio.run(brain.prepare())
    opening = brain.opening()
    turns = [Message("assistant", opening, opening), USER]
    asyncio.run(collect(brain, turns))
    turns += [
        Message("assistant", "I will send", "I will send you the link.", interrupted=True),
        Message("user", ""),
    ]
    asyncio.run(collect(brain, turns))
    first, second = model.prompts
    assert list(model.warmed[0]) == list(first[:2])
    assert list(first) == list(second[: len(first)])
    assert second[-2:] == [("assistant", "I will send ..."), ("user", "(silence)")]


def test_turns_of_one_side_in_a_row_are_joined() -> None:
    model = Recital("Hi.")
    reply(
        model, Message("user", "yes"), Message("assistant", "", "Hi", True), Message("user", "hm")
    )
    assert model.prompts[0][1:] == [("user", "yes hm")]


def test_the_brief_is_in_the_prompt() -> None:
    prompt = system_prompt(replace(DEBT, recorded=True, persona="Calm"))
    for part in ("- amount_due: $154.56", "no discounts", "Agrees to pay:", "joe@vello.io", "Calm"):
        assert part in prompt
    assert system_prompt(RESTAURANT) == system_prompt(RESTAURANT)


@pytest.mark.parametrize(
    ("text", "act"),
    [
        ('{"name": "send_message", "text": "hi"}', Act("send_message", {"text": "hi"})),
        (
            '{"name": "send_message", "arguments": {"text": "hi"}}',
            Act("send_message", {"text": "hi"}),
        ),
        ('{"name": "send_message", "text": "hi",}', Act("send_message", {"text": "hi"})),
        (
            ' x {"tool": "end_call", "reason": "bored"} y',
            Act("end_call", {"reason": "agent_hangup"}),
        ),
        ('{"name": "rm", "text": "x"}', None),
        ('{"name": "escalate"}', None),
        ("[]", None),
        ("", None),
    ],
)
def test_a_tool_call_is_read_however_it_is_written(text: str, act: Act | None) -> None:
    assert parse_tool(text) == act


def test_the_grammar_names_every_tool() -> None:
    assert all(name in TOOL_GRAMMAR for name in TOOLS)


def test_the_models_state_is_released() -> None:
    model = Recital()
    LlmBrain(DEBT, model, "c7").close()
    assert model.released == "c7"
