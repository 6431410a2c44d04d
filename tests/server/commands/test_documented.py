"""What the documentation says of commands and keys, against the sources."""

import re
from pathlib import Path

from server.api.scopes import GRANTABLE
from server.cli import main
from server.commands.options import FAILED, UNREACHABLE, UNUSABLE

DOCS = Path(__file__).parents[3] / "docs"


def section(page: str, heading: str) -> str:
    text = (DOCS / page).read_text(encoding="utf-8")
    return text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def test_every_exit_status_is_documented() -> None:
    told = re.findall(r"^\| (\d+) \|", section("cli.md", "Exit status"), re.MULTILINE)
    assert [int(status) for status in told] == [0, FAILED, UNUSABLE, UNREACHABLE]


def test_every_scope_is_documented() -> None:
    rows = re.findall(r"^\| (`.*?) \|", section("security.md", "Keys"), re.MULTILINE)
    assert {scope for row in rows for scope in re.findall(r"`([^`]+)`", row)} == GRANTABLE


def test_every_command_of_a_noun_is_documented() -> None:
    text = (DOCS / "cli.md").read_text(encoding="utf-8")
    for group in main.registered_groups:
        assert group.typer_instance is not None
        for command in group.typer_instance.registered_commands:
            assert command.callback is not None
            name = command.name or command.callback.__name__
            assert f"`offhook {group.name} {name}`" in text
