"""A text conversation with a brain: what was heard, what was said, what was done."""

import asyncio
from collections.abc import Sequence

from pipeline.brain import Task
from pipeline.playbook import default_playbook
from pipeline.ports import Act, Brain, Message, Say
from pipeline.scripted import ScriptedBrain

FACTS = {
    "debtor_name": "Bobby",
    "amount_due": "$154.56",
    "currency": "USD",
    "due_date": "May 25, 2026",
    "purchase": "1,000 SMS credits",
    "payment_link": "https://pay.vello.io/inv/bobby-154",
    "creditor": "Vello",
}
DEBT = Task(
    goal="Collect $154.56 from Bobby for SMS credits; offer payment link; escalate if refused.",
    facts=FACTS,
    script=default_playbook().find("debt-collection"),
    escalation="If customer refuses to pay, use openclaw_query to email joe@vello.io with a "
    "one-line summary.",
)
RESTAURANT = Task(
    goal="Call the restaurant to make a dinner reservation for 2 people at 7pm tonight",
    persona="A polite assistant making a reservation",
    context="Italian restaurant, prefer outdoor seating",
)
OPENING = (
    "Hi Bobby, this is Ava on behalf of Vello about your 1,000 SMS credits purchase, $154.56, "
    "that was due May 25, 2026. Can you pay this today?"
)

Heard = str | tuple[int, str]
"""What the other side says; with a number, after that many of our words."""


class Conversation:
    """Speaks the other side's turns in order and keeps what came back."""

    def __init__(self, task: Task, brain: Brain | None = None) -> None:
        self.brain: Brain = brain or ScriptedBrain(task)
        self.messages: list[Message] = []
        self.replies: list[str] = []
        self.acts: list[Act] = []
        self.ended = ""
        self._speech = self.brain.opening()

    def hear(self, *turns: Heard) -> "Conversation":
        """Let the other side speak, until the agent ends the call."""
        for turn in turns:
            words, text = turn if isinstance(turn, tuple) else (1_000, turn)
            self._spoken(words)
            self.messages.append(Message("user", text))
            self._take(asyncio.run(collect(self.brain, self.messages)))
            if self.ended:
                self._spoken(1_000)
                break
        return self

    def _spoken(self, words: int) -> None:
        heard = self._speech.split()[:words]
        whole = len(heard) == len(self._speech.split())
        if self._speech:
            message = Message("assistant", " ".join(heard), self._speech, interrupted=not whole)
            self.messages.append(message)
        self._speech = ""

    def _take(self, reply: Sequence[Say | Act]) -> None:
        self._speech = " ".join(step.text for step in reply if isinstance(step, Say))
        self.replies.append(self._speech)
        acts = [step for step in reply if isinstance(step, Act)]
        self.acts += acts
        self.ended = next((a.arguments["reason"] for a in acts if a.name == "end_call"), "")

    @property
    def last(self) -> str:
        """What the agent said last."""
        return self.replies[-1]

    def act(self, name: str) -> Act | None:
        """The first use of a tool."""
        return next((act for act in self.acts if act.name == name), None)


async def collect(brain: Brain, messages: Sequence[Message]) -> list[Say | Act]:
    """The whole of one reply."""
    return [step async for step in brain.reply(messages)]
