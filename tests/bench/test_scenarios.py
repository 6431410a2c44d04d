"""Every scenario reaches its verdict in words alone: agent's brain against persona's, no audio."""

from collections.abc import Sequence

import pytest

from bench.demo import compare
from bench.persona import Persona, names
from bench.persona_brain import PersonaBrain
from bench.requests import REQUESTS
from pipeline.analysis import analyse, answered_by
from pipeline.playbook import default_playbook
from pipeline.ports import Act, Brain, Message, Say
from pipeline.scripted import ScriptedBrain
from pipeline.task import Task
from server.calls.brief import brief
from server.calls.request import CallRequest
from server.calls.terms import terms
from server.settings import Settings

CONVERSATIONS = [name for name in names() if Persona.load(name).answer == "answer"]
LIMIT = 30


def task_of(persona: Persona) -> Task:
    request = CallRequest.model_validate(REQUESTS[persona.call])
    return brief(terms(request, Settings()), default_playbook())[0]


async def said_by(brain: Brain, messages: Sequence[Message]) -> tuple[str, list[Act]]:
    words: list[str] = []
    acts: list[Act] = []
    async for piece in brain.reply(messages):
        words.append(piece.text) if isinstance(piece, Say) else acts.append(piece)
    return " ".join(words).strip(), acts


class Conversation:
    """Two brains that hear each other perfectly and take turns."""

    def __init__(self, persona: Persona) -> None:
        self.task = task_of(persona)
        self.agent = ScriptedBrain(self.task)
        self.callee = PersonaBrain(persona)
        self.agents_view: list[Message] = []
        self.callees_view: list[Message] = []
        self.ended_reason = "inactivity"

    def agent_says(self, text: str) -> None:
        self.agents_view.append(Message("assistant", text, intended=text))
        self.callees_view.append(Message("user", text))

    def callee_says(self, text: str) -> None:
        self.agents_view.append(Message("user", text))
        self.callees_view.append(Message("assistant", text, intended=text))

    async def hold(self) -> None:
        if greeting := self.callee.opening():
            self.callee_says(greeting)
        for _ in range(LIMIT):
            words, acts = await said_by(self.agent, self.agents_view)
            if words:
                self.agent_says(words)
            ending = next((act for act in acts if act.name == "end_call"), None)
            if ending is not None:
                self.ended_reason = ending.arguments.get("reason", "agent_hangup")
                return
            words, acts = await said_by(self.callee, self.callees_view)
            if words:
                self.callee_says(words)
            else:
                self.agents_view.append(Message("user", ""))
            if acts:
                self.ended_reason = "user_hangup"
                return


@pytest.mark.parametrize("name", CONVERSATIONS)
async def test_the_scenario_reaches_its_verdict_in_words(name: str) -> None:
    persona = Persona.load(name)
    conversation = Conversation(persona)
    await conversation.hold()
    analysis = analyse(
        conversation.task,
        conversation.agents_view,
        ended_reason=conversation.ended_reason,
        answered_by=answered_by(conversation.agents_view),
    )
    record = {
        "ended_reason": conversation.ended_reason,
        "outcome": {"success": analysis.success},
        "analysis": {"disposition": analysis.disposition},
    }
    transcript = "\n".join(f"{m.role}: {m.content}" for m in conversation.agents_view)
    assert compare(persona.expect, record) == [], transcript
