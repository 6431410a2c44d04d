"""Plans of objectives, by rules and by a model."""

import json
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from models import llama
from models.llama import LlamaModel
from pipeline.errors import AnswerInvalid
from pipeline.grammar import gbnf
from pipeline.plan import SCHEMA, Plan, plan_by_model, plan_by_rules, plan_call
from pipeline.task import Task
from tests.models import tiny
from tests.pipeline.conversation import DEBT, FACTS, RESTAURANT
from tests.pipeline.test_brain import Recital

BUYER = Task(
    "Connect the buyer and seller to negotiate the final price. Facilitate the discussion.",
    persona="A professional meeting facilitator",
)
TEST_CALL = Task(
    "Call to confirm that the API integration is working. "
    "Say hello, chat briefly, then say goodbye."
)


def test_a_reservation() -> None:
    assert plan_by_rules(RESTAURANT) == Plan(
        "Call the restaurant to make a dinner reservation for 2 people at 7pm tonight.",
        (
            "Say that an automated assistant is calling",
            "Make a dinner reservation for 2 people at 7pm tonight",
            "Give the details when asked: 2 people, 7pm tonight",
            "Ask for outdoor seating",
            "Thank them and say goodbye",
        ),
        ("The reservation is confirmed", "Outdoor seating is possible"),
        conference=False,
    )


def test_a_negotiation_between_two_numbers_is_a_conference() -> None:
    plan = plan_by_rules(BUYER, numbers=2)
    assert plan.conference
    assert "Introduce the parties to each other" in plan.talking_points
    assert "Facilitate the discussion" in plan.talking_points
    assert plan.success_criteria == (
        "All parties joined the call",
        "The parties agree on the final price",
    )


def test_a_conference_needs_numbers_and_an_objective_that_wants_one() -> None:
    assert not plan_by_rules(BUYER, numbers=1).conference
    assert not plan_by_rules(RESTAURANT, numbers=2).conference


def test_a_collection() -> None:
    plan = plan_by_rules(replace(DEBT, recorded=True))
    assert plan.summary.startswith("Call Bobby for Vello to collect $154.56")
    assert plan.talking_points[:5] == (
        "Say that an automated assistant is calling for Vello, and that the call is recorded",
        "Make sure that this is Bobby",
        "Collect $154.56 from Bobby for SMS credits",
        "Offer payment link",
        "Escalate if refused",
    )
    assert "Keep to the limits: no discounts, no credit-reporting threats" in plan.talking_points
    assert plan.success_criteria == ("Reached Bobby", "Bobby agrees to pay $154.56")


def test_a_plan_names_no_secret_and_no_address() -> None:
    plan = plan_by_rules(replace(DEBT, facts={**FACTS, "ssn": "123-45-6789"}))
    assert "6789" not in str(plan)
    assert "pay.vello.io" not in str(plan)


def test_a_test_call() -> None:
    plan = plan_by_rules(TEST_CALL)
    assert plan.summary == TEST_CALL.goal
    assert plan.talking_points == (
        "Say that an automated assistant is calling",
        "Confirm that the API integration is working",
        "Say hello, chat briefly, then say goodbye",
    )
    assert plan.success_criteria == ("The other side confirms that the API integration is working",)


@pytest.mark.parametrize(
    "goal", ["", "Hi", "?", "a; b; c", "Ask if they are open on Sunday", "x" * 2000, "Tell\nAnna"]
)
def test_every_objective_has_a_plan(goal: str) -> None:
    plan = plan_by_rules(Task(goal))
    assert plan.summary
    assert len(plan.summary) <= 320
    assert plan.talking_points
    assert plan.success_criteria


ANSWER = {
    "summary": "Books a table for two.",
    "talking_points": ["Ask for a table"],
    "success_criteria": ["The table is booked"],
    "conference": True,
}


async def test_a_model_plans_under_a_grammar() -> None:
    model = Recital(json.dumps(ANSWER))
    plan = await plan_by_model(model, "plan-1", RESTAURANT)
    assert plan == Plan(
        "Books a table for two.", ("Ask for a table",), ("The table is booked",), conference=False
    )
    assert model.grammars == [gbnf(SCHEMA)]
    assert model.released == "plan-1"
    assert "prefer outdoor seating" in model.prompts[0][-1][1]


@pytest.mark.parametrize("text", ["", "{", json.dumps({**ANSWER, "talking_points": []})])
async def test_a_model_that_fails_is_not_replaced_in_silence(text: str) -> None:
    model = Recital(text)
    with pytest.raises(AnswerInvalid):
        await plan_call(RESTAURANT, 1, model, "plan-1")
    assert model.released == "plan-1"


async def test_without_a_model_rules_plan() -> None:
    assert await plan_call(BUYER, 2, None, "plan-1") == plan_by_rules(BUYER, 2)


@pytest.mark.skipif(find_spec("llama_cpp") is None, reason="llama-cpp-python is not installed")
def test_chance_itself_writes_a_plan(tmp_path: Path) -> None:
    engine = llama.load(str(tiny.gguf_model(tmp_path / "tiny.gguf")), 4096, 2)
    pieces = engine.generate("a", [("user", "plan")], gbnf(SCHEMA), None, 3500, 1.0)
    plan = json.loads("".join(piece for piece in pieces if piece))
    # Random bytes may be no characters, so lengths are left aside.
    kinds = {name: {"type": part["type"]} for name, part in SCHEMA["properties"].items()}
    Draft202012Validator({**SCHEMA, "properties": kinds}).validate(plan)


@pytest.mark.skipif(find_spec("llama_cpp") is None, reason="llama-cpp-python is not installed")
async def test_an_engine_that_is_gone_is_reported(tmp_path: Path) -> None:
    model = LlamaModel(tiny.gguf_model(tmp_path / "tiny.gguf"))
    await model.start()
    await model.close()
    with pytest.raises(RuntimeError):
        await plan_call(RESTAURANT, 1, model, "plan-1")
