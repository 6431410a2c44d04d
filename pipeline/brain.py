"""The language model's brain: one prompt that only grows, text streamed, tools parsed."""

import re
from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import pairwise

from pipeline.course import Stage
from pipeline.intent import Intent, understand
from pipeline.knowledge import Knowledge, unlinked
from pipeline.opening import Opening
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
_HIDDEN = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)
_TRIGGER = re.compile(r"<\s*" + TRIGGER.strip("<>") + r"\s*>", re.IGNORECASE)
_OPEN_TAG = re.compile(r"<\s*\w{0,8}\s*\Z")
"""The end of a text that may yet become a trigger or a thought."""
_MARKS = re.compile(r"^\s*(?:assistant|agent):\s*|[*_#`<>]+", re.IGNORECASE | re.MULTILINE)
_LAST_WORD = re.compile(r"\S*\Z")
_HELD = ("http", "www", "assistant", "agent")
"""Words that may begin an address or a label: held back until they are whole."""


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
        if disclosure := self._disclosure_due(messages):
            yield Say(disclosure)
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
            due = self._disclosure_due([*messages, Message("assistant", _ROBOT)])
            truth = [*([due] if due else []), _ROBOT, *_last_question(messages)]
            return [Say(sentence) for sentence in truth]
        users = [message.content.strip() for message in messages if message.role == "user"]
        if len(users) >= _SILENCES and not any(users[-_SILENCES:]):
            return [Say("I can't hear you. Goodbye."), Act("end_call", {"reason": "agent_hangup"})]
        return None

    def _disclosure_due(self, messages: Sequence[Message]) -> str:
        """What must be told and was not heard yet; what a call screener heard does not count."""
        disclosure = self._opening.disclosure()
        heard: list[str] = []
        for before, message in pairwise([Message("user", ""), *messages]):
            if message.role == "user":
                continue
            asked = understand(before.content).intent if before.role == "user" else Intent.UNKNOWN
            heard = [] if asked is Intent.SCREENING else [*heard, message.content]
        told = disclosure is None or self._opening.discloses(" ".join(heard))
        return "" if disclosure is None or told else disclosure.text

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
        again = [*prompt, ("assistant", "".join(said).strip() or "..."), ("user", _TOOL_PLEASE)]
        pieces = self._model.generate(
            self._conversation, again, grammar=TOOL_GRAMMAR, max_tokens=_TOKENS, temperature=0.0
        )
        return parse_tool("".join([piece async for piece in pieces]))


class SpeechStream:
    """Keeps tool calls, thoughts and addresses out of streamed text. Stands before `Utterance`.

    What may be the beginning of one of them is held back until it is whole.
    """

    def __init__(self) -> None:
        self.calls: list[str] = []
        """What stood behind each trigger."""
        self._text = ""
        self._said = ""

    def feed(self, piece: str) -> Iterator[str]:
        """Take a piece of text; yields what may be spoken for certain."""
        self._text += piece
        speech, called, _ = self._parts()
        yield from self._rest(speech if called else _settled(speech))

    def finish(self) -> Iterator[str]:
        """The text is over; yields what is left to speak."""
        speech, _, self.calls = self._parts()
        yield from self._rest(_OPEN_TAG.sub("", speech))

    def _parts(self) -> tuple[str, bool, list[str]]:
        """The text before the first trigger, whether there was one, and the calls behind."""
        speech, *calls = _TRIGGER.split(_HIDDEN.sub("", self._text))
        return speech, bool(calls), [call for call in calls if call.strip()]

    def _rest(self, speech: str) -> Iterator[str]:
        text = _clean(speech)
        if new := text[len(self._said) :]:
            self._said = text
            yield new


def _settled(text: str) -> str:
    """Text without an end that may turn out to be no speech."""
    return _LAST_WORD.sub(_plain, _OPEN_TAG.sub("", _LAST_WORD.sub(_plain, text)))


def _plain(last: re.Match[str]) -> str:
    """The last word so far, if nothing but a word can become of it."""
    word = last[0].lower()
    risky = any(held.startswith(word) or word.startswith(held) for held in _HELD)
    return last[0] if word.isalpha() and not risky else ""


def _clean(text: str) -> str:
    """Text as it can be spoken."""
    text = unlinked(_MARKS.sub("", text).replace(SILENCE, ""))
    return re.sub(r"\s+", " ", text).lstrip()


def _completed(said: Sequence[str], acts: Sequence[Act]) -> Iterator[Say | Act]:
    """The tools, and what the model forgot: a word before silence, an end after goodbye."""
    ends = [act for act in acts if act.name == "end_call"]
    text = "".join(said)
    bye = bool(re.search(r"\b(good ?bye|bye)\b", text, re.IGNORECASE))
    if not text.strip():
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
