import asyncio
from collections.abc import AsyncIterator

import pytest

from media.pacer import Pacer
from pipeline.ports import Act, Say
from pipeline.speech import Utterance, clauses
from tests.pipeline.stage import ToneVoice
from tests.virtual_time import run


@pytest.mark.parametrize(
    ("text", "done", "rest"),
    [
        ("Hello. How are you", ["Hello."], "How are you"),
        ("Dr. Smith is here. Really? yes", ["Dr. Smith is here.", "Really?"], "yes"),
        ("It costs 3.50 today. Fine", ["It costs 3.50 today."], "Fine"),
        ("no end yet", [], "no end yet"),
        ("A full stop.", [], "A full stop."),
    ],
)
def test_sentences_are_cut_where_the_next_one_begins(text: str, done: list[str], rest: str) -> None:
    assert clauses(text, first=False) == (done, rest)


def test_only_the_first_clause_may_end_at_a_comma() -> None:
    text = "I am calling about your order, which is late"
    assert clauses(text, first=True) == (["I am calling about your order,"], "which is late")
    assert clauses(text, first=False) == ([], text)


def test_a_short_beginning_is_not_cut_at_its_comma() -> None:
    assert clauses("Well, yes it is", first=True) == ([], "Well, yes it is")


def test_words_before_a_tool_call_are_voiced_while_the_call_is_being_written() -> None:
    async def story() -> None:
        called = asyncio.Event()

        async def pieces() -> AsyncIterator[Say | Act]:
            yield Say("Let me see")
            yield Say("", finished=True)
            await called.wait()
            yield Act("order_status", {})

        voice, pacer = ToneVoice(), Pacer(8000)
        reply = Utterance(pieces(), voice, pacer, 8000, lambda _: None, lambda _: None)
        reply.release()
        await asyncio.sleep(0.1)
        assert (voice.spoken, reply.acts) == (["Let me see"], [])
        called.set()
        await asyncio.sleep(0.1)
        assert [act.name for act in reply.acts] == ["order_status"]
        assert voice.spoken == ["Let me see"]

    run(story())
