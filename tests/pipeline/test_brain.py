"""The language model's brain, with the model's words given."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest

from pipeline.brain import LlmBrain, SpeechStream
from pipeline.ports import Act, Message, Say
from pipeline.prompt import TOOL_GRAMMAR, TOOLS, parse_tool, system_prompt
from tests.pipeline.conversation import DEBT, RESTAURANT, collect


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


def reply(model: Recital, *messages: Message) -> list[Say | Act]:
    return asyncio.run(collect(LlmBrain(DEBT, model, "c"), messages or (USER,)))


def test_text_is_spoken_by_sentences() -> None:
    steps = reply(Recital("Great, thank you. That is $154.56 for Dr. Lee. Is that okay?"))
    assert steps == [
        Say("Great, thank you."),
        Say("That is $154.56 for Dr. Lee."),
        Say("Is that okay?"),
    ]


def test_the_first_words_may_end_at_a_comma() -> None:
    stream = SpeechStream()
    text = "Thank you for telling me that, I will pass it on. "
    said = [clause for char in text for clause in stream.feed(char)]
    assert [*said, *stream.finish()] == ["Thank you for telling me that,", "I will pass it on."]


def test_a_tool_call_is_done_and_not_spoken() -> None:
    steps = reply(
        Recital('Thank you. Goodbye.\n<tool>{"name": "end_call", "reason": "agent_hangup"}')
    )
    assert steps == [
        Say("Thank you."),
        Say("Goodbye."),
        Act("end_call", {"reason": "agent_hangup"}),
    ]


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
    assert reply(Recital(""))[0] == Say("Sorry, could you say that again, please?")


def test_addresses_marks_and_thoughts_are_not_spoken() -> None:
    steps = reply(Recital("<think>hm. so.</think>**Sure.** Go to https://pay.vello.io/x now."))
    assert steps == [Say("Sure."), Say("Go to the link now.")]


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
