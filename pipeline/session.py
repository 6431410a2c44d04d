"""One conversation: hears, takes turns, answers, and remembers what was really heard."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace

from media.audio import TELEPHONE_HZ, Pcm
from pipeline.engines import Engines
from pipeline.events import (
    DigitHeard,
    EngineFailed,
    Event,
    Interrupted,
    Partial,
    ReplyStarted,
    SpeechEnded,
    SpeechStarted,
    Spoken,
    ToolRequested,
    TurnEnded,
)
from pipeline.listener import Listener
from pipeline.ports import Act, Brain, Message, Playout, Say
from pipeline.record import Heard, Record, ms
from pipeline.speaker import Said, Speaker
from pipeline.speech import Utterance
from pipeline.turn import Action, State, Turn, TurnSettings

__all__ = ["Engines", "Session", "SessionSettings"]


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """How one side behaves in a conversation."""

    turn: TurnSettings = field(default_factory=TurnSettings)
    rate_hz: int = TELEPHONE_HZ
    pre_roll_s: float = 0.3
    """Audio kept from before an onset."""
    segment_s: float = 4.0
    """Speech after which a pause fixes the words so far, to bound the recogniser's work."""
    quiet_after_nothing_s: float = 2.0
    """Silence until the brain is asked again when it chose to say nothing."""
    last_words_s: float = 1.0
    """Time given to the recogniser for what was said just before the leg ended."""


class Session:
    """One conversation. Stands after the media stream's decoder, before its pacer.

    What the turn machine asks for (`Action`) is done by the method of the same name.
    """

    def __init__(
        self,
        *,
        engines: Engines,
        brain: Brain,
        playout: Playout,
        on_event: Callable[[Event], None],
        settings: SessionSettings | None = None,
    ) -> None:
        """Must be made on the running event loop that feeds it."""
        self._brain, self._playout = brain, playout
        self._emit = on_event
        self._settings = settings or SessionSettings()
        self._loop = asyncio.get_running_loop()
        self._turn = Turn(self._settings.turn)
        self._detector = engines.detector.open(self._window)
        self._window_s = engines.detector.window_ms / 1000
        self._listener = Listener(
            engines.transcriber,
            brain.hints,
            rate_hz=self._settings.rate_hz,
            pre_roll_s=self._settings.pre_roll_s,
            on_failed=lambda error: self._fail("recogniser", error),
        )
        self._speaker = Speaker(
            engines.voice,
            playout,
            self._settings.rate_hz,
            on_started=self._reply_started,
            on_finished=self._reply_finished,
            on_failed=lambda error: self._fail("brain or voice", error),
        )
        self._record = Record()
        self._paused_at = 0.0
        self._muted = False
        self._on_hold = False
        self._remarks: list[str] = []
        """To be said once nobody speaks."""
        self._tools_running = 0
        self._result_due = False
        """A tool's result waits for the brain to go on."""
        self._over = False
        """The leg is gone: nothing more is heard, and no deadline counts."""
        self._stopped = False
        self._timer: asyncio.TimerHandle | None = None

    @property
    def messages(self) -> Sequence[Message]:
        """What stands of the conversation so far."""
        return self._record.messages

    # The leg

    async def prepare(self) -> None:
        """Get ready while the phone rings: synthesise the opening, warm the brain."""
        if opening := self._brain.opening():
            self._speaker.prepare(_say(opening))
            if self._record.answered_at is not None:
                self._speaker.release()
        await self._brain.prepare()

    def answered(self, now: float) -> None:
        """The call is up: the opening goes out at once."""
        self._record.answered_at = now
        if self._speaker.draft is not None:
            self._speaker.release()
        else:
            self._carry_out(self._turn.reply_finished(now), now)

    def feed(self, pcm: Pcm, now: float) -> None:
        """Hear audio of any length that arrived at `now`. Runs on the packet path."""
        if self._over or self._on_hold:
            return
        idle = self._turn.state in (State.LISTENING, State.SPEAKING)
        self._listener.push(pcm, idle=idle)
        self._detector.feed(pcm, now)

    def digit(self, digit: str, now: float) -> None:
        """The other side pressed a key."""
        self._emit(DigitHeard(now, digit))

    def say(self, text: str) -> None:
        """Speak now, whoever holds the floor; what was being said or prepared is dropped."""
        self._fall_silent()
        self._say_now(text)

    async def finish(self, now: float) -> None:
        """The leg is over: what was said last is still recognised and recorded."""
        if not self._stopped and self._turn.state not in (State.LISTENING, State.SPEAKING):
            self._over = True
            self._cancel_timer()
            self._speaker.drop_draft()
            await self._listener.last_words(now, self._settings.last_words_s)
        self.stop(now)

    def stop(self, now: float) -> None:
        """End all work at once; the record gets what was heard so far."""
        if self._stopped:
            return
        self._fall_silent()
        if self._listener.words_so_far:
            self._record_turn(now)
        self._stopped = self._over = True
        self._cancel_timer()
        self._listener.cancel()
        self._detector.close()
        self._brain.close()

    # What is done to a conversation from outside

    @property
    def they_speak(self) -> bool:
        """Whether the other side speaks at this moment."""
        return self._turn.state in (State.HEARING, State.OVERLAPPED, State.WEIGHING)

    @property
    def is_silent(self) -> bool:
        """Whether we could speak now without cutting anybody off, ourselves included."""
        return self._turn.state is State.LISTENING and self._speaker.reply is None

    @property
    def is_muted(self) -> bool:
        """Whether our side is muted or on hold."""
        return self._muted or self._on_hold

    @property
    def is_on_hold(self) -> bool:
        """Whether neither side hears the other."""
        return self._on_hold

    def say_when_silent(self, text: str) -> None:
        """Say this once, as soon as nobody speaks."""
        self._remarks.append(text)
        self._take_floor()

    def withdraw(self, text: str) -> None:
        """Do not say this any more, if it has not been begun."""
        self._remarks = [remark for remark in self._remarks if remark != text]

    def inject(self, text: str) -> None:
        """Tell the brain something that nobody hears; it counts from the next reply on."""
        at = self._record.since_answer(self._loop.time())
        self._note(Message("instruction", text, start_s=at, end_s=at))

    def mute(self) -> None:
        """Fall silent, and listen on without answering."""
        self._muted = True
        self._leave_floor()

    def unmute(self) -> None:
        """Answer again: first what was last said meanwhile."""
        self._muted = False
        self._return()

    def hold(self) -> None:
        """Neither speak nor listen until `resume`."""
        now = self._loop.time()
        self._leave_floor()
        self._listener.cancel()
        if self._listener.words_so_far:
            self._record_turn(now)
        self._on_hold = True
        self._cancel_timer()
        self._turn = Turn(self._settings.turn)
        self._listener.begin()

    def resume(self) -> None:
        """Go on after `hold`: whose turn it was is forgotten, what was said is not."""
        now = self._loop.time()
        self._on_hold = False
        self._detector.reset()
        self._carry_out(self._turn.reply_finished(now), now)
        self._return()

    def tool_began(self) -> None:
        """A tool is at work: a long silence is no reason to ask the brain."""
        self._tools_running += 1

    def tool_ended(self, result: Message, *, ask: bool = True) -> None:
        """Put what came of a tool into the record; after the last one the brain goes on.

        result: of the role `tool`. ask: False where there is nothing to be said about it.
        """
        self._tools_running -= 1
        self._result_due |= ask
        self._note(result)
        self._take_floor()

    def _note(self, message: Message) -> None:
        """Record what nobody said; an answer prepared without it is void."""
        if self._stopped:
            return
        self._record.messages.append(message)
        if self._speaker.draft is not None and not self._speaker.held:
            self._speaker.drop_draft()
            if self._listener.words_so_far:
                self._prepare_answer()

    def _leave_floor(self) -> None:
        now = self._loop.time()
        self._fall_silent()
        self._remarks.clear()
        self._carry_out(self._turn.reply_finished(now), now)

    def _return(self) -> None:
        if (self._record.unanswered or self._result_due) and self.is_silent:
            self._answer()
        self._take_floor()

    def _take_floor(self) -> None:
        """Say what waits for a silence: what a tool's result calls for, else a remark."""
        waits = self._record.answered_at is None or self._over or self.is_muted
        if waits or not self.is_silent:
            return
        if self._result_due and not self._tools_running:
            self._answer()
        elif self._remarks:
            self._say_now(self._remarks.pop(0))

    def _say_now(self, text: str) -> None:
        self._record.answering = None
        self._speaker.prepare(_say(text))
        self._speaker.release()

    # Turns

    def _window(self, probability: float, now: float) -> None:
        if not self._over and not self._on_hold:
            pending_s = self._speaker.pending_s
            if actions := self._turn.window(probability, now, self._window_s, pending_s):
                self._carry_out(actions, now)

    def _carry_out(self, actions: Sequence[Action], now: float) -> None:
        try:
            for action in actions:
                self._ACTIONS[action](self, now)
        finally:
            self._arm_timer()

    def _arm_timer(self) -> None:
        self._cancel_timer()
        deadline = self._turn.deadline
        counts = self._record.answered_at is not None and not self._over and not self._on_hold
        if deadline is not None and counts:
            self._timer = self._loop.call_at(deadline, self._deadline_passed)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _deadline_passed(self) -> None:
        now = max(self._loop.time(), self._turn.deadline or 0.0)
        self._carry_out(self._turn.handle_timer(now), now)

    # Hearing

    def _speech_started(self, now: float) -> None:
        self._listener.begin()
        self._speaker.hold()
        self._emit(SpeechStarted(self._turn.speech_started_at))

    def _peek(self, now: float) -> None:
        """Look at words that are still being spoken, only to see whether they want the floor."""
        self._listener.recognise(self._weigh)

    def _weigh(self, words: str, now: float) -> None:
        self._carry_out(self._turn.first_words(words, now), now)

    def _recognise(self, now: float) -> None:
        listener = self._listener
        listener.voiced_until = min(self._turn.speech_ended_at, now - listener.audio.silence_s())
        self._emit(SpeechEnded(listener.voiced_until))
        listener.recognise(self._take_words)

    def _take_words(self, words: str, now: float) -> None:
        self._listener.words = words
        text = self._listener.words_so_far
        if text:
            self._emit(Partial(now, text))
            if self._turn.state is State.MAYBE_ENDED:
                self._prepare_answer()
        self._carry_out(self._turn.words(text, now), now)

    def _discard(self, now: float) -> None:
        """They went on speaking: the prepared answer is void, the words may be kept."""
        self._speaker.drop_draft()
        self._listener.fix(self._settings.segment_s)

    # Answering

    def _prepare_answer(self) -> None:
        if not self.is_muted:
            self._speaker.prepare(self._brain.reply(self._record.for_brain(self._heard_message())))

    def _dismiss(self, now: float) -> None:
        """A noise or a listening sound: an answer that was due is still due."""
        self._listener.words = ""
        due = (self._record.unanswered or self._result_due) or self._speaker.held
        if self._speaker.reply is None and due:
            self._answer()
        else:
            self._speaker.drop_draft()
        self._take_floor()

    def _commit(self, now: float) -> None:
        """Their turn is over: it stands in the record, and the prepared answer goes out."""
        if said := self._speaker.fall_silent():
            self._record_said(said, now)
            self._speaker.drop_draft()  # it was prepared from a record without these words
        self._record_turn(now)
        self._answer()

    def _prompt(self, now: float) -> None:
        """A long silence counts as an empty turn."""
        if self._speaker.reply is not None:
            return
        if self.is_muted or self._tools_running:
            self._turn.reply_finished(now)  # the silence counts from here
            return
        silence = self._record.since_answer(now)
        self._record.messages.append(Message("user", "", start_s=silence, end_s=silence))
        self._record.answering = None
        self._speaker.drop_draft()
        self._answer()

    def _answer(self) -> None:
        """Say what was prepared, or else what the brain makes of the record."""
        if self.is_muted:
            return
        self._result_due = False
        if self._speaker.draft is None:
            self._speaker.prepare(self._brain.reply(self._record.for_brain()))
        self._speaker.release()

    def _record_turn(self, now: float) -> None:
        message = self._heard_message()
        self._record.messages.append(message)
        listener = self._listener
        self._record.answering = Heard(listener.voiced_until, now, listener.recognised_in_s)
        listener.forget_words()
        self._detector.reset()
        self._emit(TurnEnded(now, message))

    def _heard_message(self) -> Message:
        return Message(
            "user",
            self._listener.words_so_far,
            start_s=self._record.since_answer(self._turn.speech_started_at),
            end_s=self._record.since_answer(self._listener.voiced_until),
        )

    # Speaking

    def _reply_started(self, reply: Utterance) -> None:
        now = self._loop.time()
        self._emit(ReplyStarted(now, reply.text, self._record.latency_of(reply, now)))
        self._carry_out(self._turn.reply_started(now), now)

    def _reply_finished(self, said: Said) -> None:
        now = self._loop.time()
        acts = said.utterance.acts
        if acts and self._turn.state not in (State.SPEAKING, State.LISTENING):
            said, acts = replace(said, cut_off=True), []  # they have begun to answer: ask again
        quiet_s = None
        if said.utterance.started_at is None:
            quiet_s = self._settings.quiet_after_nothing_s
        else:
            self._record_said(said, now)
        if self._speaker.draft is not None and self._listener.words_so_far:
            self._prepare_answer()
        self._carry_out(self._turn.reply_finished(now, quiet_s), now)
        for act in acts:
            self._emit(ToolRequested(now, act.name, act.arguments))
        self._take_floor()

    def _fall_silent(self) -> None:
        self._speaker.drop_draft()
        self._record_said(self._speaker.fall_silent(), self._loop.time())

    def _record_said(self, said: Said | None, now: float) -> None:
        if said is not None:
            self._emit(Spoken(now, self._record.said(said, now)))

    def _pause(self, now: float) -> None:
        self._paused_at = now
        self._playout.pause()

    def _resume(self, now: float) -> None:
        self._listener.forget_words()
        self._playout.resume()

    def _interrupt(self, now: float) -> None:
        began = self._turn.speech_started_at
        silent_at = self._paused_at if self._paused_at >= began else now
        self._fall_silent()
        self._emit(Interrupted(now, ms(silent_at - began)))
        if self._listener.words_so_far:
            self._prepare_answer()

    def _fail(self, engine: str, error: Exception) -> None:
        self._emit(EngineFailed(self._loop.time(), engine, f"{type(error).__name__}: {error}"))

    _ACTIONS = {  # noqa: RUF012
        Action.SPEECH_STARTED: _speech_started,
        Action.PEEK: _peek,
        Action.RECOGNISE: _recognise,
        Action.DISCARD: _discard,
        Action.DISMISS: _dismiss,
        Action.COMMIT: _commit,
        Action.PAUSE: _pause,
        Action.RESUME: _resume,
        Action.INTERRUPT: _interrupt,
        Action.PROMPT: _prompt,
    }


async def _say(text: str) -> AsyncIterator[Say | Act]:
    yield Say(text)
