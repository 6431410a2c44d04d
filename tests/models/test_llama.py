"""A language model in a child process; the test model has random weights."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from models import llama
from models.errors import EngineCorrupt, EngineError, EngineLost, EngineMissing
from models.llama import LlamaModel
from tests.models import tiny

PROMPT = [("system", "You are on the telephone. " * 8), ("user", "Hello?")]
GRAMMAR = 'root ::= "yes" | "no"'


pytestmark = pytest.mark.skipif(
    find_spec("llama_cpp") is None, reason="llama-cpp-python is not installed (extra `llm`)"
)


@pytest.fixture
async def model(gguf_file: Path) -> AsyncIterator[LlamaModel]:
    model = LlamaModel(gguf_file)
    await model.start()
    yield model
    await model.close()


@pytest.fixture
def engine(gguf_file: Path) -> llama.LlamaEngine:
    """The child's side, in this process."""
    return llama.load(str(gguf_file), 1024, 4)


def steps(engine: llama.LlamaEngine, conversation: str, prompt: object = PROMPT) -> list[str]:
    """Run a warm-up; one entry for each batch but the last."""
    return list(engine.warm(conversation, prompt))  # type: ignore[arg-type]


async def test_a_reply_streams_and_obeys_its_length(model: LlamaModel) -> None:
    pieces = [piece async for piece in model.generate("a", PROMPT, max_tokens=12)]
    assert all(pieces)
    assert len(pieces) <= 12


async def test_a_grammar_is_obeyed(model: LlamaModel) -> None:
    for temperature in (0.0, 1.0):
        reply = model.generate("a", PROMPT, grammar=GRAMMAR, temperature=temperature)
        assert "".join([piece async for piece in reply]) in ("yes", "no")


async def test_a_bad_grammar_is_an_error_and_no_crash(model: LlamaModel) -> None:
    with pytest.raises(EngineError, match="grammar"):
        async for _ in model.generate("a", PROMPT, grammar="root ::= ("):
            pass
    assert model.host.restarts == 0


async def test_conversations_do_not_disturb_each_other(model: LlamaModel) -> None:
    async def reply(conversation: str, question: str) -> str:
        prompt = [PROMPT[0], ("user", question)]
        pieces = model.generate(conversation, prompt, max_tokens=30, temperature=0.0)
        return "".join([piece async for piece in pieces])

    alone = [await reply("x", "Who is it?"), await reply("y", "What is it about?")]
    together = await asyncio.gather(reply("a", "Who is it?"), reply("b", "What is it about?"))
    assert together == alone


async def test_a_reply_can_be_left_in_the_middle(model: LlamaModel) -> None:
    endless = 'root ::= "a" root'
    reply = model.generate("a", PROMPT, grammar=endless, max_tokens=700)
    assert await anext(reply) == "a"
    await reply.aclose()  # type: ignore[attr-defined]
    assert "".join([p async for p in model.generate("a", PROMPT, grammar=GRAMMAR)])


async def test_a_killed_process_is_replaced(model: LlamaModel) -> None:
    await model.warm("a", PROMPT)
    assert model.host.pid is not None
    reply = model.generate("a", PROMPT, grammar='root ::= "a" root', max_tokens=700)
    await anext(reply)
    os.kill(model.host.pid, signal.SIGKILL)
    with pytest.raises(EngineLost):
        async for _ in reply:
            pass
    assert [p async for p in model.generate("a", PROMPT, grammar=GRAMMAR)]


async def test_release_takes_a_name_that_is_not_there(model: LlamaModel) -> None:
    model.release("nobody")
    await model.warm("a", PROMPT)
    model.release("a")
    await model.warm("a", PROMPT)


def test_a_long_prompt_is_evaluated_in_small_batches(engine: llama.LlamaEngine) -> None:
    assert len(steps(engine, "a")) >= 5


def test_a_warm_prompt_is_not_evaluated_again(engine: llama.LlamaEngine) -> None:
    steps(engine, "a")
    assert steps(engine, "a", [*PROMPT, ("assistant", "Hi.")]) == []


def test_a_second_conversation_shares_the_beginning(engine: llama.LlamaEngine) -> None:
    steps(engine, "a")
    assert steps(engine, "b", [PROMPT[0], ("user", "Yes?")]) == []


def test_warming_changes_no_word_of_the_reply(engine: llama.LlamaEngine) -> None:
    def reply(conversation: str) -> list[str | None]:
        return list(engine.generate(conversation, PROMPT, None, None, 20, 0.0))

    cold = [piece for piece in reply("a") if piece]
    engine.release("a")
    steps(engine, "b", PROMPT[:1])
    warm = [piece for piece in reply("c") if piece]
    assert warm == cold


def test_a_new_request_ends_the_one_before(engine: llama.LlamaEngine) -> None:
    first = engine.generate("a", PROMPT, 'root ::= "a" root', None, 700, 0.0)
    while next(first) is None:
        pass
    second = engine.generate("a", PROMPT, GRAMMAR, None, 5, 0.0)
    assert next(second) is not None
    assert list(first) == []


def test_a_prompt_that_can_never_fit_is_refused(engine: llama.LlamaEngine) -> None:
    with pytest.raises(EngineError, match="do not fit"):
        list(engine.generate("a", [("system", "word " * 1000)], None, None, 10, 0.0))


@pytest.fixture
def with_template(tmp_path: Path) -> Path:
    """A model whose template refuses the system role, as some do."""
    template = (
        "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no') }}{% endif %}"
        "<{{ m.role }}>{{ m.content }}{% endfor %}"
        "{% if add_generation_prompt %}<assistant>{% endif %}"
    )
    return tiny.gguf_model(tmp_path / "template.gguf", template=template)


def test_the_files_own_template_is_used(with_template: Path) -> None:
    engine = llama.load(str(with_template), 512, 2)
    text = engine._format.render([("system", "Be kind."), ("user", "Hi")], reply=True)
    assert text == "<user>Be kind.\n\nHi<assistant>"


def calling(folder: Path, *chain: str) -> llama.LlamaEngine:
    """A model that begins its replies with these tokens."""
    return llama.load(str(tiny.gguf_model(folder / "calling.gguf", chain=chain)), 2048, 4)


@pytest.mark.parametrize("end", [["<", "t", "o", "ol", ">"], ["Ġ<to", "ol", ">{Ġx"], ["<tool>"]])
def test_from_the_trigger_on_the_grammar_holds(tmp_path: Path, end: list[str]) -> None:
    engine = calling(tmp_path, "Sure", ".", *end)
    pieces = engine.generate("a", PROMPT, GRAMMAR, "<tool>", 20, 0.0)
    text = "".join(piece for piece in pieces if piece)
    assert text.replace(" <", "<") in ("Sure.<tool>yes", "Sure.<tool>no")


def test_what_a_token_carries_beyond_the_trigger_is_not_kept(tmp_path: Path) -> None:
    engine = calling(tmp_path, "<tool>{Ġx")
    list(engine.generate("a", PROMPT, GRAMMAR, "<tool>", 20, 0.0))
    prompt = engine._format.render(PROMPT, reply=True)
    seat = engine._pool._seats["a"]
    text = b"".join(engine._context.piece(token) for token in seat.tokens).decode()
    assert text in (f"{prompt}<tool>yes", f"{prompt}<tool>no")


async def test_words_before_a_tool_call_come_before_the_call(tmp_path: Path) -> None:
    model = LlamaModel(tiny.gguf_model(tmp_path / "calling.gguf", chain=["Sure.", "<tool>"]))
    await model.start()
    endless = 'root ::= "a" root'
    pieces = model.generate("a", PROMPT, grammar=endless, trigger="<tool>", max_tokens=5)
    assert [await anext(pieces) for _ in range(3)] == ["Sure.", "<tool>", "a"]
    await pieces.aclose()  # type: ignore[attr-defined]
    again = model.generate("a", PROMPT, grammar=GRAMMAR, trigger="<tool>")
    assert "".join([piece async for piece in again]) in ("Sure.<tool>yes", "Sure.<tool>no")
    await model.close()


def test_the_length_of_a_reply_does_not_cut_its_tool_call(tmp_path: Path) -> None:
    engine = calling(tmp_path, "Sure.", "<tool>")
    forty = f'root ::= "{"a" * 40}"'
    pieces = engine.generate("a", PROMPT, forty, "<tool>", 2, 0.0)
    assert "".join(piece for piece in pieces if piece) == "Sure.<tool>" + "a" * 40


def test_a_new_request_ends_a_tool_call(tmp_path: Path) -> None:
    engine = calling(tmp_path, "Sure.", "<tool>")
    first = engine.generate("a", PROMPT, 'root ::= "a" root', "<tool>", 5, 0.0)
    while next(first) != "a":
        pass
    assert [piece for piece in engine.generate("a", PROMPT, GRAMMAR, None, 5, 0.0) if piece]
    assert list(first) == []


def test_a_reply_without_a_trigger_is_free(tmp_path: Path) -> None:
    engine = calling(tmp_path, "Sure.", "Ġnow")
    pieces = [p for p in engine.generate("a", PROMPT, GRAMMAR, "<tool>", 2, 0.0) if p]
    assert pieces == ["Sure.", " now"]


async def test_missing_and_corrupt_files_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(EngineMissing, match=r"gone\.gguf; .* offhook models pull"):
        await LlamaModel(tmp_path / "gone.gguf").start()
    (tmp_path / "torn.gguf").write_bytes(b"GGUF but not really")
    with pytest.raises(EngineCorrupt, match=r"torn\.gguf"):
        await LlamaModel(tmp_path / "torn.gguf").start()
