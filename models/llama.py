"""A language model through llama.cpp with one warm sequence for each conversation.

`LlamaModel` is the node's side, `LlamaEngine` lives in a child process. What a conversation has
said is never evaluated twice: its tokens stay in the key-value pool, a prompt is evaluated from
where it differs, and a new conversation starts with the cells of whichever other one begins
alike (the same script, usually). The pool is admitted by tokens: the longest unused
conversation loses its cells first, and what cannot fit is refused before it fills the pool.
"""

import codecs
import re
from collections.abc import AsyncIterator, Generator, Iterator, Sequence
from contextlib import ExitStack, aclosing, closing
from pathlib import Path
from typing import TYPE_CHECKING

from models.chat import ChatFormat
from models.errors import EngineMissing
from models.host import EngineHost, HostedEngine
from models.llama_pool import Pool, Seat

if TYPE_CHECKING:
    from models.llama_context import LlamaContext, Sampler

Prompt = Sequence[tuple[str, str]]

CONTEXT_TOKENS = 8192
"""The pool that all conversations share."""
CONVERSATIONS = 16
"""The most that are warm at one time."""
BATCH_TOKENS = 32
"""Evaluated between two chances to cancel."""
CALL_TOKENS = 320
"""What may follow a trigger, whatever `max_tokens` says: half a tool call is none."""

_NEVER = "\0"


class LlamaModel(HostedEngine):
    """Text generation by a GGUF file in a child process."""

    def __init__(self, path: Path) -> None:
        super().__init__(EngineHost("llama", "models.llama:load", {"path": str(path)}))

    async def warm(self, conversation: str, prompt: Prompt) -> None:
        """Evaluate a prompt of (role, content) pairs ahead of time."""
        async with aclosing(self.host.stream("warm", conversation, tuple(prompt))) as steps:
            async for _ in steps:
                pass

    async def generate(
        self,
        conversation: str,
        prompt: Prompt,
        *,
        grammar: str | None = None,
        trigger: str | None = None,
        max_tokens: int = 200,
        temperature: float = 0.3,
    ) -> AsyncIterator[str]:
        """Stream the continuation of a prompt as pieces of text.

        grammar: GBNF with a rule `root`; it holds from the start, or from behind the first match
        of `trigger` (a regular expression) on; up to there `max_tokens` counts. A new request for
        a conversation ends the one before.
        """
        arguments = (conversation, tuple(prompt), grammar, trigger, max_tokens, temperature)
        async with aclosing(self.host.stream("generate", *arguments)) as pieces:
            async for piece in pieces:
                yield piece

    def release(self, conversation: str) -> None:
        """Drop the conversation's warm state."""
        self.host.post("release", conversation)


def load(
    path: str, context_tokens: int = CONTEXT_TOKENS, conversations: int = CONVERSATIONS
) -> "LlamaEngine":
    """Load a GGUF file, in the child process."""
    if not Path(path).is_file():
        raise EngineMissing(
            f"there is no file {path}; get a model with: offhook models pull qwen2.5-0.5b"
        )
    try:
        from models.llama_context import LlamaContext
    except ImportError as error:
        raise EngineMissing("a local language model needs: pip install 'offhook[llm]'") from error
    context = LlamaContext(
        Path(path),
        context_tokens=context_tokens,
        sequences=conversations,
        batch_tokens=BATCH_TOKENS,
    )
    return LlamaEngine(context, Pool(context, context_tokens, conversations))


class LlamaEngine:
    """The child's side. Its generators give None wherever they may be cancelled."""

    def __init__(self, context: "LlamaContext", pool: Pool) -> None:
        self._context = context
        self._pool = pool
        self._format = ChatFormat(context.chat_template())

    def warm(self, conversation: str, prompt: Prompt) -> Iterator[None]:
        """Evaluate a prompt and keep it."""
        tokens = self._context.tokens(self._format.render(prompt, reply=False))
        seat, turn = self._pool.begin(conversation, tokens, 0)
        try:
            yield from self._evaluate(seat, turn, tokens)
        finally:
            self._pool.finish(seat, turn)

    def generate(
        self,
        conversation: str,
        prompt: Prompt,
        grammar: str | None,
        trigger: str | None,
        max_tokens: int,
        temperature: float,
    ) -> Iterator[str | None]:
        """Evaluate what is new in the prompt, then yield text as it is chosen."""
        tokens = self._context.tokens(self._format.render(prompt, reply=True))
        with ExitStack() as samplers:

            def sampler(rules: str | None) -> "Sampler":
                return samplers.enter_context(closing(self._context.sampler(rules, temperature)))

            first = sampler(grammar if trigger is None else None)
            then = sampler(grammar) if trigger is not None else None
            seat, turn = self._pool.begin(
                conversation, tokens, max_tokens + (CALL_TOKENS if then else 0)
            )
            try:
                yield from self._evaluate(seat, turn, tokens)
                if seat.turn != turn:
                    return
                writing = _Writing(self._context, self._pool, seat, turn)
                pattern = None if trigger is None else re.compile(trigger)
                triggered = yield from writing.run(first, max_tokens, self._format.stop, pattern)
                if triggered and then:
                    yield from writing.run(then, CALL_TOKENS)
            finally:
                self._pool.finish(seat, turn)

    def release(self, conversation: str) -> None:
        """Drop the conversation's cells; a reply that still runs ends."""
        self._pool.release(conversation)

    def _evaluate(self, seat: Seat, turn: int, tokens: list[int]) -> Iterator[None]:
        """Bring a sequence up to `tokens`; the logits of the last one are ready afterwards."""
        while True:
            batch = tokens[len(seat.tokens) :][: self._context.batch_tokens]
            self._context.decode(seat.sequence, batch, len(seat.tokens))
            self._pool.extend(seat, batch)
            if len(seat.tokens) == len(tokens):
                return
            yield None
            if seat.turn != turn:
                return


class _Writing:
    """The text that one reply has become, token by token."""

    def __init__(self, context: "LlamaContext", pool: Pool, seat: Seat, turn: int) -> None:
        self._context, self._pool, self._seat, self._turn = context, pool, seat, turn
        self._begun = False

    def run(
        self,
        sampler: "Sampler",
        max_tokens: int,
        stop: str = "",
        trigger: re.Pattern[str] | None = None,
    ) -> Generator[str | None, None, bool]:
        """Go on until the model ends, or `stop` or `trigger` is written; tells of the latter.

        What a token carries beyond the trigger is taken back, so that the prompt's end and the
        text given out are the same and whoever goes on starts with a clean slate.
        """
        characters = codecs.getincrementaldecoder("utf-8")("replace")
        written = ""
        for _ in range(max_tokens):
            token = sampler.sample()
            if self._context.is_end(token):
                return False
            text = characters.decode(self._context.piece(token))
            found = trigger.search(written + text) if trigger else None
            if found:
                text = text[: found.end() - len(written)]
                yield self._visible(text)
                if self._seat.turn != self._turn:
                    return False
                self._add(self._context.tokens(text, plain=True))
                return True
            head, stopped, _ = text.partition(stop or _NEVER)
            written += text
            yield self._visible(head)
            if stopped or self._seat.turn != self._turn:
                return False
            self._add([token])
        return False

    def _visible(self, text: str) -> str | None:
        """Text without the space that a reply begins with."""
        text = text if self._begun else text.lstrip()
        self._begun = self._begun or bool(text)
        return text or None

    def _add(self, tokens: list[int]) -> None:
        self._context.decode(self._seat.sequence, tokens, len(self._seat.tokens))
        self._pool.extend(self._seat, tokens)
