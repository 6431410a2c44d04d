"""A call whose brain is a language model: a real one in its process, with random weights."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from models.llama import LlamaModel
from pipeline.brain import LlmBrain
from server.app import EngineSet
from tests.models import tiny
from tests.server.real_node import is_audible, played, real_node, scripted_peer, until

pytestmark = pytest.mark.skipif(
    find_spec("llama_cpp") is None, reason="llama-cpp-python is not installed (extra `llm`)"
)


async def test_a_call_is_held_by_the_language_model_and_ends_within_its_limits(
    tmp_path: Path,
) -> None:
    model = LlamaModel(tiny.gguf_model(tmp_path / "tiny.gguf"))
    engines = played()
    engines = EngineSet(
        engines.engines, lambda task, call_id: LlmBrain(task, model, call_id), [model]
    )
    async with (
        scripted_peer() as peer,
        real_node(tmp_path, peer.port, engines, call={"inactivity_s": 2.0}) as node,
    ):
        call_id = await node.place("ask whether they are open", first_message="hello")
        _, phone = await peer.picks_up()
        await phone.hears()
        await until(lambda: is_audible(phone.audio))
        await peer.hung_up_on()
        call = await node.record(call_id)
    assert call["messages"][0]["content"].endswith("hello")
    assert call["ended_reason"] in ("inactivity", "agent_hangup")
