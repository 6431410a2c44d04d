"""What an author is told of a playbook."""

from importlib.resources import files

from hypothesis import given
from hypothesis import strategies as st

from pipeline.check import CheckedScript, check_playbook

PLAYBOOK = """
## Outbound Mode
### Script profiles
#### debt-collection
**Expected facts**: debtor_name, amount_due
**Opening**: "Hi, is this {facts.debtor_name}? - This is {AGENT_NAME} about {facts.purchase}."
**Branches**:
- Agrees to pay -> share {{payment_link}} + close
- Sings a song -> close
- Disputes
**Colour**: red
"""


def test_scripts_are_told_with_their_facts_and_branches() -> None:
    assert check_playbook(PLAYBOOK).scripts == (
        CheckedScript("debt-collection", ("debtor_name", "amount_due"), 2),
    )


def test_everything_odd_is_named() -> None:
    warnings = "\n".join(check_playbook(PLAYBOOK).warnings)
    for oddity in (
        "unknown key 'Colour'",
        "branch without condition or arrow: 'Disputes'",
        "{facts.purchase} is not among its expected facts",
        "{facts.payment_link} is not among its expected facts",
        "the condition is not understood: 'Sings a song'",
    ):
        assert oddity in warnings
    assert warnings.count("script 'debt-collection'") == 5


def test_the_playbook_that_is_shipped_is_clean() -> None:
    source = files("pipeline").joinpath("playbooks/default.md").read_text(encoding="utf-8")
    checked = check_playbook(source)
    assert checked.warnings == ()
    assert len(checked.scripts) == 4


def test_a_playbook_without_scripts_says_so() -> None:
    assert check_playbook("# Nothing\n").warnings == ("no script profiles found",)


@given(st.text(max_size=200))
def test_no_text_is_too_odd(text: str) -> None:
    check_playbook("#### a\n**Opening**: " + text)
