"""offhook.toml and the environment."""

from pathlib import Path

import pytest

from server.errors import SettingsInvalid
from server.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OFFHOOK_CONFIG", raising=False)


def write(text: str, name: str = "offhook.toml") -> Path:
    path = Path(name)
    path.write_text(text, encoding="utf-8")
    return path


def test_without_a_file_everything_has_a_default_on_loopback() -> None:
    settings = load_settings()
    assert settings.model_dump() == Settings().model_dump()
    assert settings.http.host == settings.sip.host == settings.media.host == "127.0.0.1"


def test_the_file_in_the_working_directory_is_read() -> None:
    write('[http]\nport = 9000\n[[trunks]]\nname = "pbx"\nhost = "10.0.0.5"\n')
    settings = load_settings()
    assert settings.http.port == 9000
    assert settings.trunks[0].codecs == ("PCMU", "PCMA")


def test_the_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    write('[http]\nport = 9000\nhost = "127.0.0.2"\n')
    monkeypatch.setenv("OFFHOOK_HTTP__PORT", "9001")
    monkeypatch.setenv("OFFHOOK_TRUNKS", '[{"name": "pbx", "host": "10.0.0.5"}]')
    settings = load_settings()
    assert (settings.http.host, settings.http.port) == ("127.0.0.2", 9001)
    assert settings.trunks[0].host == "10.0.0.5"


def test_the_file_can_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    write("[http]\nport = 1\n")
    other = write("[http]\nport = 2\n", "other.toml")
    third = write("[http]\nport = 3\n", "third.toml")
    monkeypatch.setenv("OFFHOOK_CONFIG", str(other))
    assert load_settings().http.port == 2
    assert load_settings(third).http.port == 3


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[http]\nprot = 1\n", "http.prot: unknown key"),
        ("[htpp]\nport = 1\n", "htpp: unknown key"),
        ("[http]\nport = 70000\n", "http.port:"),
        ('[[trunks]]\nname = "a"\n', "trunks.0.host:"),
        ('[[trunks]]\nname = "a"\nhost = "b"\ncodecs = ["OPUS"]\n', "trunks.0.codecs.0:"),
        ("[media]\nport_first = 30000\n", "port_first is above port_last"),
        ("[media]\nport_first = 20001\nport_last = 20001\n", "no even port in 20001-20001"),
        ('[media]\nadvertised = "pbx.example.com"\n', "media.advertised: "),
        ('[media]\nadvertised = "0.0.0.0"\n', "not the IP address of a host"),
        ('[media]\nhost = "::"\n', "give the address of this machine, or set advertised"),
        ('[sip]\nhost = "0.0.0.0"\n', "sip.host: "),
        ('[sip]\nhost = ""\n', "give the address of this machine"),
        ("[call]\nmax_duration_s = 0\n", "call.max_duration_s:"),
        ("port = = 1\n", "offhook.toml:"),
    ],
)
def test_a_bad_file_names_the_key(text: str, words: str) -> None:
    write(text)
    with pytest.raises(SettingsInvalid) as caught:
        load_settings()
    assert words in str(caught.value)
    assert "offhook.toml" in str(caught.value)


def test_media_may_take_every_address_where_one_is_advertised() -> None:
    write('[media]\nhost = "0.0.0.0"\nadvertised = "203.0.113.7"\n')
    assert load_settings().media.advertised == "203.0.113.7"


@pytest.mark.parametrize(
    ("most", "at_once"), [("", 20), ("max_calls = 2", 2), ("max_calls = 99", 20)]
)
def test_the_first_trunk_and_the_node_limit_the_calls_together(most: str, at_once: int) -> None:
    write(f'[[trunks]]\nname = "a"\nhost = "b"\n{most}\n')
    assert load_settings().calls_at_once == at_once


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OFFHOOK_HTPP__PORT", "1"),
        ("OFFHOOK_HTTP__PROT", "1"),
        ("OFFHOOK_TRUNKS", "not json"),
        ("OFFHOOK_HTTP", "8080"),
    ],
)
def test_a_bad_variable_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsInvalid):
        load_settings()


def test_a_named_file_that_is_not_there_is_refused() -> None:
    with pytest.raises(SettingsInvalid, match="no such file"):
        load_settings(Path("missing.toml"))


def test_passwords_show_up_neither_in_errors_nor_in_text() -> None:
    trunk = '[[trunks]]\nname = "a"\nhost = "b"\npassword = "s3cret"\n'
    write(trunk)
    assert "s3cret" not in repr(load_settings())
    write(trunk + "max_calls = 0\n" + trunk)
    with pytest.raises(SettingsInvalid) as caught:
        load_settings()
    assert "s3cret" not in str(caught.value)
