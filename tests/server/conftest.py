"""A real database and a real HTTP server on loopback; only the phone is played by the test."""

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from pipeline.playbook import parse_playbook
from pipeline.ports import Message
from pipeline.task import Task
from server.api.http import build_http, start_http
from server.api.keys import KeyRing
from server.calls.conversation import Conversation, Report
from server.calls.durable import Durable
from server.calls.model import EndedReason
from server.calls.request import CallRequest
from server.calls.store import CallStore
from server.calls.terms import CallTerms
from server.calls.webhooks.deliveries import Deliveries
from server.calls.workflow import CallWorkflow
from server.outward.client import OutwardClient
from server.outward.rules import OutwardRules
from server.settings import DataSettings, HttpSettings, LimitSettings, Settings
from tests.server.real_node import POLICY

PLAYBOOK = """
## Outbound Mode
### Script profiles
#### debt-collection
**Expected facts**: debtor_name, amount_due
**Opening**: "Hi, is this {facts.debtor_name}?"
"""
AT = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


@dataclass
class ScriptedPhone:
    """A dialler whose calls are answered at once and last until told otherwise."""

    dialled: list[str] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    acted: list[tuple[str, dict[str, object]]] = field(default_factory=list)
    released: list[str] = field(default_factory=list)
    endings: list[EndedReason] = field(default_factory=list)
    """How the next calls end; `agent_hangup` once there is none left."""
    before_dialling: Callable[[str], Awaitable[None]] | None = None
    failure: Exception | None = None
    recording: Path | None = None
    sip_reason: str = "OK"
    progress: tuple[str, ...] = ("ringing", "in-progress")
    unknown_voices: tuple[str, ...] = ()
    unknown_languages: tuple[str, ...] = ()
    lasting: bool = False
    """Calls go on until `hang_up`."""
    _hung_up: dict[str, asyncio.Event] = field(default_factory=dict)

    async def converse(
        self, call_id: str, request: CallRequest, task: Task, report: Report
    ) -> Conversation:
        if self.before_dialling is not None:
            await self.before_dialling(call_id)
        self.dialled.append(str(request.to))
        self.tasks.append(task)
        hung_up = self._hung_up[call_id] = asyncio.Event()
        if self.failure is not None:
            raise self.failure
        for status in self.progress:
            report("status", {"status": status})
        report("transcript.final", {"role": "user", "content": "Hello?"})
        if self.lasting:
            await hung_up.wait()
        del self._hung_up[call_id]
        return Conversation(
            ended_reason=self.endings.pop(0) if self.endings else "agent_hangup",
            started_at=AT,
            answered_at=AT.replace(second=5),
            ended_at=AT.replace(second=35),
            sip_status=200,
            sip_reason=self.sip_reason,
            messages=(
                Message("assistant", "Hi, this is", "Hi, this is Ava.", True, 0.1, 1.0),
                Message("user", "Hello?", start_s=1.1, end_s=1.5),
            ),
            answered_by="human",
            latency={"voice_to_voice_ms": {"p50": 400.0, "n": 1}},
            quality={"inbound": {"loss": 0.0, "mos": None}},
            recording=self.recording,
            tool_calls=({"name": "end_call"},),
            warnings=("late-media",),
        )

    async def engines_for(self, request: CallTerms) -> None:
        if request.voice.voice_id in self.unknown_voices:
            raise ValueError("no such voice")
        if request.transcriber.language in self.unknown_languages:
            raise ValueError("no such language")

    def hang_up(self, call_id: str) -> bool:
        hung_up = self._hung_up.get(call_id)
        if hung_up is not None:
            hung_up.set()
        return hung_up is not None

    def act(self, call_id: str, action: str, arguments: Mapping[str, object]) -> None:
        self.acted.append((action, dict(arguments)))

    def dialog(self, call_id: str) -> str | None:
        return f"dialog of {call_id}"

    def release(self, dialog: str) -> None:
        self.released.append(dialog)


@pytest.fixture
def phone() -> ScriptedPhone:
    return ScriptedPhone()


SECRET = "whsec_" + base64.b64encode(bytes(32)).decode()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        data=DataSettings(dir=tmp_path / "data"),
        http=HttpSettings(port=0, read_timeout_s=0.5),
        policy=POLICY,
        limits=LimitSettings(calls_per_number=1000),
    )


@pytest.fixture
async def store(settings: Settings) -> AsyncIterator[CallStore]:
    store = await CallStore.open(settings.data.database)
    yield store
    await store.close()


@pytest.fixture(scope="session")
def durable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Durable]:
    """The workflows of this process, which outlive each test's database."""
    durable = Durable(tmp_path_factory.mktemp("workflows") / "x.sqlite3", "node-test", 1000)
    durable.launch()
    yield durable
    durable.close()


MakeWorkflow = Callable[..., CallWorkflow]


@pytest.fixture
async def make_workflow(
    store: CallStore, phone: ScriptedPhone, settings: Settings, durable: Durable
) -> AsyncIterator[MakeWorkflow]:
    """Makes workflows, of which the last one is at work."""
    made: list[CallWorkflow] = []

    def make(
        changed: Settings | None = None, over: CallStore | None = None, **others: Any
    ) -> CallWorkflow:
        used = over or store
        rules = OutwardRules(allow=(ip_network("127.0.0.0/8"),), allow_http=True)
        deliveries = Deliveries(used, OutwardClient(rules), rules, SECRET)
        playbook = parse_playbook(PLAYBOOK)
        workflow = CallWorkflow(
            used, phone, changed or settings, playbook, durable, deliveries, **others
        )
        durable.attach(workflow)
        made.append(workflow)
        return workflow

    yield make
    for workflow in made:
        await workflow.drain(5)
    await durable.detach()


@pytest.fixture
async def workflow(make_workflow: MakeWorkflow) -> CallWorkflow:
    return make_workflow()


@dataclass
class Node:
    """A served API, and a client of it that has a key."""

    client: aiohttp.ClientSession
    url: str
    port: int
    checks: dict[str, str]


@pytest.fixture
async def node(store: CallStore, workflow: CallWorkflow, settings: Settings) -> AsyncIterator[Node]:
    checks = {"engines": "ok", "trunk": "ok"}

    async def readiness() -> dict[str, str]:
        return checks

    key = await KeyRing(store.engine).create("test")
    runner = await start_http(build_http(store, workflow, settings, readiness), settings)
    port = runner.addresses[0][1]
    url = f"http://127.0.0.1:{port}"
    headers = {"Authorization": f"Bearer {key}"}
    async with aiohttp.ClientSession(url, headers=headers) as client:
        yield Node(client, url, port, checks)
    await workflow.drain(5)
    await runner.cleanup()
