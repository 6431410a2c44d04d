"""The documentation against the sources: no key undocumented, none invented, no dead link."""

import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel
from pydantic_core import PydanticUndefined
from typer.main import get_command

from bench.cli import app as bench
from pipeline.playbook import parse_playbook
from server.api.native_wire import Action
from server.calls.model import Call, EndedReason
from server.calls.request import CallRequest, TaskRequest
from server.cli import main
from server.settings import Settings
from server.sip.reason import REASONS

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LIST_SECTIONS = ("trunks",)
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def read(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def rows(markdown: str, heading: str) -> list[list[str]]:
    """Cells of the first table under a heading, without its head."""
    _, found, rest = markdown.partition(f"\n{heading}\n")
    assert found, f"no heading {heading!r}"
    section = re.split(r"^#", rest, maxsplit=1, flags=re.MULTILINE)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [re.split(r"(?<!\\)\|", line.strip("|")) for line in lines[2:]]


def codes(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def model_of(field: Any) -> type[BaseModel]:
    """The settings of one section; of a list, those of an element."""
    inner = get_args(field.annotation)
    model = inner[0] if inner else field.annotation
    assert issubclass(model, BaseModel)
    return model


def default_of(field: Any) -> str:
    default = field.get_default(call_default_factory=True)
    if default is PydanticUndefined:
        return "required"
    if default is None:
        return "none"
    plain = list(default) if isinstance(default, tuple) else default
    return f"`{json.dumps(plain, default=str)}`"


def sections(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """Every table of offhook.toml by its dotted name, in the order of the settings."""
    for name, field in model.model_fields.items():
        if is_section(field):
            inner = model_of(field)
            yield f"{prefix}{name}", inner
            yield from sections(inner, f"{prefix}{name}.")


def is_section(field: Any) -> bool:
    inner = next(iter(get_args(field.annotation)), field.annotation)
    return isinstance(inner, type) and issubclass(inner, BaseModel)


SECTIONS = dict(sections(Settings))


@pytest.mark.parametrize("section", SECTIONS)
def test_every_setting_is_documented_with_its_default(section: str) -> None:
    title = f"[[{section}]]" if section in LIST_SECTIONS else f"[{section}]"
    fields = SECTIONS[section].model_fields
    table = rows(read("configuration.md"), f"## `{title}`")
    documented = {codes(row[0])[0]: row[1].strip() for row in table}
    assert documented == {
        name: default_of(field) for name, field in fields.items() if not is_section(field)
    }


def test_no_section_is_invented() -> None:
    headings = re.findall(r"^## `\[+([\w.]+)\]+`$", read("configuration.md"), re.MULTILINE)
    assert headings == list(SECTIONS)


@pytest.mark.parametrize("model", [CallRequest, TaskRequest], ids=lambda model: model.__name__)
def test_every_field_of_a_request_is_documented(model: type[BaseModel]) -> None:
    table = rows(read("api.md"), f"### `{model.__name__}`")
    names = [field.alias or name for name, field in model.model_fields.items()]
    assert [codes(row[0])[0] for row in table] == names
    required = [field.alias or n for n, field in model.model_fields.items() if field.is_required()]
    assert [codes(row[0])[0] for row in table if row[1].strip() == "required"] == required


def test_every_field_of_a_call_is_documented() -> None:
    documented = [name for row in rows(read("api.md"), "## `Call`") for name in codes(row[0])]
    assert len(documented) == len(set(documented))
    assert set(documented) == {field.alias or n for n, field in Call.model_fields.items()}


def test_every_ended_reason_is_documented() -> None:
    table = rows(read("api.md"), "### `ended_reason`")
    assert [codes(row[0])[0] for row in table] == list(get_args(EndedReason))


def test_sip_statuses_are_documented_as_they_are_mapped() -> None:
    table = rows(read("trunks.md"), "## How a refusal is told")
    told = {
        int(status): codes(row[1])[0]
        for row in table
        if not row[0].strip().startswith("any")
        for status in re.findall(r"\d{3}", row[0])
    }
    assert told == REASONS


@pages
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        assert path.exists(), target
        if anchor:
            assert anchor in anchors(path.read_text(encoding="utf-8")), target


def anchors(markdown: str) -> set[str]:
    """Of the headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", markdown), re.MULTILINE)
    kept = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in kept}


@pages
def test_make_targets_exist(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    lines = shell(page.read_text(encoding="utf-8"))
    found = [re.match(r"(?:.*# (?:or )?)?make ([a-z]+)(?:\s|$)", line) for line in lines]
    assert {match[1] for match in found if match} <= targets


@pages
def test_commands_and_their_options_exist(page: Path) -> None:
    for words in commands(page.read_text(encoding="utf-8")):
        command: Any = get_command(main)
        while (known := getattr(command, "commands", None)) and words:
            assert words[0] in known, f"{command.name} {words[0]}"
            command = get_command(bench) if words[0] == "bench" else known[words[0]]
            words = words[1:]
        options = {name for param in command.params for name in param.opts}
        given = {word.partition("=")[0] for word in words if word.startswith("--")}
        assert given <= options | {"--help"}, f"{command.name}: {given - options}"


def shell(markdown: str) -> list[str]:
    """Lines of the shell blocks, and code spans."""
    blocks = [body for kind, body in FENCE.findall(markdown) if kind == "sh"]
    spans = re.findall(r"`([^`\n]+)`", FENCE.sub("", markdown))
    return "\n".join([*blocks, *spans]).replace("\\\n", " ").splitlines()


def commands(markdown: str) -> Iterator[list[str]]:
    """Words behind `offhook` where it is the command."""
    for line in shell(markdown):
        found = re.match(r"(?:\w+=(?:'[^']*'|\S+) )*(?:\.venv/bin/)?offhook ([a-z].*)$", line)
        if found:
            yield shlex.split(found[1], comments=True)


@pages
def test_configurations_are_valid(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    blocks = [body for kind, body in FENCE.findall(text) if kind == "toml"]
    blocks += re.findall(r"<<'TOML'\n(.*?)^TOML$", text, re.MULTILINE | re.DOTALL)
    for block in blocks:
        Settings.model_validate(tomllib.loads(block))


@pages
def test_requests_are_valid(page: Path) -> None:
    for body in re.findall(r"-d '(\{.*?\})'", page.read_text(encoding="utf-8"), re.DOTALL):
        value = json.loads(body)
        if "to" in value:
            CallRequest.model_validate(value)
        else:
            Action.model_validate(value)


def test_the_playbook_shown_is_clean() -> None:
    shown = [body for kind, body in FENCE.findall(read("playbooks.md")) if kind == "markdown"]
    playbook = parse_playbook(shown[0])
    assert list(playbook.scripts) == ["debt-collection"]
    assert playbook.warnings == ()
