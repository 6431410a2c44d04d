"""What is taken out of records, and what stays."""

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.calls.model import Call, CallMessage, Criterion, Outcome
from server.calls.redaction import (
    CARD,
    EMAIL,
    is_card,
    redact,
    redact_json,
    redact_turns,
    redacted,
)
from server.calls.request import TaskRequest

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
VISA = "four one one one one one one one one one one one one one one one"
WORDS = "zero one two three four five six seven eight nine".split()


@pytest.mark.parametrize(
    "text",
    [
        "4111111111111111",
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "4111.1111.1111.1111",
        "4111, 1111, 1111, 1111",
        "3782 822463 10005",
        "5555 5555 5555 4444",
        "2223003122003222",
        "6011 1111 1111 1117",
        "3530111333300000",
        VISA,
        "Four, one, one, one. One one one one, one one one one. One one one one",
        "four one double one, one one double one, triple one one, one one one one",
        "forty-one eleven, eleven eleven, eleven eleven, eleven eleven",
        "five five five five, five five five five, five five five five, forty-four forty-four",
        "four one one one uh one one one one and one one one one then one one one one",
        "four one one one dash 1111 dash 1111 dash 1111",
        "thirty seven eighty two, eight two two four six three, one oh oh oh five",
    ],
)
def test_a_card_number_is_taken_out(text: str) -> None:
    assert redact(text) == CARD
    assert redact(f"My card is {text}, thank you.") == f"My card is {CARD}, thank you."


@pytest.mark.parametrize(
    "text",
    [
        "joe@vello.io",
        "j.smith+orders@mail.example.co.uk",
        "joe at vello dot io",
        "Joe at Vello dot IO",
        "john dot smith at example dot com",
        "john underscore smith at my company dot com",
        "j o e at v e l l o dot i o",
        "joe one two three at gmail dot com",
        "joe at mail dot example dot co dot uk",
        "joe (at) vello dot io",
        "joe@vello dot io",
        "müller@beispiel.de",
    ],
)
def test_an_email_address_is_taken_out(text: str) -> None:
    assert redact(text) == EMAIL
    kept = redact(f"Send it to {text}, please.")
    assert EMAIL in kept
    assert kept.endswith(", please.")


@pytest.mark.parametrize(
    "text",
    [
        "You owe $154.56 for 1,000 SMS credits.",
        "one hundred fifty four dollars and fifty six cents",
        "That will be four thousand one hundred and eleven euros.",
        "Call me back at +14165550123.",
        "Call 416 555 0123 or 416-555-0199.",
        "four one six five five five zero one two three",
        "+49 151 2345 6789 and +4915123456789",
        "+44 20 7946 0958",
        "On 2026-01-31 at 12:00:00, or on 31/01/2026.",
        "It is 19:30 on the twenty first of November twenty twenty six.",
        "The order number is 4111111111111112.",
        "Tracking 1Z999AA10123456784",
        "Invoice 1234567890123456",
        "call_0190a5c1d2e34f5a86b7c8d9e0f1a2b3",
        "The card ends in one one one one.",
        "The code is four one one one.",
        "Look at vello dot io, or visit vello.io.",
        "You can find us at vello dot com",
        "We meet at nine dot thirty at the office.",
        "See you at the office, Joe.",
        "I was at home. Com on.",
        "A table for two at seven",
        "one two three four five six seven eight nine ten eleven twelve",
        "",
    ],
)
def test_everything_else_stays(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize("prefix", ["+14165550123 ", "+14165550123, ", "My number is 12. ", "$50 "])
def test_a_number_before_a_card_stays(prefix: str) -> None:
    assert redact(f"{prefix}4111 1111 1111 1111") == f"{prefix}{CARD}"


def test_a_number_that_goes_through_several_turns_is_found() -> None:
    turns = ["It is four one one one", "one one one one", "one one one one", "1111. Got it?"]
    assert redact_turns(turns) == [f"It is {CARD}", CARD, CARD, f"{CARD}. Got it?"]


def test_numbers_in_json_are_found_at_any_depth() -> None:
    kept = redact_json({"a": [{"b": 4111111111111111}, "x joe@vello.io"], "c": True, "d": 42})
    assert kept == {"a": [{"b": CARD}, f"x {EMAIL}"], "c": True, "d": 42}


def test_a_record_holds_none_of_it_anywhere() -> None:
    said = [("assistant", "Your card?"), ("user", "It is four one one one")]
    said += [("assistant", "Go on."), ("user", "one one one one one one one one 1111")]
    said += [("assistant", "And your e-mail?"), ("user", "joe at vello dot io")]
    messages = tuple(
        CallMessage(
            role="assistant" if role == "assistant" else "user",
            content=content,
            start_s=0,
            end_s=1,
            heard=content if role == "assistant" else None,
        )
        for role, content in said
    )
    names = {"assistant": "Agent", "user": "Callee"}
    call = Call(
        id="call_1",
        to="+14165550123",
        created_at=NOW,
        updated_at=NOW,
        objective="Charge 4111 1111 1111 1111",
        task=TaskRequest(goal="Mail joe@vello.io", facts={"card": "4111111111111111", "n": 2}),
        variables={"card": VISA},
        messages=messages,
        transcript="\n".join(f"{names[role]}: {content}" for role, content in said),
        summary="They gave joe@vello.io.",
        outcome=Outcome(success=True, criteria=(Criterion(text="x", met=True, evidence=VISA),)),
        analysis={"note": "joe at vello dot io"},
        tool_calls=({"name": "pay", "arguments": {"card": "4111111111111111"}},),
    )
    kept = redacted(call)
    text = kept.model_dump_json()
    assert not re.search(r"4111|four one|one one|vello", text)
    assert kept.to == call.to
    assert kept.messages[0] == call.messages[0]
    assert kept.transcript == (
        f"Agent: Your card?\nCallee: It is {CARD}\nAgent: Go on.\nCallee: {CARD}\n"
        f"Agent: And your e-mail?\nCallee: {EMAIL}"
    )


def card(digits: str) -> str:
    """Digits with the check digit that makes them a card number."""
    return next(digits + str(check) for check in range(10) if is_card(digits + str(check)))


cards = st.one_of(
    st.from_regex(r"4[0-9]{14}", fullmatch=True),
    st.from_regex(r"5[1-5][0-9]{13}", fullmatch=True),
    st.from_regex(r"3[47][0-9]{12}", fullmatch=True),
).map(card)


@settings(deadline=None)
@given(cards, st.data())
def test_every_card_is_found_however_it_is_said(number: str, data: st.DataObject) -> None:
    gaps = st.sampled_from([" ", ", ", "-", " - ", ". ", " uh ", " dash "])
    said = ""
    for digit in number:
        spoken = data.draw(st.booleans())
        said += (data.draw(gaps) if said else "") + (WORDS[int(digit)] if spoken else digit)
    assert redact(f"So: {said}!") == f"So: {CARD}!"


@settings(deadline=None)
@given(st.text(alphabet="abcdefgh @.-+$0123456789'\n", max_size=200))
def test_redacting_again_changes_nothing(text: str) -> None:
    once = redact(text)
    assert redact(once) == once


@settings(deadline=None)
@given(
    st.lists(st.sampled_from([*WORDS, "at", "dot", "com", "joe", "oh", "4", "1111"]), max_size=60)
)
def test_redacting_spoken_words_again_changes_nothing(words: list[str]) -> None:
    once = redact(" ".join(words))
    assert redact(once) == once


@settings(deadline=None)
@given(st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True))
def test_no_phone_number_in_e164_is_taken_for_a_card(number: str) -> None:
    assert redact(f"Call {number} now") == f"Call {number} now"


@settings(deadline=None)
@given(st.decimals(0, 10**12, places=2), st.sampled_from("$€£"))
def test_no_amount_is_taken_for_a_card(amount: object, sign: str) -> None:
    assert redact(f"You owe {sign}{amount:,}.") == f"You owe {sign}{amount:,}."


@settings(deadline=None)
@given(st.datetimes())
def test_no_moment_is_taken_for_a_card(moment: datetime) -> None:
    assert redact(moment.isoformat()) == moment.isoformat()
