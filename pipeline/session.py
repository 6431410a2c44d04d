"""One conversation: hears, takes turns, answers, and remembers what was really heard."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

from media.audio import TELEPHONE_HZ, Pcm
from pipeline.events import (
    DigitHeard,
    EngineFailed,
    Event,
    Interrupted,
    Partial,
    ReplyLatency,
    ReplyStarted,
    SpeechEnded,
    SpeechStarted,
    Spoken,
    ToolRequested,
    TurnEnded,
)
from pipeline.hearing import TurnAudio
from pipeline.ports import (
    Act,
    Brain,
    Message,
    Playout,
    Say,
    Transcriber,
    Voice,
    VoiceDetector,
)
from pipeline.speech import Utterance
from pipeline.turn import Action, State, Turn, TurnSettings


@dataclass(frozen=True, slots=True)
class Engines:
    """The three engines of a conversation."""

    detector: VoiceDetector
    transcriber: Transcriber
    voice: Voice


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


class Session:
    """One conversation. Stands after the media stream's decoder, before its pacer."""

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
        self.messages: list[Message] = []
        self._engines, self._brain, self._playout = engines, brain, playout
        self._emit = on_event
        self._settings = settings or SessionSettings()
        self._loop = asyncio.get_running_loop()
        self._turn = Turn(self._settings.turn)
        self._detector = engines.detector.open(self._window)
        self._window_s = engines.detector.window_ms / 1000
        self._audio = TurnAudio(self._settings.pre_roll_s, self._settings.rate_hz)
        self._fixed_words: list[str] = []
        self._words = ""
        self._hearing: asyncio.Task[None] | None = None
        self._recognised_in_s = 0.0
        self._draft: Utterance | None = None
        """An answer that is prepared and not yet wanted."""
        self._reply: Utterance | None = None
        """What we say now, or are about to say."""
        self._answered_at: float | None = None
        self._turn_ended_at: float | None = None
        self._paused_at = 0.0
        self._stopped = False
        self._turn_timer: asyncio.TimerHandle | None = None
        self._playout_timer: asyncio.TimerHandle | None = None

    # The leg

    async def prepare(self) -> None:
        """Get ready while the phone rings: warm the brain, synthesise the opening."""
        await self._brain.prepare()
        opening = self._brain.opening()
        if not opening or self._stopped:
            return
        self._draft = self._utter(_say(opening))
        if self._answered_at is not None:
            self._release_draft()

    def answered(self, now: float) -> None:
        """The call is up: the opening goes out at once."""
        self._answered_at = now
        if self._draft is not None:
            self._release_draft()
        else:
            self._carry_out(self._turn.reply_finished(now), now)

    def feed(self, pcm: Pcm, now: float) -> None:
        """Hear audio of any length that arrived at `now`. Runs on the packet path."""
        if self._stopped:
            return
        self._audio.push(pcm)
        if self._turn.state in (State.LISTENING, State.SPEAKING):
            self._audio.trim()
        self._detector.feed(pcm, now)

    def digit(self, digit: str, now: float) -> None:
        """The other side pressed a key."""
        self._emit(DigitHeard(now, digit))

    def say(self, text: str) -> None:
        """Speak now, whoever holds the floor; drops what was being said or prepared."""
        self._drop_draft()
        self._drop_reply(self._loop.time())
        self._draft = self._utter(_say(text))
        self._release_draft()

    def stop(self, now: float) -> None:
        """The leg is over: the record gets what was heard, and all work ends."""
        if self._stopped:
            return
        self._drop_draft()
        self._drop_reply(now)
        if self._words_so_far():
            self._record_turn(now)
        self._stopped = True
        for timer in (self._turn_timer, self._playout_timer):
            if timer is not None:
                timer.cancel()
        if self._hearing is not None:
            self._hearing.cancel()
        self._detector.close()
        self._brain.close()

    # Hearing

    def _window(self, probability: float, now: float) -> None:
        if self._stopped:
            return
        pending_s = self._playout.pending_samples / self._settings.rate_hz
        self._carry_out(self._turn.window(probability, now, self._window_s, pending_s), now)

    def _carry_out(self, actions: Sequence[Action], now: float) -> None:
        for action in actions:
            self._ACTIONS[action](self, now)
        self._arm_turn_timer()

    def _arm_turn_timer(self) -> None:
        deadline = self._turn.deadline
        if self._turn_timer is not None:
            self._turn_timer.cancel()
            self._turn_timer = None
        if deadline is not None and self._answered_at is not None and not self._stopped:
            self._turn_timer = self._loop.call_at(deadline, self._deadline_passed)

    def _deadline_passed(self) -> None:
        now = max(self._loop.time(), self._turn.deadline or 0.0)
        self._carry_out(self._turn.handle_timer(now), now)

    def _speech_started(self, now: float) -> None:
        self._fixed_words.clear()
        self._words = ""
        self._audio.trim()
        if self._reply is not None and self._reply.started_at is None:
            self._reply.hold()
            self._draft, self._reply = self._reply, None
        self._emit(SpeechStarted(self._turn.speech_started_at))

    def _recognise(self, now: float) -> None:
        self._emit(SpeechEnded(self._turn.speech_ended_at))
        self._cancel_hearing()
        self._hearing = self._loop.create_task(self._hear(self._audio.stretch()))

    async def _hear(self, pcm: Pcm) -> None:
        began = self._loop.time()
        try:
            words = await self._transcribe(pcm)
        except RuntimeError as error:
            self._emit(EngineFailed(self._loop.time(), "recogniser", str(error)))
            return
        now = self._loop.time()
        self._recognised_in_s = now - began
        self._words = words
        text = self._words_so_far()
        if text:
            self._emit(Partial(now, text))
            if self._turn.state is State.MAYBE_ENDED:
                self._prepare_answer(now)
        self._carry_out(self._turn.words(text, now), now)

    def _peek(self, now: float) -> None:
        self._cancel_hearing()
        self._hearing = self._loop.create_task(self._weigh(self._audio.stretch()))

    async def _weigh(self, pcm: Pcm) -> None:
        """Look at words that are still being spoken, only to see whether they want the floor."""
        try:
            words = await self._transcribe(pcm)
        except RuntimeError as error:
            self._emit(EngineFailed(self._loop.time(), "recogniser", str(error)))
            return
        now = self._loop.time()
        self._carry_out(self._turn.first_words(words, now), now)

    async def _transcribe(self, pcm: Pcm) -> str:
        """Recognise; once more when the engine was lost on the way."""
        transcriber, rate_hz = self._engines.transcriber, self._settings.rate_hz
        hints = self._brain.hints()
        try:
            transcript = await transcriber.transcribe(pcm, rate_hz, hints)
        except RuntimeError:
            transcript = await transcriber.transcribe(pcm, rate_hz, hints)
        return transcript.text.strip()

    def _words_so_far(self) -> str:
        return " ".join((*self._fixed_words, self._words)).strip()

    def _discard(self, now: float) -> None:
        """They went on speaking: the prepared answer is void, the words may be kept."""
        self._cancel_hearing()
        self._drop_draft()
        if self._words and self._audio.length_s >= self._settings.segment_s:
            self._fixed_words.append(self._words)
            self._audio.trim()
        self._words = ""

    def _dismiss(self, now: float) -> None:
        """A noise or a listening sound: an answer that was due is still due."""
        self._words = ""
        if not self._answer_is_due():
            self._drop_draft()
            return
        if self._draft is None:
            self._draft = self._utter(self._brain.reply(tuple(self.messages)))
        self._release_draft()

    def _answer_is_due(self) -> bool:
        return self._reply is None and bool(self.messages) and self.messages[-1].role == "user"

    def _cancel_hearing(self) -> None:
        if self._hearing is not None:
            self._hearing.cancel()
            self._hearing = None

    # Answering

    def _prepare_answer(self, now: float) -> None:
        self._drop_draft()
        self._draft = self._utter(self._brain.reply((*self.messages, self._heard_message())))

    def _utter(self, pieces: AsyncIterator[Say | Act]) -> Utterance:
        return Utterance(
            pieces,
            self._engines.voice,
            self._playout,
            self._settings.rate_hz,
            self._reply_started,
            self._reply_complete,
        )

    def _commit(self, now: float) -> None:
        """Their turn is over: it stands in the record, and the prepared answer goes out."""
        if not self._words_so_far():
            self._drop_draft()
            return
        if self._reply is not None:
            self._finish_reply(now)
        self._record_turn(now)
        if self._draft is None:
            self._draft = self._utter(self._brain.reply(tuple(self.messages)))
        self._release_draft()

    def _record_turn(self, now: float) -> None:
        message = self._heard_message()
        self.messages.append(message)
        self._turn_ended_at = now
        self._fixed_words.clear()
        self._words = ""
        self._detector.reset()
        self._emit(TurnEnded(now, message))

    def _heard_message(self) -> Message:
        return Message(
            "user",
            self._words_so_far(),
            start_s=self._since_answer(self._turn.speech_started_at),
            end_s=self._since_answer(self._turn.speech_ended_at),
        )

    def _prompt(self, now: float) -> None:
        """A long silence counts as an empty turn."""
        if self._reply is not None:
            return
        silence = self._since_answer(now)
        self.messages.append(Message("user", "", start_s=silence, end_s=silence))
        self._drop_draft()
        self._draft = self._utter(self._brain.reply(tuple(self.messages)))
        self._release_draft()

    def _release_draft(self) -> None:
        assert self._draft is not None
        self._reply, self._draft = self._draft, None
        self._reply.release()

    def _drop_draft(self) -> None:
        if self._draft is not None:
            self._draft.cancel()
            self._draft = None

    # Speaking

    def _reply_started(self, reply: Utterance) -> None:
        now = self._loop.time()
        self._emit(ReplyStarted(now, reply.text, self._latency_of(reply, now)))
        self._carry_out(self._turn.reply_started(now), now)

    def _latency_of(self, reply: Utterance, now: float) -> ReplyLatency:
        ended_at, self._turn_ended_at = self._turn_ended_at, None
        if ended_at is None or reply.first_piece_at is None or reply.first_audio_at is None:
            return ReplyLatency()
        voiced_until = self._turn.speech_ended_at
        return ReplyLatency(
            voice_to_voice_ms=_ms(now - voiced_until),
            endpoint_ms=_ms(ended_at - voiced_until),
            stt_ms=_ms(self._recognised_in_s),
            llm_first_token_ms=_ms(reply.first_piece_at - reply.prepared_at),
            tts_first_audio_ms=_ms(reply.first_audio_at - reply.first_piece_at),
        )

    def _reply_complete(self, reply: Utterance) -> None:
        if reply.error is not None:
            self._emit(EngineFailed(self._loop.time(), "brain or voice", str(reply.error)))
        else:
            self._await_playout()

    def _await_playout(self) -> None:
        if self._reply is None or self._stopped:
            return
        pending_s = self._playout.pending_samples / self._settings.rate_hz
        if pending_s > 0:
            self._playout_timer = self._loop.call_later(pending_s, self._await_playout)
            return
        now = self._loop.time()
        said_something = self._reply.started_at is not None
        acts = self._finish_reply(now)
        quiet_s = None if said_something else self._settings.quiet_after_nothing_s
        self._carry_out(self._turn.reply_finished(now, quiet_s), now)
        for act in acts:
            self._emit(ToolRequested(now, act.name, act.arguments))

    def _finish_reply(self, now: float) -> Sequence[Act]:
        """Record the whole of the reply as heard; returns what is to be done after it."""
        reply, self._reply = self._reply, None
        self._cancel_playout_timer()
        assert reply is not None
        if reply.started_at is not None:
            self._record_reply(reply, reply.text.strip(), now, interrupted=False)
        return reply.acts

    def _drop_reply(self, now: float) -> None:
        """Fall silent at once; what was heard of the reply is recorded."""
        reply, self._reply = self._reply, None
        self._cancel_playout_timer()
        if reply is None:
            return
        heard = reply.heard
        reply.cancel()
        cut_off = self._playout.flush() > 0 or not reply.complete
        self._playout.resume()
        if reply.started_at is not None:
            whole = reply.text.strip()
            self._record_reply(reply, heard if cut_off else whole, now, interrupted=cut_off)

    def _cancel_playout_timer(self) -> None:
        if self._playout_timer is not None:
            self._playout_timer.cancel()
            self._playout_timer = None

    def _record_reply(self, reply: Utterance, heard: str, now: float, *, interrupted: bool) -> None:
        message = Message(
            "assistant",
            heard,
            intended=reply.text.strip(),
            interrupted=interrupted,
            start_s=self._since_answer(reply.started_at or now),
            end_s=self._since_answer(now),
        )
        self.messages.append(message)
        self._emit(Spoken(now, message))

    # Barge-in

    def _pause(self, now: float) -> None:
        self._paused_at = now
        self._playout.pause()

    def _resume(self, now: float) -> None:
        self._words = ""
        self._playout.resume()

    def _interrupt(self, now: float) -> None:
        began = self._turn.speech_started_at
        silent_at = self._paused_at if self._paused_at >= began else now
        self._drop_reply(now)
        self._emit(Interrupted(now, _ms(silent_at - began)))
        if self._words_so_far():
            self._prepare_answer(now)

    def _since_answer(self, at: float) -> float:
        return 0.0 if self._answered_at is None else round(max(0.0, at - self._answered_at), 3)

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


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)
