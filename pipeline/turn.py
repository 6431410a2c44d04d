"""Whose turn it is: end-pointing and barge-in as a state table, without I/O or clocks.

`Turn` stands after the voice detector and before the session, which carries out the
actions that a step returns. All times are monotonic seconds passed in.
"""

from dataclasses import dataclass
from enum import Enum, auto

from pipeline.cues import is_backchannel, may_become_backchannel, patience_s


class State(Enum):
    """Who holds the floor."""

    LISTENING = auto()
    """Nobody speaks."""
    HEARING = auto()
    """They speak; we are silent, or in the last moments of our sentence."""
    MAYBE_ENDED = auto()
    """They fell silent; their turn is over if they stay so."""
    SPEAKING = auto()
    """We speak."""
    OVERLAPPED = auto()
    """They speak into our speech, which is paused until it is clear what they want."""
    WEIGHING = auto()
    """They speak on into our paused speech; the words so far may show that they want the floor."""
    JUDGING = auto()
    """They fell silent after a short overlap; the words decide."""


class Signal(Enum):
    """What can happen to a turn."""

    ONSET = auto()
    TAIL_ONSET = auto()
    """An onset in the last moments of our speech: an answer, not an interruption."""
    GREETING_ONSET = auto()
    """An onset across our very first words: likely a "hello"."""
    OFFSET = auto()
    WORDS = auto()
    """Words that want the floor were recognised."""
    NOISE = auto()
    """No words were recognised before the present silence."""
    BACKCHANNEL = auto()
    """Only listening sounds ("uh huh") were recognised before the present silence."""
    DEADLINE = auto()
    REPLY_STARTED = auto()
    REPLY_FINISHED = auto()


class Action(Enum):
    """What the session has to do now."""

    SPEECH_STARTED = auto()
    PEEK = auto()
    """Transcribe what they have said so far, though they are still speaking."""
    RECOGNISE = auto()
    """Transcribe the turn so far, and prepare an answer to it."""
    DISCARD = auto()
    """They went on: throw the prepared answer away."""
    DISMISS = auto()
    """It was no turn at all: go on as if nothing had been heard."""
    COMMIT = auto()
    """Their turn is over: it stands in the record, and the answer goes out."""
    PAUSE = auto()
    RESUME = auto()
    INTERRUPT = auto()
    """Drop our speech for good; what was heard of it stands in the record."""
    PROMPT = auto()
    """They have been silent for long: let the brain say something."""


S, G, A = State, Signal, Action

TABLE: dict[tuple[State, Signal], tuple[State, tuple[Action, ...]]] = {
    (S.LISTENING, G.ONSET): (S.HEARING, (A.SPEECH_STARTED,)),
    (S.LISTENING, G.REPLY_STARTED): (S.SPEAKING, ()),
    (S.LISTENING, G.DEADLINE): (S.LISTENING, (A.PROMPT,)),
    (S.HEARING, G.OFFSET): (S.MAYBE_ENDED, (A.RECOGNISE,)),
    (S.HEARING, G.REPLY_STARTED): (S.SPEAKING, ()),
    (S.MAYBE_ENDED, G.ONSET): (S.HEARING, (A.DISCARD,)),
    (S.MAYBE_ENDED, G.WORDS): (S.MAYBE_ENDED, ()),
    (S.MAYBE_ENDED, G.NOISE): (S.LISTENING, (A.DISMISS,)),
    (S.MAYBE_ENDED, G.DEADLINE): (S.LISTENING, (A.COMMIT,)),
    (S.MAYBE_ENDED, G.REPLY_STARTED): (S.SPEAKING, (A.DISCARD,)),
    (S.SPEAKING, G.ONSET): (S.OVERLAPPED, (A.SPEECH_STARTED, A.PAUSE)),
    (S.SPEAKING, G.GREETING_ONSET): (S.OVERLAPPED, (A.SPEECH_STARTED,)),
    (S.SPEAKING, G.TAIL_ONSET): (S.HEARING, (A.SPEECH_STARTED,)),
    (S.SPEAKING, G.WORDS): (S.MAYBE_ENDED, (A.INTERRUPT,)),
    (S.SPEAKING, G.REPLY_FINISHED): (S.LISTENING, ()),
    (S.OVERLAPPED, G.OFFSET): (S.JUDGING, (A.RECOGNISE,)),
    (S.OVERLAPPED, G.DEADLINE): (S.WEIGHING, (A.PEEK,)),
    (S.OVERLAPPED, G.REPLY_FINISHED): (S.HEARING, ()),
    (S.WEIGHING, G.WORDS): (S.HEARING, (A.INTERRUPT,)),
    (S.WEIGHING, G.DEADLINE): (S.HEARING, (A.INTERRUPT,)),
    (S.WEIGHING, G.OFFSET): (S.JUDGING, (A.RECOGNISE,)),
    (S.WEIGHING, G.REPLY_FINISHED): (S.HEARING, ()),
    (S.JUDGING, G.ONSET): (S.OVERLAPPED, (A.DISCARD,)),
    (S.JUDGING, G.NOISE): (S.SPEAKING, (A.RESUME,)),
    (S.JUDGING, G.BACKCHANNEL): (S.SPEAKING, (A.RESUME,)),
    (S.JUDGING, G.WORDS): (S.MAYBE_ENDED, (A.INTERRUPT,)),
    (S.JUDGING, G.DEADLINE): (S.SPEAKING, (A.RESUME,)),
    (S.JUDGING, G.REPLY_FINISHED): (S.MAYBE_ENDED, ()),
}
"""(state, signal) -> (next state, actions). A pair that is not listed changes nothing."""


@dataclass(frozen=True, slots=True)
class TurnSettings:
    """Thresholds; probabilities are those of the detector, times in seconds."""

    on_probability: float = 0.5
    off_probability: float = 0.35
    onset_windows: int = 2
    """Voiced windows in a row that make an onset while we are silent."""
    overlap_windows: int = 3
    """Voiced windows in a row that make an onset while we speak."""
    offset_s: float = 0.09
    """Silence after which the recogniser starts."""
    peek_s: float = 0.5
    """Their speech into ours after which its first words are looked at."""
    barge_in_s: float = 1.3
    """Their speech into ours that is no listening sound whatever its words."""
    greeting_s: float = 1.2
    """After our first words begin, a "hello" neither pauses nor stops them."""
    tail_s: float = 0.4
    """An onset this close to the end of our speech is an answer, not an interruption."""
    patience_factor: float = 1.0
    """Multiplies the silence awaited after a sentence."""
    judging_s: float = 3.0
    """Silence after an overlap until we speak on although no words came."""
    quiet_s: float = 7.0
    """Silence after our words until the brain is asked again."""


class Turn:
    """The floor of one conversation. Stands after the detector, before the session."""

    def __init__(self, settings: TurnSettings) -> None:
        self.state = State.LISTENING
        self.deadline: float | None = None
        """When `handle_timer` is due, monotonic seconds."""
        self.speech_started_at = 0.0
        """Onset of their present or last speech."""
        self.speech_ended_at = 0.0
        """Their last voiced sample."""
        self._settings = settings
        self._voiced = False
        self._run = 0
        self._onset_at = 0.0
        self._began_inside_ours = False
        """Their present speech began while we spoke, and not at the end of what we said."""
        self._first_reply_at: float | None = None

    def window(
        self, probability: float, now: float, window_s: float, pending_s: float
    ) -> tuple[Action, ...]:
        """Take one scored window that ended at `now`; `pending_s`: what is left of our speech."""
        settings = self._settings
        if probability >= settings.on_probability:
            self._run += 1
        elif probability < settings.off_probability:
            self._run = 0
        if self._voiced:
            if probability >= settings.off_probability:
                self.speech_ended_at = now
            elif now - self.speech_ended_at >= settings.offset_s:
                self._voiced = False
                return self._step(Signal.OFFSET, now)
            return ()
        speaking = self.state is State.SPEAKING
        needed = settings.overlap_windows if speaking else settings.onset_windows
        if self._run < needed:
            return ()
        self._voiced = True
        self._onset_at = now - needed * window_s
        self.speech_ended_at = now
        if self.state in (State.MAYBE_ENDED, State.JUDGING):
            return self._step(Signal.ONSET, now)
        self.speech_started_at = self._onset_at
        self._began_inside_ours = speaking and pending_s >= settings.tail_s
        if speaking and not self._began_inside_ours:
            return self._step(Signal.TAIL_ONSET, now)
        if speaking and self._in_greeting(now):
            return self._step(Signal.GREETING_ONSET, now)
        return self._step(Signal.ONSET, now)

    def words(self, text: str, now: float) -> tuple[Action, ...]:
        """Take what the recogniser made of the stretch before the present silence."""
        if not text:
            signal = Signal.NOISE
        elif is_backchannel(text, greeting=self._in_greeting(self.speech_started_at)):
            signal = Signal.BACKCHANNEL
        else:
            signal = Signal.WORDS
        # After our speech has ended, a listening sound that began inside it is noise.
        if signal is Signal.BACKCHANNEL and self.state is not State.JUDGING:
            signal = Signal.NOISE if self._began_inside_ours else Signal.WORDS
        actions = self._step(signal, now)
        if self.state is State.MAYBE_ENDED:
            self.deadline = self.speech_ended_at + patience_s(text) * self._settings.patience_factor
            if self.deadline <= now:
                actions += self.handle_timer(now)
        return actions

    def first_words(self, text: str, now: float) -> tuple[Action, ...]:
        """Take what the recogniser made of speech that is still going on."""
        greeting = self._in_greeting(self.speech_started_at)
        if self.state is not State.WEIGHING or may_become_backchannel(text, greeting=greeting):
            return ()
        return self._step(Signal.WORDS, now)

    def reply_started(self, now: float) -> tuple[Action, ...]:
        """Our speech begins to play."""
        if self._first_reply_at is None:
            self._first_reply_at = now
        return self._step(Signal.REPLY_STARTED, now)

    def reply_finished(self, now: float, quiet_s: float | None = None) -> tuple[Action, ...]:
        """Our speech has been played to its end; `quiet_s`: silence until the brain is asked."""
        actions = self._step(Signal.REPLY_FINISHED, now)
        if self.state is State.LISTENING:
            self.deadline = now + (self._settings.quiet_s if quiet_s is None else quiet_s)
        return actions

    def handle_timer(self, now: float) -> tuple[Action, ...]:
        """The deadline has passed."""
        if self.deadline is None or now < self.deadline:
            return ()
        self.deadline = None
        return self._step(Signal.DEADLINE, now)

    def _in_greeting(self, at: float) -> bool:
        first = self._first_reply_at
        return first is not None and at - first < self._settings.greeting_s

    def _step(self, signal: Signal, now: float) -> tuple[Action, ...]:
        row = TABLE.get((self.state, signal))
        if row is None:
            return ()
        previous, (self.state, actions) = self.state, row
        if self.state is not previous:
            self.deadline = self._deadline_of(self.state, now)
        return actions

    def _deadline_of(self, state: State, now: float) -> float | None:
        """When a state that was just entered is to be left; MAYBE_ENDED waits for its words."""
        settings = self._settings
        match state:
            case State.OVERLAPPED:
                return self._onset_at + settings.peek_s
            case State.WEIGHING:
                return self._onset_at + settings.barge_in_s
            case State.JUDGING:
                return now + settings.judging_s
            case State.LISTENING:
                return now + settings.quiet_s
            case _:
                return None
