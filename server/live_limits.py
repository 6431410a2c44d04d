"""When a call has to end by itself: too long, nobody speaks, no media."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from media.pacer import Pacer
from media.stream import MediaStream
from pipeline.session import Session
from server.calls.model import EndedReason

WARNING: Final = "I'm sorry, I have to finish this call in a moment."
GOODBYE: Final = "I'm sorry, I have to end the call now. Goodbye."
GOODBYE_S: Final = 5.0
"""The longest that a goodbye may take."""
_CHECK_S = 0.5


@dataclass(frozen=True, slots=True)
class Limits:
    """When a call is given up, seconds."""

    ring_s: float
    duration_s: float
    inactivity_s: float
    media_timeout_s: float
    warning_s: float = 30.0
    """Before the end of `duration_s`, the agent says that it has to finish; 0 for never."""

    @property
    def warns_after_s(self) -> float | None:
        """When the warning is due; None where the call is too short to be spent on warnings."""
        warns = 0 < self.warning_s <= self.duration_s / 2
        return self.duration_s - self.warning_s if warns else None


class Watch:
    """Watches one answered call. Whatever is due is done through `end` and the session."""

    def __init__(
        self,
        *,
        limits: Limits,
        session: Session,
        stream: MediaStream,
        pacer: Pacer,
        end: Callable[[EndedReason], None],
    ) -> None:
        self._limits, self._session, self._stream = limits, session, stream
        self._pacer, self._end = pacer, end
        self._loop = asyncio.get_running_loop()
        self._answered_at = self._active_at = self._loop.time()
        self._saying_goodbye = False
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def start(self) -> None:
        """The call is answered."""
        if (warns_after_s := self._limits.warns_after_s) is not None:
            self._after("warning", warns_after_s, self._warn)
        self._after("duration", self._limits.duration_s, self._duration_reached)
        self._after("check", _CHECK_S, self._check)

    def stop(self) -> None:
        """The call is over."""
        for timer in self._timers.values():
            timer.cancel()

    def words_at(self, at: float) -> None:
        """Somebody spoke words; at: monotonic seconds."""
        self._active_at = max(self._active_at, at)

    def spoken(self) -> None:
        """Our words are out, or were cut off."""
        if self._saying_goodbye:
            self._end("max_duration_reached")

    def _after(self, name: str, seconds: float, action: Callable[[], None]) -> None:
        self._timers[name] = self._loop.call_later(seconds, action)

    def _warn(self) -> None:
        if not self._session.is_muted:
            self._session.say_when_silent(WARNING)

    def _duration_reached(self) -> None:
        """End it; with a goodbye where that cuts nobody off."""
        if not self._session.is_silent or self._session.is_muted:
            self._end("max_duration_reached")
            return
        self._saying_goodbye = True
        self._after("goodbye", GOODBYE_S, self.spoken)
        self._session.say(GOODBYE)

    def _check(self) -> None:
        """A peer that sends anything lives, be it comfort noise; noise is not speech."""
        now = self._loop.time()
        received_at = self._stream.last_received_at
        heard_at = self._answered_at if received_at is None else received_at
        if self._session.they_speak or self._session.is_on_hold or self._pacer.pending_samples:
            quiet = False
        else:
            quiet = now - self._active_at >= self._limits.inactivity_s
        if self._session.is_on_hold:
            self._active_at = now
        if now - heard_at >= self._limits.media_timeout_s:
            self._end("media_timeout")
        elif quiet:
            self._end("inactivity")
        else:
            self._after("check", _CHECK_S, self._check)
