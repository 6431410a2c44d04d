"""What is thrown away of a recogniser's fluent nonsense, and what is not."""

import numpy as np
import pytest

from models import guards


def test_silence_and_nothing_are_silent() -> None:
    assert guards.is_silent(np.zeros(0, np.int16))
    assert guards.is_silent(np.full(800, 40, np.int16))
    assert not guards.is_silent(np.full(800, 400, np.int16))


@pytest.mark.parametrize(
    ("text", "repetitive"),
    [
        ("no no no no no no", True),
        ("thank you for calling " * 6, True),
        ("yes yes", False),
        ("I would like to book a table for two on Friday at seven please", False),
        ("five five five one two three four", False),
    ],
)
def test_running_in_circles_is_noticed(text: str, repetitive: bool) -> None:
    assert guards.is_repetitive(text) is repetitive


def test_repeats_are_cut_to_two() -> None:
    assert guards.without_repeats("no no no no stop") == "no no stop"
    assert (
        guards.without_repeats("so I said so I said so I said then") == "so I said so I said then"
    )
    assert guards.without_repeats("one two three") == "one two three"


def test_a_phantom_needs_evidence() -> None:
    assert guards.is_phantom("Thanks for watching!", no_speech=0.3, logprob=-0.4)
    assert not guards.is_phantom("Thank you.", no_speech=0.01, logprob=-0.2)
    assert guards.is_phantom("Anything at all", no_speech=0.9, logprob=-1.5)
    assert not guards.is_phantom("Anything at all", no_speech=0.9, logprob=-0.2)


def test_small_vocabularies_get_more_tokens() -> None:
    assert (
        guards.token_cap(1000, 51865) < guards.token_cap(1000, 1769) < guards.token_cap(2000, 1769)
    )
