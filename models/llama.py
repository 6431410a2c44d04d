"""A language model through llama.cpp with one warm sequence for each conversation.

`LlamaModel` is the node's side, `LlamaEngine` lives in a child process. What a conversation has
said is never evaluated twice: its tokens stay in the key-value pool, a prompt is evaluated from
where it differs, and a new conversation starts with the cells of whichever other one begins
alike (the same script, usually). The pool is admitted by tokens: the longest unused
conversation loses its cells first, and what cannot fit is refused before it fills the pool.
"""

import codecs
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING

from models.chat import ChatFormat
from models.errors import EngineMissing
from models.host import EngineHost
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

_NEVER = "\0"


class LlamaModel:
    """Text generation by a GGUF file in a child process."""

    def __init__(self, path: Path) -> None:
        self.host = EngineHost("llama", "models.llama:load", {"path": str(path)})

    async def start(self) -> None:
        """Load the model; EngineMissing or EngineCorrupt if that cannot be done."""
        await self.host.start()

    async def close(self) -> None:
        """End the engine's process."""
        await self.host.close()

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
        max_tokens: int = 200,
        temperature: float = 0.3,
    ) -> AsyncIterator[str]:
        """Stream the continuation of a prompt as pieces of text.

        grammar: GBNF with a rule `root`. A new request for a conversation ends the one before.
        """
        arguments = (conversation, tuple(prompt), grammar, max_tokens, temperature)
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
        max_tokens: int,
        temperature: float,
    ) -> Iterator[str | None]:
        """Evaluate what is new in the prompt, then yield text as it is chosen."""
        tokens = self._context.tokens(self._format.render(prompt, reply=True))
        sampler = self._context.sampler(grammar, temperature)
        try:
            seat, turn = self._pool.begin(conversation, tokens, max_tokens)
            try:
                yield from self._evaluate(seat, turn, tokens)
                if seat.turn == turn:
                    yield from self._continue(seat, turn, sampler, max_tokens)
            finally:
                self._pool.finish(seat, turn)
        finally:
            sampler.close()

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

    def _continue(
        self, seat: Seat, turn: int, sampler: "Sampler", max_tokens: int
    ) -> Iterator[str | None]:
        characters = codecs.getincrementaldecoder("utf-8")("replace")
        begun = False
        for _ in range(max_tokens):
            token = sampler.sample()
            if self._context.is_end(token):
                return
            text = characters.decode(self._context.piece(token))
            text = text if begun else text.lstrip()
            begun = begun or bool(text)
            head, stop, _ = text.partition(self._format.stop or _NEVER)
            yield head or None
            if stop or seat.turn != turn:
                return
            self._context.decode(seat.sequence, [token], len(seat.tokens))
            self._pool.extend(seat, [token])
