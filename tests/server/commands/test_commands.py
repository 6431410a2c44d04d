"""Commands against a real node: what they print for people and programs, and how they exit."""

import asyncio
import json
import socket
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from sqlalchemy import text
from typer.testing import CliRunner

from server.api.keys import KeyRing
from server.calls.audit import AuditLog
from server.calls.store import CallStore
from server.cli import main
from server.settings import Settings

runner = CliRunner()
PLAYBOOK = '## Outbound Mode\n#### one\n**Opening**: "Hi, this is {AGENT_NAME}."\n'


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("OFFHOOK_CONFIG", "OFFHOOK_KEY", "OFFHOOK_URL"):
        monkeypatch.delenv(name, raising=False)


def write(name: str, content: str) -> None:
    """A file in the working directory."""
    Path(name).write_text(content)


class Line:
    """The command line, beside a node that runs."""

    def __init__(self, url: str, key: str, folder: Path) -> None:
        self._environment = {
            "OFFHOOK_URL": url,
            "OFFHOOK_KEY": key,
            "OFFHOOK_DATA__DIR": str(folder),
        }

    async def __call__(self, *words: str, status: int = 0, stdin: str | None = None) -> str:
        """Run a command to its end; what it printed."""
        result: Result = await asyncio.to_thread(
            runner.invoke, main, list(words), env=self._environment, input=stdin
        )
        assert result.exit_code == status, result.output
        return result.output

    async def json(self, *words: str) -> Any:
        """The same, for programs."""
        return json.loads(await self(*words, "--json"))


@pytest.fixture
async def line(node: Any, settings: Settings) -> Line:
    key = node.client.headers["Authorization"].removeprefix("Bearer ")
    return Line(node.url, key, settings.data.dir)


async def test_calls_are_listed_shown_and_hung_up(line: Line, node: Any, phone: Any) -> None:
    phone.lasting = True
    body = {"to": "+14165550123", "objective": "Book a table for two"}
    async with node.client.post("/v1/calls", json=body) as answer:
        call_id = (await answer.json())["id"]
    assert call_id in await line("calls", "list")
    (listed,) = await line.json("calls", "list", "--number", "+14165550123")
    assert listed["id"] == call_id
    assert await line.json("calls", "list", "--status", "scheduled") == []
    await line("calls", "hang-up", call_id)
    async with node.client.get(f"/v1/calls/{call_id}/events") as answer:
        await answer.read()
    shown = await line("calls", "show", call_id)
    assert "ended" in shown
    assert "callee  Hello?" in shown
    assert (await line.json("calls", "show", call_id))["ended_reason"] == "agent_hangup"


async def test_what_is_refused_exits_with_1(line: Line) -> None:
    assert "not-found" in await line("calls", "show", "call_0", status=1)
    assert "not-found" in await line("calls", "hang-up", "a/b?c#d", status=1)
    assert "validation-failed" in await line("calls", "list", "--status", "asleep", status=1)


async def test_a_wrong_key_exits_with_1(line: Line) -> None:
    assert "unauthorized" in await line("calls", "list", "--key", "ohk_x_y", status=1)


async def test_without_a_node_commands_exit_with_3(line: Line) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        told = await line("agents", "list", "--url", url, status=3)
    assert "is `offhook serve` running?" in told


@pytest.mark.parametrize("url", ["", "nowhere", "http://[", "ftp://127.0.0.1"])
async def test_what_is_no_url_exits_with_3(line: Line, url: str) -> None:
    await line("agents", "list", "--url", url, status=3)


async def test_an_agent_is_kept_replaced_and_deleted(line: Line) -> None:
    write("ava.json", '{"name": "reception", "agent_name": "Ava"}')
    await line("agents", "put", "ava.json")
    (first,) = [one for one in await line.json("agents", "list") if one["name"] == "reception"]
    await line("agents", "put", "-", stdin='{"name": "reception", "agent_name": "Max"}')
    shown = json.loads(await line("agents", "show", "reception"))
    assert (shown["id"], shown["agent_name"]) == (first["id"], "Max")
    await line("agents", "delete", first["id"])
    assert "not-found" in await line("agents", "show", "reception", status=1)


async def test_a_deployment_is_kept(line: Line) -> None:
    body = '{"name": "front-desk", "number": "+14165550177"}'
    await line("deployments", "put", "-", stdin=body)
    assert "+14165550177" in await line("deployments", "list")


@pytest.mark.parametrize("body", ["{", "[]", "{}", '{"name": 1}'])
async def test_a_file_that_is_no_document_exits_with_2(line: Line, body: str) -> None:
    write("odd.json", body)
    assert "odd.json" in await line("agents", "put", "odd.json", status=2)
    assert "none.json" in await line("agents", "put", "none.json", status=2)


async def test_a_document_that_is_refused_names_the_field(line: Line) -> None:
    told = await line("agents", "put", "-", stdin='{"name": "x", "colour": 1}', status=1)
    assert "colour" in told


async def test_a_playbook_is_checked_without_a_node() -> None:
    write("good.md", PLAYBOOK)
    write("odd.md", PLAYBOOK.replace("AGENT_NAME", "facts.who"))
    good = await asyncio.to_thread(runner.invoke, main, ["playbook", "check", "good.md"])
    assert (good.exit_code, "one" in good.output) == (0, True)
    odd = await asyncio.to_thread(runner.invoke, main, ["playbook", "check", "odd.md", "--json"])
    assert odd.exit_code == 1
    assert "{facts.who}" in json.loads(odd.output)["warnings"][0]
    none = await asyncio.to_thread(runner.invoke, main, ["playbook", "check", "none.md"])
    assert none.exit_code == 2


async def test_a_playbook_is_kept_to_the_letter(line: Line) -> None:
    write("billing.md", PLAYBOOK)
    assert "billing: one" in await line("playbook", "put", "billing.md")
    assert await line("playbook", "show", "billing") == PLAYBOOK
    assert "one" in await line("playbook", "list")
    await line("playbook", "delete", "billing")


async def test_numbers_are_put_on_the_list_and_taken_off(line: Line) -> None:
    await line("do-not-call", "add", "+14165550123", "--reason", "asked us")
    assert [one["number"] for one in await line.json("do-not-call", "list")] == ["+14165550123"]
    assert "asked us" in await line("do-not-call", "list")
    await line("do-not-call", "remove", "+14165550123")
    await line("do-not-call", "remove", "+14165550123", status=1)


async def test_an_import_goes_on_behind_bad_lines(line: Line) -> None:
    rows = [f"+1416555{number:04},x" for number in range(1200)]
    rows[700] = "nobody"
    write("list.csv", "\n".join(["number,reason", *rows]))
    told = await line("do-not-call", "import", "list.csv", status=1)
    assert "1199 added, 0 on the list before" in told
    assert "line 702:" in told
    assert len(await line.json("do-not-call", "list", "--limit", "2000")) == 1199


async def test_a_key_is_made_listed_and_revoked(line: Line, store: CallStore) -> None:
    words = ("--name", "ci", "--scope", "voice:call", "--scope", "calls:read")
    made = await line.json("keys", "create", *words, "--daily-spend-cents", "500")
    found = await KeyRing(store.engine).find(made["key"])
    assert found is not None
    assert found.scopes == ("voice:call", "calls:read")
    assert found.daily_spend_cents == 500
    (listed,) = [one for one in await line.json("keys", "list") if one["id"] == made["id"]]
    assert (listed["name"], listed["revoked_at"]) == ("ci", None)
    assert made["key"].rpartition("_")[2] not in await line("keys", "list")
    await line("keys", "revoke", made["id"])
    assert await KeyRing(store.engine).find(made["key"]) is None
    assert "revoked before" in await line("keys", "revoke", made["id"])
    await line("keys", "revoke", "none", status=1)
    kinds = [row["kind"] for row in await AuditLog(store.engine).list(limit=2)]
    assert kinds == ["key_revoked", "key_created"]


async def test_a_key_that_cannot_be_is_not_made(line: Line) -> None:
    assert "calls:read" in await line("keys", "create", "--scope", "calls:erase", status=2)
    assert "dep_0" in await line("keys", "create", "--deployment", "dep_0", status=2)


async def test_the_audit_is_listed_and_verified(line: Line, store: CallStore) -> None:
    log = AuditLog(store.engine)
    for number in range(3):
        await log.append("admitted", f"call_{number}", "k1", {"n": number})
    assert "call_2" in await line("audit", "list", "--limit", "1")
    assert [row["data"] for row in await line.json("audit", "list", "--call", "call_1")] == [
        {"n": 1}
    ]
    told = await line.json("audit", "verify")
    assert told["whole"]
    assert "whole: " in await line("audit", "verify", "--since", told["head"])
    await line("audit", "verify", "--since", "x", status=2)


async def test_an_audit_that_was_tampered_with_exits_with_1(line: Line, store: CallStore) -> None:
    log = AuditLog(store.engine)
    seq = [await log.append("admitted", None, "k1", {"n": number}) for number in range(3)][1]
    async with store.engine.begin() as connection:
        await connection.execute(text("DROP TRIGGER audit_is_not_changed"))
        await connection.execute(text(f"UPDATE audit SET kind = 'x' WHERE seq = {seq}"))
    told = await line("audit", "verify", status=1)
    assert f"broken at row {seq}: changed" in told


async def test_a_database_that_is_none_exits_with_1(line: Line, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = await asyncio.to_thread(
        runner.invoke, main, ["audit", "verify"], env={"OFFHOOK_DATA__DIR": str(tmp_path / "file")}
    )
    assert (result.exit_code, "cannot be used" in result.output) == (1, True)


async def test_dead_letters_are_listed(line: Line) -> None:
    assert await line.json("webhooks", "list", "--status", "dead") == []
    assert "not-found" in await line("webhooks", "replay", "msg_0", status=1)
