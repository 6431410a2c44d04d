"""The language model's brain: one prompt that only grows, text streamed, tools parsed."""

import re
from collections.abc import AsyncIterator, Iterator, Sequence

from pipeline.course import Stage
from pipeline.intent import Intent, understand
from pipeline.knowledge import unlinked
from pipeline.ports import Act, LanguageModel, Message, Say
from pipeline.prompt import TOOL_GRAMMAR, TRIGGER, parse_tool, system_prompt
from pipeline.scripted import ScriptedBrain
from pipeline.task import Task, Voicemail

__all__ = ["LlmBrain", "Task", "Voicemail"]

SILENCE = "(silence)"
"""What stands in the prompt for a long silence."""

_SILENCES = 3
_TOKENS = 160
_ROBOT = "I'm an automated assistant, not a person."
_AGAIN = "Sorry, could you say that again, please?"
_TOOL_PLEASE = "Write the tool call now, as one line of JSON."
_ABBREVIATIONS = ("mr.", "mrs.", "ms.", "dr.", "st.", "inc.", "ltd.", "co.", "no.")
_FIRST_CLAUSE_CHARS = 24
_HIDDEN = re.compile(r"<think>.*?(?:</think>|$)", re.DOTALL)
_MARKS = re.compile(r"[*_#`]+|^\s*(?:assistant|agent)\s*:\s*", re.IGNORECASE)


class LlmBrain:
    """Holds the conversation with a language model.

    What must not depend on a model is left to rules: the opening, machines that answer, the
    truth about being a machine, and when to give up on silence.
    """

    def __init__(self, task: Task, model: LanguageModel, conversation: str) -> None:
        self._task = task
        self._model = model
        self._conversation = conversation
        self._rules = ScriptedBrain(task)
        self._system = system_prompt(task)

    async def prepare(self) -> None:
        """Evaluate the prompt while the phone is ringing."""
        first = Message("assistant", self._rules.opening())
        await self._model.warm(self._conversation, self._prompt([first]))

    def opening(self) -> str:
        """The first words after the answer; the script's own."""
        return self._rules.opening()

    async def reply(self, messages: Sequence[Message]) -> AsyncIterator[Say | Act]:
        """Answer the last message; yielding nothing means to stay quiet and listen."""
        if not messages or messages[-1].role != "user":
            return
        if (ruled := self._ruled(messages)) is not None:
            for step in ruled:
                yield step
            return
        prompt = self._prompt(messages)
        said: list[str] = []
        stream = SpeechStream()
        pieces = self._model.generate(self._conversation, prompt, max_tokens=_TOKENS)
        async for piece in pieces:
            for text in stream.feed(piece):
                said.append(text)
                yield Say(text)
        for text in stream.finish():
            said.append(text)
            yield Say(text)
        acts = [act for call in stream.calls if (act := await self._act(call, prompt, said))]
        for step in _completed(said, acts):
            yield step

    def hints(self) -> Sequence[str]:
        """Names that the other side is likely to say."""
        return self._rules.hints()

    def close(self) -> None:
        """Drop the model's state of this conversation."""
        self._model.release(self._conversation)

    def _ruled(self, messages: Sequence[Message]) -> Sequence[Say | Act] | None:
        """The reply that rules give, where a model has no say."""
        course = self._rules.follow(messages)
        if course.stage is Stage.MACHINE or course.screened or _machine_ended(course.plan):
            return [s if isinstance(s, Act) else Say(s.text) for s in course.plan]
        heard = understand(messages[-1].content, self._task.callee)
        if Intent.ROBOT in heard.intents:
            return [Say(_ROBOT), *(Say(question) for question in _last_question(messages))]
        users = [message.content.strip() for message in messages if message.role == "user"]
        if len(users) >= _SILENCES and not any(users[-_SILENCES:]):
            return [Say("I can't hear you. Goodbye."), Act("end_call", {"reason": "agent_hangup"})]
        return None

    def _prompt(self, messages: Sequence[Message]) -> list[tuple[str, str]]:
        """Instructions and turns; of our own words only those that were heard."""
        prompt = [("system", self._system)]
        for message in messages:
            content = message.content.strip()
            if message.role == "user":
                content = content or SILENCE
            elif message.interrupted and content:
                content += " ..."
            if content and prompt[-1][0] == message.role:
                prompt[-1] = (message.role, f"{prompt[-1][1]} {content}")
            elif content:
                prompt.append((message.role, content))
        return prompt

    async def _act(
        self, call: str, prompt: Sequence[tuple[str, str]], said: Sequence[str]
    ) -> Act | None:
        """Read a tool call; one that cannot be read is written anew under the grammar."""
        if act := parse_tool(call):
            return act
        again = [*prompt, ("assistant", " ".join(said) or "..."), ("user", _TOOL_PLEASE)]
        pieces = self._model.generate(
            self._conversation, again, grammar=TOOL_GRAMMAR, max_tokens=_TOKENS, temperature=0.0
        )
        return parse_tool("".join([piece async for piece in pieces]))


class SpeechStream:
    """Cuts streamed text into clauses to speak, and keeps tool calls out of them."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        """What stood behind each trigger."""
        self._text = ""
        self._spoken = 0

    def feed(self, piece: str) -> Iterator[str]:
        """Take a piece of text; yields the clauses that are complete."""
        self._text += piece
        speech = self._speech()
        start = self._spoken
        for end in _ends(speech, start):
            if clause := _clean(speech[self._spoken : end]):
                yield clause
            self._spoken = end

    def finish(self) -> Iterator[str]:
        """The text is over; yields what is left to speak."""
        speech, _, tools = self._visible().partition(TRIGGER)
        self.calls = [call for call in tools.split(TRIGGER) if call.strip()]
        if rest := _clean(re.sub(r"<\w*$", "", speech[self._spoken :])):
            yield rest
        self._spoken = len(speech)

    def _visible(self) -> str:
        return _HIDDEN.sub("", self._text)

    def _speech(self) -> str:
        """What may be spoken for certain: nothing from a "<" on, which may begin a trigger."""
        return self._visible().partition("<")[0]


def _ends(text: str, start: int) -> Iterator[int]:
    """Where clauses end: at sentence marks, and for the first words also at a comma."""
    for match in re.finditer(r"([.?!;:,]+)[*_\"')]*\s+(?=\S)", text[start:]):
        end = start + match.end()
        word = text[:end].rstrip().split()[-1].lower()
        if word in _ABBREVIATIONS:
            continue
        early = start == 0 and end >= _FIRST_CLAUSE_CHARS
        if match[1][0] in ".?!" or (early and match[1][0] in ",;:"):
            yield end


def _clean(text: str) -> str:
    """Text as it can be spoken."""
    return " ".join(unlinked(_MARKS.sub("", text).replace(SILENCE, "")).split())


def _completed(said: Sequence[str], acts: Sequence[Act]) -> Iterator[Say | Act]:
    """The tools, and what the model forgot: a word before silence, an end after goodbye."""
    ends = [act for act in acts if act.name == "end_call"]
    bye = bool(re.search(r"\b(good ?bye|bye)\b", " ".join(said), re.IGNORECASE))
    if not said:
        yield Say("Goodbye." if ends else "One moment, please." if acts else _AGAIN)
    yield from (act for act in acts if act.name != "end_call")
    if ends or bye:
        yield ends[0] if ends else Act("end_call", {"reason": "agent_hangup"})


def _last_question(messages: Sequence[Message]) -> list[str]:
    """The question we asked last, to come back to it."""
    ours = [message.content for message in messages if message.role == "assistant"]
    found = re.findall(r"[^.?!]*\?", ours[-1]) if ours else []
    return [found[-1].strip()] if found else []


def _machine_ended(plan: Sequence[object]) -> bool:
    """Whether the rules end the call because a machine answered."""
    reasons = ("voicemail_reached", "screening")
    return any(isinstance(s, Act) and s.arguments.get("reason") in reasons for s in plan)
