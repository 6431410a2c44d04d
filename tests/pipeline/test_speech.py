import pytest

from pipeline.speech import clauses


@pytest.mark.parametrize(
    ("text", "done", "rest"),
    [
        ("Hello. How are you", ["Hello."], "How are you"),
        ("Dr. Smith is here. Really? yes", ["Dr. Smith is here.", "Really?"], "yes"),
        ("It costs 3.50 today. Fine", ["It costs 3.50 today."], "Fine"),
        ("no end yet", [], "no end yet"),
        ("A full stop.", [], "A full stop."),
    ],
)
def test_sentences_are_cut_where_the_next_one_begins(text: str, done: list[str], rest: str) -> None:
    assert clauses(text, first=False) == (done, rest)


def test_only_the_first_clause_may_end_at_a_comma() -> None:
    text = "I am calling about your order, which is late"
    assert clauses(text, first=True) == (["I am calling about your order,"], "which is late")
    assert clauses(text, first=False) == ([], text)


def test_a_short_beginning_is_not_cut_at_its_comma() -> None:
    assert clauses("Well, yes it is", first=True) == ([], "Well, yes it is")
