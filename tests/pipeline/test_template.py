"""Templates with and without their facts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.playbook import default_playbook
from pipeline.template import Fact, fill, fill_lines
from tests.pipeline.conversation import FACTS

SCRIPT = default_playbook().scripts["debt-collection"]


def test_facts_and_the_agents_name_are_filled_in() -> None:
    facts: dict[str, Fact] = {"name": "Bobby", "count": 3, "paid": False}
    text, missing = fill("{facts.name}, {AGENT_NAME}, {facts.count}, {facts.paid}.", facts, "Ava")
    assert (text, missing) == ("Bobby, Ava, 3, no.", ())


@pytest.mark.parametrize(
    ("lacking", "text"),
    [
        ("debtor_name", "Hi, this is Ava on behalf of Vello about your 1,000 SMS credits purchase, "
         "$154.56, that was due May 25, 2026."),
        ("amount_due", "Hi Bobby, this is Ava on behalf of Vello about your 1,000 SMS credits "
         "purchase, that was due May 25, 2026."),
        ("due_date", "Hi Bobby, this is Ava on behalf of Vello about your 1,000 SMS credits "
         "purchase, $154.56."),
        ("purchase", "Hi Bobby, this is Ava on behalf of Vello, $154.56, that was due "
         "May 25, 2026."),
        ("creditor", "Hi Bobby, this is Ava about your 1,000 SMS credits purchase, $154.56, that "
         "was due May 25, 2026."),
    ],
)  # fmt: skip
def test_a_missing_fact_takes_its_clause_along(lacking: str, text: str) -> None:
    facts = {key: value for key, value in FACTS.items() if key != lacking}
    assert fill(SCRIPT.openings[1], facts, "Ava") == (text, (lacking,))


def test_without_a_name_a_neutral_word_is_said() -> None:
    assert fill(SCRIPT.openings[0], {}, "Ava")[0] == "Hi, is this the right person?"


@pytest.mark.parametrize(
    "slot", ["{{x}}", "{{ x }}", "{x}", "{{facts.x}}", "{{variables.x}}", "{ facts.x }"]
)
def test_a_variable_may_be_written_in_either_way(slot: str) -> None:
    assert fill(f"It is {slot}.", {"x": "1"}, "Ava") == ("It is 1.", ())


def test_lines_stay_lines() -> None:
    text = fill_lines('Greet {{who}}.\n\nNever say {"no": 1}.', {"who": "Al"}, "Ava")
    assert text == 'Greet Al.\n\nNever say {"no": 1}.'


def test_a_fact_that_looks_like_a_template_stays_text() -> None:
    assert fill("{facts.a}", {"a": "{facts.b}", "b": "x"}, "Ava") == ("{facts.b}", ())


@given(st.text(max_size=80), st.dictionaries(st.sampled_from("abc"), st.text(max_size=8)))
def test_no_template_raises(text: str, facts: dict[str, str]) -> None:
    filled, _ = fill(text + " {facts.a}, about {facts.b} {facts.name}.", facts, "Ava")
    assert "\x00" not in filled
