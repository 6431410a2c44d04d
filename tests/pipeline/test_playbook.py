"""Playbooks as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.playbook import default_playbook, parse_playbook

DEBT = """## Outbound Mode

### Script profiles

#### debt-collection
**Goal recap**: collect the amount due, offer the payment link.
**Expected facts**: debtor_name, amount_due, due_date,
payment_link, creditor, purchase
**Opening** (verify identity first):
"Hi, is this {facts.debtor_name}? - Hi {facts.debtor_name},
this is {AGENT_NAME} on behalf of {facts.creditor} about your
{facts.purchase} purchase, {facts.amount_due}, that was due
{facts.due_date}."
**Branches**:
- Agrees to pay -> confirm + share {facts.payment_link} + close
- Refuses -> run openclaw_query to email the escalation contact
- Disputes -> "I'll have someone email you the details" + close
- Voicemail -> leave brief message + close
- Wrong person -> apologize + close
**Hard limits**: no discounts, no credit-reporting threats
**Duration**: under 3 minutes"""


def test_the_documented_profile_is_read_whole() -> None:
    playbook = parse_playbook(DEBT)
    script = playbook.scripts["debt-collection"]
    assert playbook.warnings == ()
    assert script.goal == "collect the amount due, offer the payment link."
    assert script.expected_facts == (
        "debtor_name", "amount_due", "due_date", "payment_link", "creditor", "purchase",
    )  # fmt: skip
    assert script.openings[0] == "Hi, is this {facts.debtor_name}?"
    assert script.openings[1].startswith("Hi {facts.debtor_name}, this is {AGENT_NAME}")
    assert script.openings[1].endswith("that was due {facts.due_date}.")
    assert script.hard_limits == ("no discounts", "no credit-reporting threats")
    assert script.max_duration_s == 180


def test_branches_are_read_into_actions() -> None:
    branches = parse_playbook(DEBT).scripts["debt-collection"].branches
    kinds = {branch.condition: [action.kind for action in branch.actions] for branch in branches}
    assert kinds == {
        "Agrees to pay": ["confirm", "share", "close"],
        "Refuses": ["escalate"],
        "Disputes": ["say", "close"],
        "Voicemail": ["message", "close"],
        "Wrong person": ["apologize", "close"],
    }
    assert branches[2].actions[0].text == "I'll have someone email you the details"


def test_a_script_is_found_however_its_name_is_written() -> None:
    playbook = parse_playbook(DEBT)
    assert playbook.find("Debt Collection") is playbook.find("debt_collection") is not None
    assert playbook.find("nothing") is None


def test_the_playbook_that_ships_is_clean() -> None:
    assert default_playbook().warnings == ()
    assert "debt-collection" in default_playbook().scripts


@pytest.mark.parametrize(
    "change",
    [
        ("\n", "\r\n"),
        ("->", "→"),
        ("**Goal recap**:", "**Goal recap:**"),
        ("- Agrees", "* Agrees"),
        ('"', "“"),
        ("### Script profiles", "Script profiles:"),
        ("## Outbound Mode", "\ufeff# My playbook\n## Outbound Mode ##"),
        ("#### debt-collection", "#### `Debt collection` ####"),
        ("### Script profiles\n", "### Script profiles\n```\n"),
    ],
)
def test_ways_of_writing_do_not_matter(change: tuple[str, str]) -> None:
    playbook = parse_playbook(DEBT.replace(*change))
    assert playbook.warnings == ()
    assert playbook.scripts == parse_playbook(DEBT).scripts


def test_headings_elsewhere_are_no_scripts() -> None:
    text = "## Inbound Mode\n#### greeting\ntext\n" + DEBT + "\n### Notes\n#### other\n"
    playbook = parse_playbook(text)
    assert list(playbook.scripts) == ["debt-collection"]
    assert len(playbook.warnings) == 2


def test_a_profile_alone_is_taken_with_a_warning() -> None:
    playbook = parse_playbook(DEBT[DEBT.index("####") :])
    assert list(playbook.scripts) == ["debt-collection"]
    assert "Outbound Mode" in playbook.warnings[0]


def test_scripts_are_stacked_and_the_last_of_a_name_counts() -> None:
    more = DEBT + "\n\n#### reminder\n**Opening**: Hello.\n#### reminder\n**Opening**: Hi.\n"
    playbook = parse_playbook(more)
    assert playbook.scripts["reminder"].opening == "Hi."
    assert "twice" in playbook.warnings[0]


@pytest.mark.parametrize(
    ("line", "warning"),
    [
        ("**Mood**: sunny", "unknown key"),
        ("**Branches**:\n- Agrees and closes", "without condition or arrow"),
        ("**Branches**:\n- Agrees -> dance", "not understood"),
        ("**Duration**: soon", "duration not understood"),
        ("stray text", "before the first key"),
    ],
)
def test_odd_lines_become_warnings(line: str, warning: str) -> None:
    text = f"## Outbound Mode\n#### x\n{line}\n**Opening**: Hi.\n"
    assert any(warning in found for found in parse_playbook(text).warnings)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("under 3 minutes", 180), ("2-3 minutes", 180), ("90 seconds", 90), ("five minutes", 300),
     ("1 minute 30 seconds", 90), ("1.5 minutes", 90)],
)  # fmt: skip
def test_durations_are_read(text: str, seconds: int) -> None:
    source = f"## Outbound Mode\n#### x\n**Opening**: Hi.\n**Duration**: {text}\n"
    assert parse_playbook(source).scripts["x"].max_duration_s == seconds


def test_a_branch_may_wrap_and_hold_a_plus_inside_quotes() -> None:
    text = "## Outbound Mode\n#### x\n**Opening**: Hi.\n**Branches**:\n"
    text += '- Agrees ->\n "one + two"\n + close'
    script = parse_playbook(text).scripts["x"]
    assert [action.text for action in script.branches[0].actions] == ["one + two", "close"]


def test_an_opening_without_a_question_is_said_at_once() -> None:
    text = '## Outbound Mode\n#### x\n**Opening**: "Hello - this is {AGENT_NAME}."\n'
    assert parse_playbook(text).scripts["x"].openings == ("Hello - this is {AGENT_NAME}.", "")


@given(st.text(alphabet='#*-> \n"+:{}abcOutboundModeScriptprofiles', max_size=300))
def test_no_markdown_raises(text: str) -> None:
    parse_playbook(text)
    parse_playbook(DEBT[:200] + text + DEBT[200:])
