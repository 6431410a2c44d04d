"""The `offhook` command."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from server.api.keys import KeyRing
from server.calls.database import open_database
from server.cli import main
from server.doctor import examine
from server.settings import HttpSettings
from server.sip.agent import UserAgent
from server.sip.events import Address
from server.sip.transport import SipEndpoint
from tests.server.real_node import played, real_node, settings

runner = CliRunner()


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("OFFHOOK_CONFIG", "OFFHOOK_KEY", "OFFHOOK_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def trunk() -> Iterator[int]:
    """A SIP peer, on a loop of its own."""
    loop = asyncio.new_event_loop()
    agent = UserAgent(local=Address("127.0.0.1", 0))
    bound = SipEndpoint.bind(agent, "127.0.0.1", 0, lambda event: None)
    endpoint = loop.run_until_complete(bound)
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield agent.local.port
    loop.call_soon_threadsafe(endpoint.close)
    loop.call_soon_threadsafe(loop.call_later, 0.05, loop.stop)
    thread.join()
    loop.close()


def config(trunk_port: int, **sections: str) -> str:
    path = Path("offhook.toml")
    path.write_text(
        f'[http]\nport = 0\n[sip]\nport = 0\n[[trunks]]\nname = "pbx"\nhost = "127.0.0.1"\n'
        f"port = {trunk_port}\n{sections.get('more', '')}"
    )
    return str(path)


def test_a_key_is_made_and_opens_the_api(tmp_path: Path) -> None:
    result = runner.invoke(main, ["keys", "create", "--name", "ci"])
    assert result.exit_code == 0
    key = result.output.split()[-1]

    async def whose() -> str | None:
        engine = await open_database(tmp_path / "data" / "offhook.sqlite3")
        found = await KeyRing(engine).find(key)
        await engine.dispose()
        return found.name if found else None

    assert asyncio.run(whose()) == "ci"


def test_a_bad_configuration_is_explained_and_nothing_is_done() -> None:
    Path("offhook.toml").write_text("[http]\nprot = 1\n")
    result = runner.invoke(main, ["keys", "create"])
    assert result.exit_code == 2
    assert "http.prot: unknown key" in result.output
    assert not Path("data").exists()


def test_doctor_hears_the_trunk(trunk: int) -> None:
    result = runner.invoke(main, ["doctor", "--config", config(trunk)])
    assert f"✓ trunk pbx: 127.0.0.1:{trunk} answered 200" in result.output
    assert "✓ data:" in result.output


def test_doctor_says_what_to_do_about_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.doctor.OPTIONS_WAIT_S", 0.01)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        more = '[data]\ndir = "offhook.toml"\n[agent]\nplaybook = "none.md"\n'
        path = config(silent.getsockname()[1], more=more)
        result = runner.invoke(main, ["doctor", "--config", path])
    assert result.exit_code == 1
    for line in ("✗ trunk pbx:", "does not answer", "✗ data:", "→ set data.dir", "✗ playbook:"):
        assert line in result.output


def test_doctor_names_a_port_that_is_taken(trunk: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        path = config(trunk)
        text = Path(path).read_text().replace("port = 0", f"port = {taken.getsockname()[1]}", 1)
        Path(path).write_text(text)
        result = runner.invoke(main, ["doctor", "--config", path])
    assert result.exit_code == 1
    assert "✗ HTTP port:" in result.output


def test_doctor_warns_of_the_bundled_recogniser_where_people_are_called(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("server.doctor.OPTIONS_WAIT_S", 0.01)
    result = runner.invoke(main, ["doctor", "--config", config(9)])
    assert "✓ recogniser: whisper" in result.output
    path = Path(config(9, more='[[trunks]]\nname = "far"\nhost = "192.0.2.1"\n'))
    result = runner.invoke(main, ["doctor", "--config", str(path)])
    assert result.exit_code == 1
    assert "✗ recogniser: whisper: the bundled recogniser" in result.output
    assert "→ before you call people: offhook models pull whisper-base.en" in result.output


def test_doctor_misses_the_library_of_a_language_model(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("server.doctor.find_spec", lambda name: None)
    model = tmp_path / "some.gguf"
    model.touch()
    Path("offhook.toml").write_text(f'[engines]\nbrain = "{model}"\n')
    result = runner.invoke(main, ["doctor"])
    assert "✗ brain: llama: some" in result.output
    assert "→ install llama-cpp-python" in result.output


def test_doctor_says_what_is_odd_about_the_playbook() -> None:
    Path("odd.md").write_text("# Nothing\n")
    Path("offhook.toml").write_text('[agent]\nplaybook = "odd.md"\n')
    assert "odd: no script profiles found" in runner.invoke(main, ["doctor"]).output


def test_doctor_says_which_trunk_is_used(trunk: int) -> None:
    more = f'[[trunks]]\nname = "spare"\nhost = "127.0.0.1"\nport = {trunk}\n'
    result = runner.invoke(main, ["doctor", "--config", config(trunk, more=more)])
    assert f"trunk spare: 127.0.0.1:{trunk} answered 200; not used" in result.output


async def test_doctor_takes_the_ports_of_a_running_node_for_its_own(tmp_path: Path) -> None:
    async with real_node(tmp_path, None, played()) as node:
        http = HttpSettings(port=int(node.application.url.rpartition(":")[2]))
        findings = await examine(settings(tmp_path, None).model_copy(update={"http": http}))
    (ports,) = (finding for finding in findings if "port" in finding.subject)
    assert ports.ok
    assert "a node runs at" in ports.detail


def test_doctor_reports_a_bad_configuration_as_a_failing_line() -> None:
    Path("offhook.toml").write_text("[http]\nprot = 1\n")
    result = runner.invoke(main, ["doctor"])
    assert result.exit_code == 1
    assert "✗ configuration:" in result.output


def test_a_call_without_a_node_says_so() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        result = runner.invoke(
            main, ["call", "+14165550123", "--objective", "x", "--url", url, "--key", "k"]
        )
    assert result.exit_code == 3
    assert "is `offhook serve` running?" in result.output


def test_a_fact_without_a_value_is_refused() -> None:
    result = runner.invoke(main, ["call", "+14165550123", "--goal", "x", "--fact", "name"])
    assert result.exit_code == 2
    assert "NAME=VALUE" in result.output
