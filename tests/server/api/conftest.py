"""A served node with a deployment, an agent and a playbook stored, as the documents suppose."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial

import aiohttp
import pytest
from aiohttp import web

from server.api.http import build_http, start_http
from server.api.keys import KeyRing
from server.api.records import shown
from server.calls.agent import AgentConfig, LanguageModelRequest
from server.calls.documents import Deployments, stored_agents
from server.calls.library import Library
from server.calls.origin import Deployment, DeploymentLimits
from server.calls.store import CallStore
from server.calls.workflow import CallWorkflow
from server.settings import Settings
from tests.server.api.reference import FOLDER

OURS = "+16473705600"
"""The number that TalkToMyAgent's document calls from."""


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Patience with a slow machine: aiohttp cuts off who does not get their header out."""
    http = settings.http.model_copy(update={"read_timeout_s": 2.0})
    return settings.model_copy(update={"http": http})


@pytest.fixture
async def workflow(
    make_workflow: Callable[..., CallWorkflow], store: CallStore, settings: Settings
) -> CallWorkflow:
    return make_workflow(stored=Library(store.engine), render=partial(shown, costs=settings.costs))


@dataclass
class Stored:
    """Ids of what the node has."""

    deployment: str
    agent: str


@pytest.fixture
async def stored(store: CallStore) -> Stored:
    deployment = Deployment(
        name="collections",
        number=OURS,
        limits=DeploymentLimits(per_target_hour=5, per_hour=30, per_day=100),
    )
    agent = AgentConfig(
        agent_name="Ava",
        first_message="Hello from the stored agent.",
        language_model=LanguageModelRequest(system_prompt="You confirm appointments."),
    )
    return Stored(
        (await Deployments(store.engine).create("collections", deployment)).id,
        (await stored_agents(store.engine).create("confirmer", agent)).id,
    )


@dataclass
class Node:
    """A served API, and a client of it that has a key."""

    client: aiohttp.ClientSession
    url: str
    port: int
    checks: dict[str, str]
    key: str
    application: web.Application


@pytest.fixture
async def node(
    store: CallStore,
    workflow: CallWorkflow,
    settings: Settings,
    stored: Stored,
) -> AsyncIterator[Node]:
    checks = {"engines": "ok", "trunk": "ok"}

    async def readiness() -> dict[str, str]:
        return checks

    key = await KeyRing(store.engine).create("test")
    application = build_http(store, workflow, settings, readiness)
    runner = await start_http(application, settings)
    port = runner.addresses[0][1]
    url = f"http://127.0.0.1:{port}"
    headers = {"Authorization": f"Bearer {key}"}
    async with aiohttp.ClientSession(url, headers=headers) as client:
        yield Node(client, url, port, checks, key, application)
    await workflow.drain(5)
    await runner.cleanup()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where the documents do not lie beside the project, there is nothing to hold them against."""
    if not FOLDER.is_dir():
        items[:] = [item for item in items if item.get_closest_marker("documents") is None]
