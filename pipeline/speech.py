"""From a stream of words to sound in the other side's ear, and back to what was heard."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable

from media.audio import Pcm
from pipeline.ports import Act, Playout, Say, SpokenWord, Voice

_SENTENCE_END = re.compile(r"(?<![A-Z][a-z]\.)(?<!\b[A-Z]\.)(?<=[.!?;…])[\"')]*\s+(?=\S)")
_FIRST_CLAUSE = re.compile(r"(?<=[,:;])\s+(?=\S)")
_FIRST_CLAUSE_MIN = 24


def clauses(text: str, *, first: bool) -> tuple[list[str], str]:
    """Cut the finished clauses off a growing text; returns them and the rest.

    Only the first clause of an utterance may end at a comma: it shortens the wait for the
    first sound, and every further cut would cost melody.
    """
    *done, rest = _SENTENCE_END.split(text)
    if first and not done:
        for match in _FIRST_CLAUSE.finditer(rest):
            if match.start() >= _FIRST_CLAUSE_MIN:
                return [rest[: match.start()].strip()], rest[match.end() :]
    return [part.strip() for part in done if part.strip()], rest


def _spaced(before: str, piece: str) -> str:
    """A piece that begins a sentence of its own is set off from what stands before it."""
    return f" {piece}" if before[-1:] in set(".!?…") and not piece[:1].isspace() else piece


class Utterance:
    """One reply of ours. Stands after the brain, before the playout of the leg.

    It is synthesised at once and held until `release`, so that a reply can be prepared
    while it is not yet certain that it is wanted.
    """

    def __init__(
        self,
        pieces: AsyncIterator[Say | Act],
        voice: Voice,
        playout: Playout,
        rate_hz: int,
        on_started: Callable[["Utterance"], None],
        on_synthesised: Callable[["Utterance"], None],
    ) -> None:
        """Call-backs, once released: the first audio was pushed; all was, or `error` is set."""
        self.text = ""
        """The words meant to be said, as far as the brain has given them."""
        self.acts: list[Act] = []
        self.started_at: float | None = None
        """When the first audio went to the playout, monotonic seconds."""
        self.prepared_at = asyncio.get_running_loop().time()
        self.first_piece_at: float | None = None
        self.first_audio_at: float | None = None
        self.synthesised = False
        """No more audio comes: all of it is made, or brain or voice failed."""
        self.error: Exception | None = None
        self._voice, self._playout, self._rate_hz = voice, playout, rate_hz
        self._on_started, self._on_synthesised = on_started, on_synthesised
        self._held: list[tuple[Pcm, list[SpokenWord]]] = []
        self._released = False
        self._marks: list[tuple[int, str]] = []
        self._loop = asyncio.get_running_loop()
        self._task = self._loop.create_task(self._synthesise(pieces))

    @property
    def heard(self) -> str:
        """The words that have been played so far."""
        played = self._playout.played_samples
        return " ".join(word for position, word in self._marks if position <= played)

    def release(self) -> None:
        """Let it be heard; audio that is ready goes to the playout in this very call."""
        self._released = True
        held, self._held = self._held, []
        for pcm, words in held:
            self._play(pcm, words)
        if self.synthesised:
            self._on_synthesised(self)

    def hold(self) -> None:
        """Take `release` back; only while nothing has been pushed."""
        self._released = False

    def cancel(self) -> None:
        """Make no more of it. What was pushed to the playout is the caller's to flush."""
        self._task.cancel()
        self._held.clear()

    async def _synthesise(self, pieces: AsyncIterator[Say | Act]) -> None:
        try:
            await self._speak_pieces(pieces)
        except Exception as error:  # whatever it is, the call must not wait for ever
            self.error = error
        self.synthesised = True
        if self._released:
            self._on_synthesised(self)

    async def _speak_pieces(self, pieces: AsyncIterator[Say | Act]) -> None:
        rest = ""
        first = True
        async for piece in pieces:
            if self.first_piece_at is None:
                self.first_piece_at = self._loop.time()
            if isinstance(piece, Act):
                self.acts.append(piece)
                continue
            text = _spaced(self.text, piece.text)
            self.text += text
            done, rest = clauses(rest + text, first=first)
            for clause in done:
                first = False
                await self._speak(clause)
            if piece.finished and rest.strip():
                await self._speak(rest.strip())
                rest, first = "", False
        if rest.strip():
            await self._speak(rest.strip())

    async def _speak(self, clause: str) -> None:
        """Synthesise a clause; once more when the engine was lost before its first sound."""
        chunks = len(self._marks) + len(self._held)
        try:
            await self._voice_clause(clause)
        except RuntimeError:
            if len(self._marks) + len(self._held) > chunks:
                raise
            await self._voice_clause(clause)

    async def _voice_clause(self, clause: str) -> None:
        async for pcm, words in self._voice.speak(clause, self._rate_hz):
            if self.first_audio_at is None:
                self.first_audio_at = self._loop.time()
            if self._released:
                self._play(pcm, list(words))
            else:
                self._held.append((pcm, list(words)))

    def _play(self, pcm: Pcm, words: list[SpokenWord]) -> None:
        base = self._playout.played_samples + self._playout.pending_samples
        self._marks.extend((base + end, word) for word, end in words)
        self._playout.push(pcm)
        if self.started_at is None:
            self.started_at = self._loop.time()
            self._on_started(self)
