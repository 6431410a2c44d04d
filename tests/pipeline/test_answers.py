"""Whether words answer the question of an objective."""

import pytest

from pipeline.answers import answers
from pipeline.intent import understand

OPEN = "ask whether you are open on Sunday"
CLOSE = "find out what time you close"
PAID = "ask whether the invoice was paid"


@pytest.mark.parametrize(
    ("question", "words"),
    [
        (OPEN, "yes"),
        (OPEN, "no we are not"),
        (OPEN, "we are closed sundays"),
        (OPEN, "until five"),
        (OPEN, "only in the morning"),
        (CLOSE, "at nine"),
        (CLOSE, "we closed for good"),
        (PAID, "yes it was paid last week"),
        (PAID, "no the invoice has not been paid"),
    ],
)
def test_these_bear_on_the_question(question: str, words: str) -> None:
    assert answers(understand(words), question)


@pytest.mark.parametrize(
    ("question", "words"),
    [
        (OPEN, "okay yes i can pay that today"),
        (OPEN, "the cat is on the roof"),
        (OPEN, "i do not know"),
        (OPEN, "call me back at five"),
        (OPEN, "no i am not interested"),
        (OPEN, "you have the wrong number"),
        (OPEN, "hello"),
        (CLOSE, "yes"),
        (CLOSE, "yes sure"),
    ],
)
def test_these_do_not(question: str, words: str) -> None:
    assert not answers(understand(words), question)
