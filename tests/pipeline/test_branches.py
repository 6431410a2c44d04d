"""Conditions in the words of a script's author."""

import pytest

from pipeline.branches import condition_intents
from pipeline.intent import Intent


@pytest.mark.parametrize(
    ("condition", "intents"),
    [
        ("Agrees to pay", [Intent.AGREE]),
        ("Customer agrees", [Intent.AGREE]),
        ("Confirms", [Intent.AGREE]),
        ("Refuses", [Intent.REFUSE]),
        ("Declines or is not interested", [Intent.REFUSE]),
        ("Disputes", [Intent.DISPUTE]),
        ("Claims already paid", [Intent.DISPUTE]),
        ("Needs more time", [Intent.LATER]),
        ("Asks to call back later", [Intent.LATER]),
        ("Voicemail", [Intent.VOICEMAIL]),
        ("Wrong person", [Intent.WRONG_PERSON]),
        ("Wrong number", [Intent.WRONG_PERSON]),
        ("Asks for a human", [Intent.WANT_HUMAN]),
        ("Asks for a discount", [Intent.DISCOUNT]),
        ("Agrees / needs more time", [Intent.AGREE, Intent.LATER]),
        ("If customer refuses to pay", [Intent.REFUSE]),
        ("The moon is full", []),
    ],
)
def test_a_condition_is_mapped_to_meanings(condition: str, intents: list[Intent]) -> None:
    assert list(condition_intents(condition)) == intents
