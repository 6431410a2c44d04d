"""What operators have stored, as calls need it: agents, deployments, playbooks."""

from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncEngine

from pipeline.playbook import Playbook, parse_playbook
from server.calls.agent import AgentConfig
from server.calls.documents import (
    Deployments,
    Documents,
    Stored,
    stored_agents,
    stored_playbooks,
)
from server.calls.errors import NotFound
from server.calls.origin import Deployment

T = TypeVar("T")


class Library:
    """Reads the stored documents; what is not there is None."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._deployments = Deployments(engine)
        self._agents: Documents[AgentConfig] = stored_agents(engine)
        self._playbooks: Documents[str] = stored_playbooks(engine)

    async def agent(self, name: str) -> AgentConfig | None:
        """An agent by its id or name."""
        found = await _by_id_or_name(self._agents, name)
        return found.document if found is not None else None

    async def deployment(self, deployment_id: str) -> Deployment | None:
        """A deployment by its id."""
        return await self._deployments.by_id(deployment_id)

    async def deployment_id(self, name: str) -> str | None:
        """The id of the deployment of this id or name."""
        found = await _by_id_or_name(self._deployments, name)
        return found.id if found is not None else None

    async def deployment_of(self, number: str) -> tuple[str, Deployment] | None:
        """The deployment whose number it is, with its id."""
        return await self._deployments.by_number(number)

    async def playbook(self, name: str) -> Playbook | None:
        """A playbook by its id or name."""
        found = await _by_id_or_name(self._playbooks, name)
        return parse_playbook(found.document) if found is not None else None


async def _by_id_or_name(documents: Documents[T], name: str) -> Stored[T] | None:
    for find in (documents.get, documents.by_name):
        try:
            return await find(name)
        except NotFound:
            continue
    return None
