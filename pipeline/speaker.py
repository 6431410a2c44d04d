"""Our side of a conversation: one reply that is heard, and one draft behind it."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from pipeline.ports import Act, Playout, Say, Voice
from pipeline.speech import Utterance


@dataclass(frozen=True, slots=True)
class Said:
    """What became of a reply."""

    utterance: Utterance
    heard: str
    """The words that were played."""
    cut_off: bool
    """There was more to say, or to do after it."""


class Speaker:
    """Says one reply at a time. Stands after the session's decisions, before the playout.

    The draft is prepared and silent; `release` makes it the reply. Only the reply reaches the
    playout, and only while there is none can a draft be released. A reply that is held becomes
    the draft, and is dropped with it.
    """

    def __init__(
        self,
        voice: Voice,
        playout: Playout,
        rate_hz: int,
        *,
        on_started: Callable[[Utterance], None],
        on_finished: Callable[[Said], None],
        on_failed: Callable[[Exception], None],
    ) -> None:
        self.draft: Utterance | None = None
        self.reply: Utterance | None = None
        self.held = False
        """The draft was wanted already: it is a reply that `hold` took back."""
        self._voice, self._playout, self._rate_hz = voice, playout, rate_hz
        self._on_started, self._on_finished, self._on_failed = on_started, on_finished, on_failed
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def pending_s(self) -> float:
        """Seconds until our speech ends; infinite while more of it is being made."""
        if self.reply is not None and not self.reply.synthesised:
            return math.inf
        return self._playout.pending_samples / self._rate_hz

    def prepare(self, pieces: AsyncIterator[Say | Act]) -> None:
        """Begin a draft in place of the present one."""
        self.drop_draft()
        self.draft = Utterance(
            pieces, self._voice, self._playout, self._rate_hz, self._started, self._synthesised
        )

    def release(self) -> None:
        """Make the draft the reply: it is heard from the next tick, or as soon as it is made."""
        assert self.draft is not None
        assert self.reply is None
        self.held = False
        self.reply, self.draft = self.draft, None
        self.reply.release()

    def hold(self) -> None:
        """Make a reply of which nothing has been heard the draft again."""
        if self.reply is not None and self.reply.started_at is None:
            self.reply.hold()
            self.draft, self.reply = self.reply, None
            self.held = True

    def drop_draft(self) -> None:
        """Throw the draft away."""
        if self.draft is not None:
            self.draft.cancel()
            self.draft = None
            self.held = False

    def fall_silent(self) -> Said | None:
        """Stop speaking at once; returns what was said, None when nothing was."""
        reply, self.reply = self.reply, None
        self._cancel_timer()
        said = None
        if reply is not None:
            heard = reply.heard
            reply.cancel()
            if reply.started_at is not None:
                left = self._playout.pending_samples > 0 or not reply.synthesised
                cut_off = left or bool(reply.acts)
                said = Said(reply, heard if cut_off else reply.text.strip(), cut_off)
        self._playout.flush()
        self._playout.resume()
        return said

    def _started(self, utterance: Utterance) -> None:
        if utterance is self.reply:
            self._on_started(utterance)

    def _synthesised(self, utterance: Utterance) -> None:
        if utterance is not self.reply:
            return
        if utterance.error is not None:
            self._on_failed(utterance.error)
        else:
            self._await_end()

    def _await_end(self) -> None:
        self._cancel_timer()
        pending_s = self.pending_s
        if pending_s > 0:
            self._timer = self._loop.call_later(pending_s, self._await_end)
            return
        reply, self.reply = self.reply, None
        self._playout.resume()
        if reply is not None:
            self._on_finished(Said(reply, reply.text.strip(), cut_off=False))

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
