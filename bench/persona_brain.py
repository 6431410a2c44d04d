"""The persona as a brain of the pipeline: what it says follows from what it heard, purely."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from bench.persona import Persona
from pipeline.ports import Act, Message, Say


class PersonaBrain:
    """Satisfies `pipeline.ports.Brain`; to a callee, "user" is the agent who rings."""

    def __init__(self, persona: Persona) -> None:
        self._persona = persona

    async def prepare(self) -> None:
        """Nothing to warm."""

    def opening(self) -> str:
        """The greeting of whoever picks up."""
        return self._persona.greeting or ""

    async def reply(self, messages: Sequence[Message]) -> AsyncIterator[Say | Act]:
        """Answer the last thing heard; may yield nothing."""
        said = [m.intended for m in messages if m.role == "assistant" and m.content]
        line = self._persona.line_for(messages[-1].content, said)
        if line is None:
            return
        if line.pause_s:
            await asyncio.sleep(line.pause_s)
        yield Say(line.say)
        if line.hang_up:
            yield Act("end_call")

    def hints(self) -> Sequence[str]:
        """Words it waits for."""
        phrases = (p for line in self._persona.lines if line.when != "any" for p in line.when)
        return sorted({word for phrase in phrases for word in phrase.split()})

    def close(self) -> None:
        """Nothing to release."""
