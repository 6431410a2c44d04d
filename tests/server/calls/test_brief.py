"""A request as the pipeline wants it."""

from pathlib import Path

import pytest

from pipeline.playbook import parse_playbook
from server.calls.brief import brief, load_playbook
from server.calls.request import CallRequest
from server.calls.terms import terms
from server.errors import SettingsInvalid
from server.settings import AgentSettings, Settings

PLAYBOOK = parse_playbook(
    "## Outbound Mode\n### Script profiles\n#### reminder\n**Expected facts**: name, day\n"
    '**Opening**: "Hi {facts.name}"\n'
)


def test_an_objective_becomes_the_goal() -> None:
    request = CallRequest(to="+14165550123", objective="Book a table", agent_name="Max")
    task, warnings = brief(terms(request, Settings()), PLAYBOOK)
    assert (task.goal, task.agent_name, task.recorded) == ("Book a table", "Max", True)
    assert warnings == ()


def test_a_task_brings_its_facts_and_script() -> None:
    request = CallRequest.model_validate(
        {
            "to": "+14165550123",
            "task": {"goal": "Remind", "script": "Reminder", "facts": {"name": "Bo", "fee": 5}},
            "first_message": "",
            "voicemail": {"action": "hang_up"},
        }
    )
    task, warnings = brief(terms(request, Settings()), PLAYBOOK)
    assert task.script is PLAYBOOK.scripts["reminder"]
    assert task.facts == {"name": "Bo", "fee": 5}
    assert task.first_message == ""
    assert task.voicemail.action == "hang_up"
    assert warnings == ("fact-missing:day",)


def test_the_bundled_playbook_is_read_where_none_is_named() -> None:
    assert load_playbook(Settings()).find("debt-collection") is not None


def test_a_playbook_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    missing = AgentSettings(playbook=tmp_path / "none.md")
    with pytest.raises(SettingsInvalid, match=r"agent\.playbook: .*none\.md") as caught:
        load_playbook(Settings(agent=missing))
    assert str(caught.value).count("none.md") == 1
