"""The language model's brain: one prompt that only grows, text streamed, tools under a grammar."""

import json
import logging
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import pairwise

from pipeline.course import Stage
from pipeline.errors import ToolInvalid
from pipeline.intent import Intent, understand
from pipeline.knowledge import Knowledge
from pipeline.moves import ROBOT
from pipeline.opening import Opening
from pipeline.ports import Act, LanguageModel, Message, Say
from pipeline.prompt import INSTRUCTION, system_prompt
from pipeline.scripted import ScriptedBrain, asked
from pipeline.speakable import SILENCE, SpeechStream
from pipeline.task import Task, Voicemail
from pipeline.tools import (
    CALLS,
    END_CALL,
    RESULT,
    TRIGGER_PATTERN,
    ToolSpec,
    check_links,
    grammar,
    offered,
    read_calls,
    read_result,
    written,
)

__all__ = ["LlmBrain", "Task", "Voicemail"]

log = logging.getLogger(__name__)

_SILENCES = 3
_AGAIN = "Sorry, could you say that again, please?"
_UNABLE = "I'm sorry, I can't do that right now."
_LONGEST_RESULT = 1000
"""Characters of a tool's answer that the model is given."""
_BRACKETS = str.maketrans("[]", "()")


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
        self._opening = Opening(task, Knowledge(task))
        self._system = system_prompt(task)
        self._tools = offered(task.tools, task.contacts)

    async def prepare(self) -> None:
        """Evaluate the prompt while the phone is ringing."""
        first = Message("assistant", self._rules.opening())
        await self._model.warm(self._conversation, self._prompt([first]))

    def opening(self) -> str:
        """The first words after the answer; the script's own."""
        return self._rules.opening()

    async def reply(self, messages: Sequence[Message]) -> AsyncIterator[Say | Act]:
        """Answer the last message; yielding nothing means to stay quiet and listen."""
        if not (last := asked(messages)):
            return
        if last.role == "user" and (ruled := self._ruled(messages, last.content)) is not None:
            for step in ruled:
                yield step
            return
        if disclosure := self._disclosure_due(messages):
            yield Say(disclosure)
        tools = self._usable(messages)
        stream = SpeechStream()
        async for piece in self._model.generate(
            self._conversation,
            self._prompt(messages),
            grammar=grammar(tools),
            trigger=TRIGGER_PATTERN,
            max_tokens=self._task.sampling.max_tokens,
            temperature=self._task.sampling.temperature,
        ):
            for say in stream.feed(piece):
                yield say
        for say in stream.finish():
            yield say
        for step in _completed(stream, self._acts(stream, tools)):
            yield step

    def hints(self) -> Sequence[str]:
        """Names that the other side is likely to say."""
        return self._rules.hints()

    def close(self) -> None:
        """Drop the model's state of this conversation."""
        self._model.release(self._conversation)

    def _acts(self, stream: SpeechStream, tools: Sequence[ToolSpec]) -> Sequence[Act] | None:
        """The tool calls behind the trigger; None where they cannot be used."""
        if not stream.called:
            return ()
        try:
            acts = read_calls(stream.call, tools)
            check_links(acts, self._task.tools, self._system)
        except ToolInvalid as error:  # cut off, or by a model that takes no grammar
            log.warning("a tool call of the language model was dropped: %s", error)
            return None
        return acts

    def _usable(self, messages: Sequence[Message]) -> Sequence[ToolSpec]:
        """The tools at this point: whoever only ever uses tools must come to an end."""
        roles = [message.role for message in messages]
        last = max((at for at, role in enumerate(roles) if role == "user"), default=-1)
        return self._tools if roles[last:].count("tool") < CALLS else (END_CALL,)

    def _ruled(self, messages: Sequence[Message], words: str) -> Sequence[Say | Act] | None:
        """The reply that rules give to these words, where a model has no say."""
        course = self._rules.follow(messages)
        if course.stage is Stage.MACHINE or course.screened or _machine_ended(course.plan):
            return [s if isinstance(s, Act) else Say(s.text) for s in course.plan]
        heard = understand(words, self._task.callee)
        if Intent.ROBOT in heard.intents:
            due = self._disclosure_due([*messages, Message("assistant", ROBOT)])
            truth = [*([due] if due else []), ROBOT, *_last_question(messages)]
            return [Say(sentence) for sentence in truth]
        users = [message.content.strip() for message in messages if message.role == "user"]
        if len(users) >= _SILENCES and not any(users[-_SILENCES:]):
            return [Say("I can't hear you. Goodbye."), Act("end_call", {"reason": "agent_hangup"})]
        return None

    def _disclosure_due(self, messages: Sequence[Message]) -> str:
        """What must be told and was not heard yet; what a call screener heard does not count."""
        disclosure = self._opening.disclosure()
        heard: list[str] = []
        spoken = [message for message in messages if message.role in ("user", "assistant")]
        for before, message in pairwise([Message("user", ""), *spoken]):
            if message.role == "user":
                continue
            asked = understand(before.content).intent if before.role == "user" else Intent.UNKNOWN
            heard = [] if asked is Intent.SCREENING else [*heard, message.content]
        told = disclosure is None or self._opening.discloses(" ".join(heard))
        return "" if disclosure is None or told else disclosure.text

    def _prompt(self, messages: Sequence[Message]) -> list[tuple[str, str]]:
        """Instructions and turns; of our own words only those that were heard."""
        prompt = [("system", self._system)]
        for role, content in (part for message in messages for part in _parts(message)):
            if content and prompt[-1][0] == role:
                prompt[-1] = (role, f"{prompt[-1][1]} {content}")
            elif content:
                prompt.append((role, content))
        return prompt


def _parts(message: Message) -> Iterator[tuple[str, str]]:
    """A message as the model is given it; brackets are kept for what nobody has said."""
    content = message.content.strip()
    if message.role == "tool":
        came = read_result(message)
        answer = json.dumps({"ok": came.ok, "value": came.value}, ensure_ascii=False)
        yield "assistant", written(came.name, came.arguments)
        yield "user", f"{RESULT} {answer[:_LONGEST_RESULT]}"
    elif message.role == "instruction":
        yield "user", f"{INSTRUCTION} {content}"
    elif message.role == "user":
        yield "user", content.translate(_BRACKETS) or SILENCE
    else:
        yield "assistant", f"{content} ..." if message.interrupted and content else content


def _completed(stream: SpeechStream, usable: Sequence[Act] | None) -> Iterator[Say | Act]:
    """The tools, and what the model forgot: a word before silence, an end after goodbye."""
    acts = usable or ()
    ends = [act for act in acts if act.name == "end_call"]
    if usable is None:
        yield Say(_UNABLE)
    elif not stream.said:
        yield Say("Goodbye." if ends else "One moment, please." if acts else _AGAIN)
    yield from (act for act in acts if act.name != "end_call")
    if ends or re.search(r"\b(good ?bye|bye)\b", stream.said, re.IGNORECASE):
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
