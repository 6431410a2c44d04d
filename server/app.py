"""The composition root: the only module that knows every folder."""

import asyncio
import gc
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from aiohttp import web

from models import catalogue
from models.espeak import EspeakVoice
from models.host import EngineHost
from models.llama import LlamaModel
from models.piper import PiperVoice
from models.silero import SileroDetector
from models.whisper import WhisperTranscriber
from pipeline.brain import LlmBrain
from pipeline.playbook import Playbook
from pipeline.ports import Brain
from pipeline.scripted import ScriptedBrain
from pipeline.session import Engines
from pipeline.task import Task
from server.api.http import build_http, start_http
from server.api.keys import KeyRing
from server.api.records import shown
from server.calls.audit import AuditLog
from server.calls.brief import load_playbook
from server.calls.durable import Durable
from server.calls.events import utc_now
from server.calls.ledger import Ledger
from server.calls.library import Library
from server.calls.origin import Origin
from server.calls.request import CallRequest
from server.calls.retention import Retention
from server.calls.rules import get_ready
from server.calls.store import CallStore
from server.calls.webhooks.deliveries import Deliveries
from server.calls.workflow import CallWorkflow
from server.equipment import Equipment
from server.identity import node_id, webhook_secret
from server.node import MakeBrain, Node
from server.outward.client import OutwardClient
from server.outward.rules import OutwardRules
from server.sections import WebhookSettings
from server.settings import EngineSettings, Settings

_DRAIN_S = 8.0


class _Started(Protocol):
    """An engine with a process of its own."""

    host: EngineHost

    async def start(self) -> None:
        """Load it."""

    async def close(self) -> None:
        """End its process."""


@dataclass(frozen=True, slots=True)
class EngineSet:
    """The engines of a node, and why these."""

    engines: Engines
    make_brain: MakeBrain
    processes: Sequence[_Started] = ()
    choices: tuple[str, ...] = ()
    """One sentence for each engine: which, and why."""


class Application:
    """A node with its API, database and engines."""

    def __init__(self, settings: Settings, engines: EngineSet | None = None) -> None:
        """`engines`: in place of those that the settings choose."""
        self._settings = settings
        self._set = engines
        self._state = "starting"
        self.choices: list[str] = []
        self.first_key: str | None = None
        self.url = ""
        self._daily: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Open the database, load the engines, bind SIP, then HTTP. Raises what cannot be done."""
        settings = self._settings
        playbook = load_playbook(settings)
        self._store = await CallStore.open(settings.data.database)
        self.first_key = await KeyRing(self._store.engine).create_first()
        self._set = self._set or choose_engines(settings.engines)
        self.choices = list(self._set.choices)
        self._node = Node(
            settings,
            self._set.engines,
            self._set.make_brain,
            lambda call_id, terms: self._equipment.attach(call_id, terms),
        )
        await asyncio.gather(self._node.start(), *(part.start() for part in self._set.processes))
        await self._tidy_up()
        await self._begin_calls(playbook)
        http = build_http(self._store, self._workflow, settings, self.readiness)
        try:
            self._http: web.AppRunner = await start_http(http, settings)
        except OSError:
            await self._durable.stop()  # its thread would keep the process alive
            raise
        host, port = self._http.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        self._state = "ok"
        gc.collect()
        gc.freeze()

    async def _tidy_up(self) -> None:
        """Do what a node that died has left undone, and from now on what is to be done daily."""
        settings, store = self._settings, self._store
        await Ledger(store, settings.costs).settle_ended(utc_now())
        retention = Retention(store, AuditLog(store.engine), settings.data)
        await retention.finish()
        if settings.retention.days is not None:
            work = retention.expire_daily(settings.retention.days)
            self._daily = asyncio.create_task(work, name="retention")

    async def _begin_calls(self, playbook: Playbook) -> None:
        """Take up what the node was doing when it last stopped."""
        settings = self._settings
        rules = outward_rules(settings.webhooks)
        client, secret = OutwardClient(rules), webhook_secret(settings)
        deliveries = Deliveries(self._store, client, rules, secret)
        name = node_id(settings.data.dir)
        self._durable = Durable(settings.data.database, name, settings.calls_at_once)
        self._workflow = CallWorkflow(
            self._store,
            self._node,
            settings,
            playbook,
            self._durable,
            deliveries,
            Library(self._store.engine),
            partial(shown, costs=settings.costs),
        )
        self._equipment = Equipment(
            settings, self._store, client, secret, self._node.send_text, self._place_again
        )
        await asyncio.to_thread(get_ready, settings)
        await self._durable.start(self._workflow)
        await self._workflow.recover()
        if settings.data.postgresql is not None:
            await self._workflow.join()

    async def _place_again(self, asked: CallRequest, origin: Origin) -> str:
        return (await self._workflow.place(asked, origin)).id

    async def stop(self) -> None:
        """Hang up, complete the records, and let everything go."""
        self._state = "stopping"
        if self._daily is not None:
            self._daily.cancel()
            await asyncio.gather(self._daily, return_exceptions=True)
        await self._workflow.drain(_DRAIN_S)
        await self._durable.stop()
        await self._http.cleanup()
        await self._node.stop()
        assert self._set is not None
        await asyncio.gather(*(part.close() for part in self._set.processes))
        await self._store.close()

    async def readiness(self) -> dict[str, str]:
        """What the node knows of itself."""
        trunks = "ok" if self._settings.trunks else "none is configured"
        processes = self._set.processes if self._set else ()
        down = [part.host.name for part in processes if part.host.pid is None]
        engines = f"down: {', '.join(down)}" if down else "ok"
        return {"node": self._state, "engines": engines, "trunk": trunks}


def outward_rules(settings: WebhookSettings) -> OutwardRules:
    """Where webhooks and tools may reach."""
    return OutwardRules.parse(settings.allow, allow_http=settings.allow_http)


def choose_engines(settings: EngineSettings) -> EngineSet:
    """Take the engines that are named, or the best that are present. Raises `EngineError`."""
    hearing = catalogue.choose("recogniser", settings.recogniser, settings.models_dir)
    speaking = catalogue.choose("voice", settings.voice, settings.models_dir)
    thinking = catalogue.choose("brain", settings.brain, settings.models_dir)
    transcriber = WhisperTranscriber(hearing.path)
    voice = PiperVoice(speaking.path) if speaking.path else EspeakVoice(settings.voice_name)
    model = LlamaModel(thinking.path) if thinking.path else None

    def make_brain(task: Task, call_id: str) -> Brain:
        return LlmBrain(task, model, call_id) if model else ScriptedBrain(task)

    return EngineSet(
        Engines(SileroDetector(), transcriber, voice),
        make_brain,
        [transcriber, voice, *([model] if model else [])],
        tuple(f"{choice.engine}: {choice.why}" for choice in (hearing, speaking, thinking)),
    )
