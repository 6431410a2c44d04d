"""One conversation: hears, takes turns, answers, and remembers what was really heard."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace

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
from pipeline.speaker import Said, Speaker
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
    last_words_s: float = 1.0
    """Time given to the recogniser for what was said just before the leg ended."""


@dataclass(frozen=True, slots=True)
class _Heard:
    """The turn that our next reply answers, for its latency."""

    voiced_until: float
    ended_at: float
    recognised_in_s: float


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
        self.messages: list[Message] = []
        self._transcriber, self._brain, self._playout = engines.transcriber, brain, playout
        self._emit = on_event
        self._settings = settings or SessionSettings()
        self._loop = asyncio.get_running_loop()
        self._turn = Turn(self._settings.turn)
        self._detector = engines.detector.open(self._window)
        self._window_s = engines.detector.window_ms / 1000
        self._audio = TurnAudio(self._settings.pre_roll_s, self._settings.rate_hz)
        self._fixed_words: list[str] = []
        """Words of this turn before its last long pause; their audio is gone."""
        self._words = ""
        """Words recognised since, as of the last silence."""
        self._recognition: asyncio.Task[None] | None = None
        self._recognised_in_s = 0.0
        self._voiced_until = 0.0
        """Their last voiced sample, by its level; the detector is later."""
        self._speaker = Speaker(
            engines.voice,
            playout,
            self._settings.rate_hz,
            on_started=self._reply_started,
            on_finished=self._reply_finished,
            on_failed=lambda error: self._fail("brain or voice", error),
        )
        self._answering: _Heard | None = None
        self._answered_at: float | None = None
        self._paused_at = 0.0
        self._over = False
        """The leg is gone: nothing more is heard, and no deadline counts."""
        self._stopped = False
        self._timer: asyncio.TimerHandle | None = None

    # The leg

    async def prepare(self) -> None:
        """Get ready while the phone rings: synthesise the opening, warm the brain."""
        if opening := self._brain.opening():
            self._speaker.prepare(_say(opening))
            if self._answered_at is not None:
                self._speaker.release()
        await self._brain.prepare()

    def answered(self, now: float) -> None:
        """The call is up: the opening goes out at once."""
        self._answered_at = now
        if self._speaker.draft is not None:
            self._speaker.release()
        else:
            self._carry_out(self._turn.reply_finished(now), now)

    def feed(self, pcm: Pcm, now: float) -> None:
        """Hear audio of any length that arrived at `now`. Runs on the packet path."""
        if self._over:
            return
        self._audio.push(pcm)
        if self._turn.state in (State.LISTENING, State.SPEAKING):
            self._audio.trim()
        self._detector.feed(pcm, now)

    def digit(self, digit: str, now: float) -> None:
        """The other side pressed a key."""
        self._emit(DigitHeard(now, digit))

    def say(self, text: str) -> None:
        """Speak now, whoever holds the floor; what was being said or prepared is dropped."""
        self._fall_silent()
        self._speaker.prepare(_say(text))
        self._speaker.release()

    async def finish(self, now: float) -> None:
        """The leg is over: what was said last is still recognised and recorded."""
        if not self._stopped and self._turn.state not in (State.LISTENING, State.SPEAKING):
            self._over = True
            self._cancel_timer()
            self._cancel_recognition()
            self._speaker.drop_draft()
            self._voiced_until = now - self._audio.silence_s()
            try:
                async with asyncio.timeout(self._settings.last_words_s):
                    self._words = await self._transcribe(self._audio.stretch())
            except (TimeoutError, RuntimeError):
                pass  # the words before them stand; the call is over either way
        self.stop(now)

    def stop(self, now: float) -> None:
        """End all work at once; the record gets what was heard so far."""
        if self._stopped:
            return
        self._fall_silent()
        if self._words_so_far():
            self._record_turn(now)
        self._stopped = self._over = True
        self._cancel_timer()
        self._cancel_recognition()
        self._detector.close()
        self._brain.close()

    # Turns

    def _window(self, probability: float, now: float) -> None:
        if not self._over:
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
        if deadline is not None and self._answered_at is not None and not self._over:
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
        self._cancel_recognition()
        self._fixed_words.clear()
        self._words = ""
        self._audio.trim()
        self._speaker.hold()
        self._emit(SpeechStarted(self._turn.speech_started_at))

    def _peek(self, now: float) -> None:
        """Look at words that are still being spoken, only to see whether they want the floor."""
        self._recognise_stretch(self._weigh)

    def _weigh(self, words: str, now: float) -> None:
        self._carry_out(self._turn.first_words(words, now), now)

    def _recognise(self, now: float) -> None:
        self._voiced_until = min(self._turn.speech_ended_at, now - self._audio.silence_s())
        self._emit(SpeechEnded(self._voiced_until))
        self._recognise_stretch(self._take_words)

    def _take_words(self, words: str, now: float) -> None:
        self._words = words
        text = self._words_so_far()
        if text:
            self._emit(Partial(now, text))
            if self._turn.state is State.MAYBE_ENDED:
                self._prepare_answer()
        self._carry_out(self._turn.words(text, now), now)

    def _recognise_stretch(self, on_words: Callable[[str, float], None]) -> None:
        self._cancel_recognition()
        self._recognition = self._loop.create_task(self._run_recognition(on_words))

    async def _run_recognition(self, on_words: Callable[[str, float], None]) -> None:
        began = self._loop.time()
        try:
            words = await self._transcribe(self._audio.stretch())
            now = self._loop.time()
            self._recognised_in_s = now - began
            self._recognition = None
            on_words(words, now)
        except Exception as error:  # whatever it is, the call must not wait for ever
            self._fail("recogniser", error)

    async def _transcribe(self, pcm: Pcm) -> str:
        """Recognise; once more when the engine was lost on the way."""
        rate_hz, hints = self._settings.rate_hz, self._brain.hints()
        try:
            transcript = await self._transcriber.transcribe(pcm, rate_hz, hints)
        except RuntimeError:
            transcript = await self._transcriber.transcribe(pcm, rate_hz, hints)
        return transcript.text.strip()

    def _cancel_recognition(self) -> None:
        if self._recognition is not None:
            self._recognition.cancel()
            self._recognition = None

    def _words_so_far(self) -> str:
        return " ".join((*self._fixed_words, self._words)).strip()

    def _discard(self, now: float) -> None:
        """They went on speaking: the prepared answer is void, the words may be kept."""
        self._cancel_recognition()
        self._speaker.drop_draft()
        if self._words and self._audio.length_s >= self._settings.segment_s:
            self._fixed_words.append(self._words)
            self._audio.trim()
        self._words = ""

    # Answering

    def _prepare_answer(self) -> None:
        self._speaker.prepare(self._brain.reply((*self.messages, self._heard_message())))

    def _dismiss(self, now: float) -> None:
        """A noise or a listening sound: an answer that was due is still due."""
        self._words = ""
        unanswered = bool(self.messages) and self.messages[-1].role == "user"
        due = unanswered or self._speaker.held
        if self._speaker.reply is None and due:
            self._answer()
        else:
            self._speaker.drop_draft()

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
        silence = self._since_answer(now)
        self.messages.append(Message("user", "", start_s=silence, end_s=silence))
        self._answering = None
        self._speaker.drop_draft()
        self._answer()

    def _answer(self) -> None:
        """Say what was prepared, or else what the brain makes of the record."""
        if self._speaker.draft is None:
            self._speaker.prepare(self._brain.reply(tuple(self.messages)))
        self._speaker.release()

    def _record_turn(self, now: float) -> None:
        message = self._heard_message()
        self.messages.append(message)
        self._answering = _Heard(self._voiced_until, now, self._recognised_in_s)
        self._fixed_words.clear()
        self._words = ""
        self._detector.reset()
        self._emit(TurnEnded(now, message))

    def _heard_message(self) -> Message:
        return Message(
            "user",
            self._words_so_far(),
            start_s=self._since_answer(self._turn.speech_started_at),
            end_s=self._since_answer(self._voiced_until),
        )

    # Speaking

    def _reply_started(self, reply: Utterance) -> None:
        now = self._loop.time()
        self._emit(ReplyStarted(now, reply.text, self._latency_of(reply, now)))
        self._carry_out(self._turn.reply_started(now), now)

    def _latency_of(self, reply: Utterance, now: float) -> ReplyLatency:
        heard, self._answering = self._answering, None
        if heard is None or reply.first_piece_at is None or reply.first_audio_at is None:
            return ReplyLatency()
        return ReplyLatency(
            voice_to_voice_ms=_ms(now - heard.voiced_until),
            endpoint_ms=_ms(heard.ended_at - heard.voiced_until),
            stt_ms=_ms(heard.recognised_in_s),
            llm_first_token_ms=_ms(reply.first_piece_at - reply.prepared_at),
            tts_first_audio_ms=_ms(reply.first_audio_at - reply.first_piece_at),
        )

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
        if self._speaker.draft is not None and self._words_so_far():
            self._prepare_answer()
        self._carry_out(self._turn.reply_finished(now, quiet_s), now)
        for act in acts:
            self._emit(ToolRequested(now, act.name, act.arguments))

    def _fall_silent(self) -> None:
        self._speaker.drop_draft()
        self._record_said(self._speaker.fall_silent(), self._loop.time())

    def _record_said(self, said: Said | None, now: float) -> None:
        if said is None:
            return
        message = Message(
            "assistant",
            said.heard,
            intended=said.utterance.text.strip(),
            interrupted=said.cut_off,
            start_s=self._since_answer(said.utterance.started_at or now),
            end_s=self._since_answer(now),
        )
        self.messages.append(message)
        self._emit(Spoken(now, message))

    def _pause(self, now: float) -> None:
        self._paused_at = now
        self._playout.pause()

    def _resume(self, now: float) -> None:
        self._fixed_words.clear()
        self._words = ""
        self._playout.resume()

    def _interrupt(self, now: float) -> None:
        began = self._turn.speech_started_at
        silent_at = self._paused_at if self._paused_at >= began else now
        self._fall_silent()
        self._emit(Interrupted(now, _ms(silent_at - began)))
        if self._words_so_far():
            self._prepare_answer()

    def _fail(self, engine: str, error: Exception) -> None:
        self._emit(EngineFailed(self._loop.time(), engine, f"{type(error).__name__}: {error}"))

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
