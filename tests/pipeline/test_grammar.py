"""JSON Schemas as grammars: what a model of random weights cannot but write."""

import json
from collections.abc import AsyncIterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from models import llama
from models.llama import LlamaModel
from pipeline.brain import LlmBrain
from pipeline.errors import ToolInvalid
from pipeline.grammar import gbnf
from pipeline.ports import Act, Message, Say
from pipeline.task import Sampling, Task
from pipeline.tools import ToolSpec, grammar, offered
from tests.models import tiny

pytestmark = pytest.mark.skipif(
    find_spec("llama_cpp") is None, reason="llama-cpp-python is not installed (extra `llm`)"
)

SHORT = {"type": "string", "pattern": "^[a-z]{0,4}$"}
SCHEMAS: list[dict[str, Any]] = [
    {"type": "object", "properties": {}},
    {"type": "object", "properties": {"a": SHORT, "b": SHORT}, "required": ["b"]},
    {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "number"}}},
    {"type": "object", "properties": {"a": {"type": ["boolean", "null"]}, "b": {"const": "x"}}},
    {"type": "object", "properties": {"é \"\\": {"enum": ["a\nb", "\"", "ü", 3, None]}},
     "required": ["é \"\\"]},
    {"type": "array", "items": SHORT, "minItems": 2, "maxItems": 3},
    {"type": "array", "items": {"type": "boolean"}, "maxItems": 0},
    {"type": "array", "items": {"type": "boolean"}, "minItems": 1, "maxItems": 1},
    {"anyOf": [{"type": "boolean"}, {"type": "array", "items": {"type": "null"}}]},
    {"type": "string", "pattern": "^[0-9*#]{1,20}$"},
    {"type": "object", "required": ["a"], "properties": {
        "a": {"type": "object", "properties": {"b": {"type": "array", "items": {"enum": ["x"]}}}}}},
]  # fmt: skip


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> llama.LlamaEngine:
    """Random weights: what is well formed is the grammar's doing."""
    path = tiny.gguf_model(tmp_path_factory.mktemp("grammar") / "tiny.gguf")
    return llama.load(str(path), 4096, 4)


def write(engine: llama.LlamaEngine, rules: str, question: str, temperature: float) -> str:
    """What the model answers under a grammar."""
    pieces = engine.generate("a", [("user", question)], rules, None, 2000, temperature)
    return "".join(piece for piece in pieces if piece)


@pytest.mark.parametrize("schema", SCHEMAS, ids=range(len(SCHEMAS)))
def test_whatever_is_written_fits_the_schema(
    engine: llama.LlamaEngine, schema: dict[str, Any]
) -> None:
    for temperature in (0.0, 1.0, 3.0):
        text = write(engine, gbnf(schema), f"{temperature}", temperature)
        Draft202012Validator(schema).validate(json.loads(text))


def test_strings_have_the_length_they_may_have(engine: llama.LlamaEngine) -> None:
    rules = gbnf({"type": "string", "minLength": 3, "maxLength": 5})
    for temperature in (0.0, 1.0, 3.0):
        text = json.loads(write(engine, rules, "say", temperature))
        broken = text.count("\ufffd")  # chance writes bytes that are no characters
        assert 3 - 3 * broken <= len(text) <= 5 + 3 * broken


def test_every_built_in_tool_can_be_called(engine: llama.LlamaEngine) -> None:
    for spec in offered((), {"Joe": "joe@vello.io", "Desk": "+14155550100"}):
        call = json.loads(write(engine, grammar([spec]).replace("{0,2}", "{0,0}"), spec.name, 1.0))
        assert call["name"] == spec.name
        assert spec.check(call["arguments"])


def test_a_value_of_any_kind_comes_to_an_end(engine: llama.LlamaEngine) -> None:
    for question in "abc":
        json.loads(write(engine, gbnf({"$ref": "#/$defs/x"}), question, 2.0))


def test_a_schema_without_values_is_refused() -> None:
    with pytest.raises(ToolInvalid):
        gbnf({"anyOf": []})


ROOM = ToolSpec("room", "books a room", {
    "type": "object",
    "properties": {"beds": {"type": "integer"}, "view": {"enum": ["sea", "yard"]}},
    "required": ["beds", "view"],
})  # fmt: skip
HEARD = [
    Message("assistant", "This is an automated assistant. How many beds?"),
    Message("user", "two please"),
]


@pytest.fixture
async def model(tmp_path: Path) -> AsyncIterator[LlamaModel]:
    """A model that says "Sure." and wants a tool, and whose further words are chance."""
    path = tiny.gguf_model(tmp_path / "calling.gguf", chain=["Sure", ".", "Ġ<to", "ol", ">{Ġx"])
    model = LlamaModel(path)
    await model.start()
    yield model
    await model.close()


async def test_chance_itself_calls_a_tool_that_fits(model: LlamaModel) -> None:
    for temperature in (0.0, 0.8, 2.0):
        # Chance rarely ends a long text, so this call may only book rooms.
        task = Task("Book", tools=(ROOM,), sampling=Sampling(temperature, 20))
        brain = LlmBrain(task, model, "c")
        brain._tools = (ROOM,)
        steps = [step async for step in brain.reply(HEARD)]
        assert "".join(step.text for step in steps if isinstance(step, Say)).strip() == "Sure."
        acts = [step for step in steps if isinstance(step, Act)]
        assert 1 <= len(acts) <= 3
        assert all(act.name == "room" and ROOM.check(act.arguments) for act in acts)


async def test_a_reply_left_within_its_tool_call_leaves_the_model_free(model: LlamaModel) -> None:
    brain = LlmBrain(Task("Book", sampling=Sampling(0.0, 20)), model, "c")
    steps = brain.reply(HEARD)
    async for step in steps:
        if isinstance(step, Say) and step.finished:
            break
    await steps.aclose()
    assert [step async for step in brain.reply(HEARD)]
