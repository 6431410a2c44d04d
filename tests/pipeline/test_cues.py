import pytest

from pipeline.cues import is_backchannel, patience_s


@pytest.mark.parametrize("text", ["uh huh", "okay", "yeah right", "mm hm", "i see", "got it"])
def test_a_listening_sound_is_no_turn(text: str) -> None:
    assert is_backchannel(text)


@pytest.mark.parametrize(
    "text", ["stop", "wait", "no", "who is this", "okay but not today", "yes i can pay that", "and"]
)
def test_words_that_want_the_floor_are_a_turn(text: str) -> None:
    assert not is_backchannel(text)


def test_a_hello_counts_as_listening_only_while_we_begin() -> None:
    assert is_backchannel("hello", greeting=True)
    assert not is_backchannel("hello")


def test_a_closed_answer_is_over_sooner_than_an_open_one() -> None:
    assert patience_s("yes") < patience_s("i would like to know more") < patience_s("i think the")


@pytest.mark.parametrize("text", ["what is this about", "who is this", "what is that for"])
def test_a_question_may_end_in_a_preposition(text: str) -> None:
    assert patience_s(text) == patience_s("i would like to know more")


def test_digits_are_given_time_for_the_next_ones() -> None:
    assert patience_s("four one six") >= 1.0
