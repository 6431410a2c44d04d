"""Written English as it is said, and the way back to the words as written."""

import pytest

from models.spoken import pieces, spoken


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("$154.56", "one hundred fifty four dollars and fifty six cents"),
        ("$1", "one dollar"),
        ("$0.50", "fifty cents"),
        ("-$3.00", "minus three dollars"),
        ("$5 million", "five million dollars"),
        ("$10k", "ten thousand dollars"),
        ("£2.01", "two pounds and one pence"),
        ("1,000 SMS credits", "one thousand S M S credits"),
        ("1,234,567", "one million two hundred thirty four thousand five hundred sixty seven"),
        ("May 25, 2026", "May twenty fifth, twenty twenty six"),
        ("25 May", "twenty fifth May"),
        ("2026-05-25", "May twenty fifth, twenty twenty six"),
        ("5/25/2026", "May twenty fifth, twenty twenty six"),
        ("in 1905, 2009 and 2000", "in nineteen oh five, two thousand nine and two thousand"),
        ("7pm", "seven p m"),
        ("7:30 a.m. or 7:00", "seven thirty ay m or seven o'clock"),
        ("12:05", "twelve oh five"),
        ("the 21st", "the twenty first"),
        ("3.14", "three point one four"),
        ("-5 degrees", "minus five degrees"),
        ("50%", "fifty percent"),
        ("1/2", "one half"),
        ("9-5", "nine to five"),
        ("code 4821", "code four eight two one"),
        ("zip 94105", "zip nine four one zero five"),
        ("room 101", "room one zero one"),
        ("AB-1234", "ay B one two three four"),
        ("the U.S. API", "the U S ay P I"),
        ("AT&T", "ay T and T"),
        ("NASA", "nasa"),
        ("STOP now", "stop now"),
        ("Dr. Smith vs. Mr. Jones", "Doctor Smith versus Mister Jones"),
        ("and/or", "and or"),
        ("Is it 3?", "Is it three?"),
    ],
)
def test_text_is_said(written: str, said: str) -> None:
    assert spoken(written) == said


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("555-123-4567", "five five five, one two three, four five six seven"),
        ("5551234567", "five five five, one two three, four five six seven"),
        (
            "+1 (555) 123-4567, please",
            "plus one, five five five, one two three, four five six seven, please",
        ),
    ],
)
def test_telephone_numbers_are_read_in_groups(written: str, said: str) -> None:
    assert spoken(written) == said


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("jo.smith@acme-corp.co.uk.", "jo dot smith at acme dash corp dot co dot U K."),
        ("https://www.example.com/help!", "example dot com slash help!"),
    ],
)
def test_addresses_are_read_out(written: str, said: str) -> None:
    assert spoken(written) == said


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("**Bold** and _this_ `code`", "Bold and this code"),
        ("# Heading", "Heading"),
        ("- item", "item"),
        ("Great 😀 👍🏽!", "Great"),
        ("see [our site](https://example.com)!", "see our site!"),
        ("He said “yes”…", "He said yes."),
    ],
)
def test_markdown_and_emoji_are_not_said(written: str, said: str) -> None:
    assert spoken(written) == said


@pytest.mark.parametrize(
    "text",
    [
        "You owe $154.56 by May 25, 2026 😀 – call +1 (555) 123-4567.",
        "* one\n* two  **three**",
        "",
    ],
)
def test_the_written_words_are_the_text(text: str) -> None:
    assert [piece.written for piece in pieces(text)] == text.split()


def test_other_languages_keep_their_wording() -> None:
    said = [piece.said for piece in pieces("Es kostet **154,56 €** 😀", english=False)]
    assert said == ["Es", "kostet", "154,56", "€", ""]
