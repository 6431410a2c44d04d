"""`offhook doctor`: what would keep this machine from placing a call, and what to do about it."""

import asyncio
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp

from server.calls.brief import load_playbook
from server.errors import SettingsInvalid
from server.node import resolve
from server.private import make_folder
from server.settings import HttpSettings, Settings, TrunkSettings
from server.sip.agent import UserAgent
from server.sip.events import Address, Event, OptionsResult
from server.sip.transport import SipEndpoint

if TYPE_CHECKING:
    from models.catalogue import Choice

OPTIONS_WAIT_S = 3.0
NODE_WAIT_S = 1.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `remedy` is empty where all is well."""

    subject: str
    detail: str
    remedy: str = ""

    @property
    def ok(self) -> bool:
        """Whether nothing need be done."""
        return not self.remedy


async def examine(settings: Settings) -> list[Finding]:
    """Look at everything a call needs. Starts no engine and places no call."""
    findings = [
        _data(settings.data.dir),
        _playbook(settings),
        *(await _ports(settings)),
        *_engines(settings),
    ]
    if not settings.trunks:
        findings.append(Finding("trunk", "none is configured", "add a [[trunks]] table"))
    findings += await asyncio.gather(*(_trunk(trunk, settings) for trunk in settings.trunks))
    return findings


def _data(folder: Path) -> Finding:
    try:
        make_folder(folder)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        reason = error.strerror or str(error)
        return Finding("data", f"{folder}: {reason}", "set data.dir to a folder you may write to")
    return Finding("data", f"{folder} can be written to")


def _playbook(settings: Settings) -> Finding:
    try:
        playbook = load_playbook(settings)
    except SettingsInvalid as error:
        return Finding("playbook", str(error), "correct agent.playbook")
    odd = f"; odd: {'; '.join(playbook.warnings)}" if playbook.warnings else ""
    return Finding("playbook", f"{len(playbook.scripts)} scripts{odd}")


async def _ports(settings: Settings) -> list[Finding]:
    http, sip, media = settings.http, settings.sip, settings.media
    if await _is_running(http):
        return [Finding("ports", f"a node runs at {http.host}:{http.port} and holds its own")]
    even = media.port_first + media.port_first % 2
    return [
        _port("HTTP port", http.host, http.port, socket.SOCK_STREAM),
        _port("SIP port", sip.host, sip.port, socket.SOCK_DGRAM),
        _port("RTP ports", media.host, even, socket.SOCK_DGRAM),
    ]


async def _is_running(http: HttpSettings) -> bool:
    """Whether a node answers where this one would listen."""
    host = f"[{http.host}]" if ":" in http.host else http.host
    timeout = aiohttp.ClientTimeout(total=NODE_WAIT_S)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as client,
            client.get(f"http://{host}:{http.port}/readyz") as answer,
        ):
            return "node" in (await answer.json())["checks"]
    except (aiohttp.ClientError, TimeoutError, ValueError, LookupError, TypeError):
        return False


def _port(subject: str, host: str, port: int, kind: socket.SocketKind) -> Finding:
    try:
        family = socket.getaddrinfo(host, port, type=kind)[0][0]
        with socket.socket(family, kind) as probe:
            if kind is socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        reason = error.strerror or str(error)
        remedy = "stop what uses it, or choose another host or port in offhook.toml"
        return Finding(subject, f"{host}:{port}: {reason}", remedy)
    return Finding(subject, f"{host}:{port} is free")


def _engines(settings: Settings) -> Iterator[Finding]:
    from models import catalogue
    from models.errors import EngineError
    from models.silero import weights_path

    try:
        yield Finding("voice detection", f"Silero: {weights_path()}")
    except EngineError as error:
        yield Finding("voice detection", "no detector", str(error))
    engines = settings.engines
    named: dict[catalogue.Kind, str] = {
        "recogniser": engines.recogniser,
        "voice": engines.voice,
        "brain": engines.brain,
    }
    for kind, name in named.items():
        try:
            choice = catalogue.choose(kind, name, engines.models_dir)
        except EngineError as error:
            yield Finding(kind, f"{name} cannot be used", str(error))
        else:
            yield Finding(kind, f"{choice.engine}: {choice.why}", _lacks(choice, settings))


def _lacks(choice: "Choice", settings: Settings) -> str:
    """What to do before an engine that is present can serve these trunks; empty if nothing."""
    from models.whisper import BUNDLED

    if choice.path == BUNDLED and not all(_is_loopback(trunk) for trunk in settings.trunks):
        return "before you call people: offhook models pull whisper-base.en"
    if choice.engine == "llama" and find_spec("llama_cpp") is None:
        return 'install llama-cpp-python (the extra "llm"), or set engines.brain to "scripted"'
    return ""


def _is_loopback(trunk: TrunkSettings) -> bool:
    try:
        return ip_address(trunk.host).is_loopback
    except ValueError:
        return trunk.host == "localhost"


async def _trunk(trunk: TrunkSettings, settings: Settings) -> Finding:
    """Ask the trunk for its OPTIONS (RFC 3261 §11); any answer at all will do."""
    subject = f"trunk {trunk.name}"
    where = f"{trunk.host}:{trunk.port}"
    remedy = "check host, port and firewall; the trunk must answer OPTIONS over UDP"
    try:
        status = await _options(trunk, settings.sip.host)
    except OSError as error:
        return Finding(subject, f"{where}: {error.strerror or error}", remedy)
    if status is None:
        return Finding(subject, f"{where} does not answer", remedy)
    if trunk is not settings.trunk:
        return Finding(subject, f"{where} answered {status}; not used: calls go out by the first")
    login = "with" if trunk.password else "without"
    return Finding(subject, f"{where} answered {status}; calls go out {login} a password")


async def _options(trunk: TrunkSettings, host: str) -> int | None:
    """The status of the answer; None where nothing came back. Raises OSError."""
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[Event] = loop.create_future()
    endpoint = await SipEndpoint.bind(
        UserAgent(local=Address(host, 0)), host, 0, answered.set_result
    )
    try:
        endpoint.agent.options(destination=await resolve(trunk), now=endpoint.now())
        endpoint.flush()
        async with asyncio.timeout(OPTIONS_WAIT_S):
            result = await answered
    except TimeoutError:
        return None
    finally:
        endpoint.close()
    return result.status if isinstance(result, OptionsResult) and not result.local else None
