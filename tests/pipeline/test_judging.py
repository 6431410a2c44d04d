"""Criteria judged by what the other side said."""

import json

import pytest

from pipeline.errors import AnswerInvalid
from pipeline.judging import Criterion, judge_by_model, judge_by_rules
from pipeline.ports import Act, Message
from pipeline.tools import result
from tests.pipeline.test_brain import Recital

OUTDOOR = "Outdoor seating is possible"


def talk(*lines: str) -> list[Message]:
    """A conversation; the agent begins."""
    return [Message("user" if at % 2 else "assistant", text) for at, text in enumerate(lines)]


@pytest.mark.parametrize(
    ("criterion", "lines", "evidence"),
    [
        (OUTDOOR, ["Is outdoor seating possible?", "yes"], "yes"),
        (OUTDOOR, ["Is outdoor seating possible?", "no only inside"], None),
        (OUTDOOR, ["Hi.", "outdoor seating is possible"], "outdoor seating is possible"),
        (OUTDOOR, ["Is outdoor seating possible?", "yes", "And outdoor seating possible?", "no"],
         None),
        (OUTDOOR, ["Is outdoor seating possible?", "what is outdoor seating possible"], None),
        (OUTDOOR, ["Outdoor seating is possible.", ""], None),
        (OUTDOOR, ["Can you book it?", "yes"], None),
        ("The parties agree on the final price", ["Is the final price okay?", "yes i agree"],
         "yes i agree"),
        ("The customer", ["Are you the customer?", "yes"], None),
        (OUTDOOR, ["Is outdoor seating possible?", "please leave a message after the tone"], None),
    ],
)  # fmt: skip
def test_a_criterion_is_met_by_words_of_the_other_side(
    criterion: str, lines: list[str], evidence: str | None
) -> None:
    expected = Criterion(criterion, evidence is not None, evidence)
    assert judge_by_rules([criterion], talk(*lines)) == (expected,)


def test_what_a_tool_did_is_no_evidence() -> None:
    came = result(Act("note", {}), ok=True, value="outdoor seating is possible")
    assert not judge_by_rules([OUTDOOR], [came])[0].met


SAID = talk("Is outdoor seating possible?", "sure we have outdoor seating", "Thanks.", "bye")


async def test_a_model_judges_and_quotes() -> None:
    quote = "sure we have outdoor seating"
    model = Recital(json.dumps([{"met": True, "evidence": quote}, {"met": False, "evidence": ""}]))
    assert await judge_by_model(model, "j", [OUTDOOR, "A name is given"], SAID) == (
        Criterion(OUTDOOR, True, quote),
        Criterion("A name is given", False),
    )
    assert quote in str(model.grammars[0])
    assert "Is outdoor seating possible" not in str(model.grammars[0])
    assert model.released == "j"


async def test_a_verdict_without_a_quote_is_none() -> None:
    model = Recital(json.dumps([{"met": True, "evidence": ""}]))
    assert await judge_by_model(model, "j", [OUTDOOR], SAID) == (Criterion(OUTDOOR, False),)


@pytest.mark.parametrize(
    "text", ["", "[]", json.dumps([{"met": True, "evidence": "Is outdoor seating possible?"}])]
)
async def test_words_that_the_callee_has_not_said_are_refused(text: str) -> None:
    with pytest.raises(AnswerInvalid):
        await judge_by_model(Recital(text), "j", [OUTDOOR], SAID)


async def test_where_nobody_spoke_no_model_is_asked() -> None:
    assert await judge_by_model(Recital(), "j", [OUTDOOR], talk("Hello?", "")) == (
        Criterion(OUTDOOR, False),
    )
