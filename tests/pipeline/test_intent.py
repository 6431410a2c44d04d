"""Utterances as a small recogniser writes them, and what they mean."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.intent import Intent, phrases, topics, understand
from pipeline.words import canonical

TABLE = Path(__file__).with_name("utterances.txt")


def utterances() -> list[tuple[str, str]]:
    rows, meaning = [], ""
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        if line.startswith(" "):
            rows.append((line.strip(), meaning))
        elif not line.startswith("#"):
            meaning = line.strip()
    return rows


def test_the_table_is_large() -> None:
    assert len(utterances()) >= 150


@pytest.mark.parametrize(("text", "meaning"), utterances())
def test_an_utterance_is_understood(text: str, meaning: str) -> None:
    heard = understand(text, "Bobby")
    assert f"{heard.intent}/{heard.topic}".rstrip("/") == meaning


def test_silence_is_a_meaning_of_its_own() -> None:
    assert understand("").intent is Intent.SILENCE
    assert understand("  ").intent is Intent.SILENCE


@pytest.mark.parametrize("text", ["yes", "okay", "sure", "uh huh", "mm hm", "alright"])
def test_a_soft_word_is_no_firm_agreement(text: str) -> None:
    heard = understand(text)
    assert heard.intent is Intent.AGREE
    assert not heard.firm


@pytest.mark.parametrize("text", ["i will pay", "that works", "i don't mind", "no problem"])
def test_an_agreement_in_words_is_firm(text: str) -> None:
    assert understand(text).firm


def test_an_utterance_may_mean_several_things() -> None:
    heard = understand("yes who is this", "Bobby")
    assert heard.intents == {Intent.AGREE, Intent.WHO_IS_THIS}


def test_the_words_are_kept_as_recognised() -> None:
    assert understand(" i'm not paying ").said == "i'm not paying"


def test_a_name_is_only_known_when_it_is_given() -> None:
    assert understand("this is bobby").intent is not Intent.RIGHT_PERSON


def test_topics_name_the_facts_that_answer_them() -> None:
    assert "amount_due" in topics()["amount"]


def test_the_phrases_are_canonical_already() -> None:
    assert [p for p, _, _ in phrases() if p != canonical(p)] == []


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=80))
def test_nothing_that_is_heard_raises(text: str) -> None:
    assert understand(text, "Bobby Smith").intent in Intent
