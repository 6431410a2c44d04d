import itertools

import pytest

from pipeline.turn import TABLE, Action, Signal, State, Turn, TurnSettings

WINDOW_S = 0.032


class Floor:
    """Feeds a Turn window by window on a clock of its own."""

    def __init__(self) -> None:
        self.turn = Turn(TurnSettings())
        self.now = 100.0
        self.actions: list[Action] = []
        self.pending_s = 5.0

    def hear(self, seconds: float, probability: float) -> list[Action]:
        """Windows of one probability; timers run when they are due."""
        mark = len(self.actions)
        for _ in range(round(seconds / WINDOW_S)):
            self.now += WINDOW_S
            if self.turn.deadline is not None and self.turn.deadline <= self.now:
                self.actions += self.turn.handle_timer(self.now)
            self.actions += self.turn.window(probability, self.now, WINDOW_S, self.pending_s)
        return self.actions[mark:]

    def words(self, text: str) -> list[Action]:
        actions = list(self.turn.words(text, self.now))
        self.actions += actions
        return actions

    def speak(self, ago_s: float = 5.0) -> None:
        self.turn.reply_started(self.now - ago_s)


@pytest.fixture
def floor() -> Floor:
    return Floor()


def test_a_turn_is_recognised_at_its_silence_and_ends_after_patience(floor: Floor) -> None:
    assert floor.hear(0.5, 0.9) == [Action.SPEECH_STARTED]
    assert floor.hear(0.13, 0.1) == [Action.RECOGNISE]
    assert floor.words("yes") == []
    assert floor.hear(0.4, 0.1) == [Action.COMMIT]
    assert floor.turn.state is State.LISTENING


def test_speech_that_goes_on_voids_the_prepared_answer(floor: Floor) -> None:
    floor.hear(0.5, 0.9)
    floor.hear(0.13, 0.1)
    floor.words("yes")
    assert floor.hear(0.1, 0.9) == [Action.DISCARD]
    assert floor.turn.state is State.HEARING


def test_an_unfinished_sentence_is_given_longer(floor: Floor) -> None:
    floor.hear(0.5, 0.9)
    floor.hear(0.13, 0.1)
    floor.words("i would like to")
    assert Action.COMMIT not in floor.hear(0.8, 0.1)
    assert Action.COMMIT in floor.hear(0.6, 0.1)


def test_words_that_come_late_end_the_turn_at_once(floor: Floor) -> None:
    floor.hear(0.5, 0.9)
    floor.hear(1.0, 0.1)
    assert floor.words("yes") == [Action.COMMIT]


def test_a_turn_waits_for_its_words_however_late_they_come(floor: Floor) -> None:
    floor.hear(0.5, 0.9)
    assert floor.hear(9.0, 0.1) == [Action.RECOGNISE]
    assert floor.words("yes") == [Action.COMMIT]


def test_our_paused_speech_goes_on_when_no_words_come(floor: Floor) -> None:
    floor.speak()
    floor.hear(0.3, 0.9)
    assert floor.hear(3.5, 0.1) == [Action.RECOGNISE, Action.RESUME]
    assert floor.turn.state is State.SPEAKING


def test_words_that_come_after_we_spoke_on_still_interrupt(floor: Floor) -> None:
    floor.speak()
    floor.hear(0.3, 0.9)
    floor.hear(3.5, 0.1)
    assert floor.words("stop it")[0] is Action.INTERRUPT


def test_two_listening_sounds_with_a_gap_are_no_long_interruption(floor: Floor) -> None:
    floor.speak()
    floor.hear(0.35, 0.9)
    floor.hear(0.13, 0.1)
    floor.hear(0.3, 0.9)
    assert Action.INTERRUPT not in floor.actions


def test_a_noise_is_no_turn(floor: Floor) -> None:
    floor.hear(0.5, 0.9)
    floor.hear(0.13, 0.1)
    assert floor.words("") == [Action.DISMISS]
    assert floor.turn.state is State.LISTENING


def test_one_loud_window_is_no_onset(floor: Floor) -> None:
    assert floor.hear(WINDOW_S, 0.9) == []
    assert floor.hear(0.3, 0.1) == []


def test_our_speech_pauses_at_an_onset_and_is_dropped_when_their_words_want_the_floor(
    floor: Floor,
) -> None:
    floor.speak()
    assert floor.hear(0.1, 0.9) == [Action.SPEECH_STARTED, Action.PAUSE]
    assert floor.hear(0.5, 0.9) == [Action.PEEK]
    assert floor.turn.first_words("wait a m", floor.now) == (Action.INTERRUPT,)
    assert floor.turn.state is State.HEARING


def test_speech_that_goes_on_and_on_interrupts_whatever_its_words(floor: Floor) -> None:
    floor.speak()
    floor.hear(0.6, 0.9)
    assert floor.turn.first_words("okay i ca", floor.now) == ()
    assert floor.hear(1.0, 0.9) == [Action.INTERRUPT]


def test_a_long_drawn_listening_sound_only_pauses_us(floor: Floor) -> None:
    floor.speak()
    floor.hear(0.6, 0.9)
    assert floor.turn.first_words("mm hm heath e", floor.now) == ()
    floor.hear(0.4, 0.9)
    floor.hear(0.13, 0.1)
    assert floor.words("mm hm") == [Action.RESUME]


@pytest.mark.parametrize("text", ["", "uh huh"])
def test_our_speech_goes_on_after_a_cough_or_a_listening_sound(floor: Floor, text: str) -> None:
    floor.speak()
    floor.hear(0.3, 0.9)
    assert floor.hear(0.13, 0.1) == [Action.RECOGNISE]
    assert floor.words(text) == [Action.RESUME]
    assert floor.turn.state is State.SPEAKING


def test_a_short_word_that_wants_the_floor_interrupts(floor: Floor) -> None:
    floor.speak()
    floor.hear(0.25, 0.9)
    floor.hear(0.13, 0.1)
    assert floor.words("stop") == [Action.INTERRUPT]
    assert floor.hear(0.5, 0.1) == [Action.COMMIT]


def test_a_hello_across_our_first_words_neither_pauses_nor_stops_them(floor: Floor) -> None:
    floor.speak(ago_s=0.0)
    assert floor.hear(0.35, 0.9) == [Action.SPEECH_STARTED]
    floor.hear(0.13, 0.1)
    assert floor.words("hello") == [Action.RESUME]


def test_an_onset_in_the_last_moments_of_our_sentence_is_an_answer(floor: Floor) -> None:
    floor.speak()
    floor.pending_s = 0.2
    assert floor.hear(0.3, 0.9) == [Action.SPEECH_STARTED]
    floor.turn.reply_finished(floor.now)
    floor.hear(0.13, 0.1)
    floor.words("okay")
    assert Action.COMMIT in floor.hear(0.5, 0.1)


def test_a_long_silence_asks_the_brain_again(floor: Floor) -> None:
    floor.speak()
    floor.turn.reply_finished(floor.now)
    assert floor.hear(7.5, 0.0) == [Action.PROMPT]


def test_every_state_can_be_left() -> None:
    left = {state for (state, _), (to, _) in TABLE.items() if to is not state}
    assert left == set(State)


def test_our_speech_is_never_left_paused_outside_an_overlap() -> None:
    overlaps = {State.OVERLAPPED, State.WEIGHING, State.JUDGING}
    ends_pause = {Action.RESUME, Action.INTERRUPT}
    for signals in itertools.product(Signal, repeat=4):
        state, paused = State.SPEAKING, False
        for signal in signals:
            state, actions = TABLE.get((state, signal), (state, ()))
            paused = (paused or Action.PAUSE in actions) and ends_pause.isdisjoint(actions)
            if signal is Signal.REPLY_FINISHED:
                paused = False  # the speaker resumes the playout when a reply ends
            assert not paused or state in overlaps
