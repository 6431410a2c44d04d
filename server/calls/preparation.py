"""From what was asked to what is done: agents, deployment and playbook filled in.

Done when a call is taken on, and again when it is dispatched: a stored agent counts as it is
then.
"""

from dataclasses import dataclass
from typing import Protocol

from pipeline.playbook import Playbook
from pipeline.task import Task
from server.calls.agent import AgentConfig
from server.calls.brief import brief
from server.calls.errors import Refused
from server.calls.origin import Deployment
from server.calls.policy.numbers import regions_of
from server.calls.request import CallRequest
from server.calls.terms import CallTerms, terms
from server.settings import Settings


class Stored(Protocol):
    """What operators have stored."""

    async def agent(self, name: str) -> AgentConfig | None:
        """An agent by its id or name."""

    async def deployment(self, deployment_id: str) -> Deployment | None:
        """A deployment by its id."""

    async def playbook(self, name: str) -> Playbook | None:
        """A playbook by its name."""


class NothingStored:
    """Nothing is."""

    async def agent(self, name: str) -> AgentConfig | None:
        """None."""
        return None

    async def deployment(self, deployment_id: str) -> Deployment | None:
        """None."""
        return None

    async def playbook(self, name: str) -> Playbook | None:
        """None."""
        return None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A call with nothing left open."""

    terms: CallTerms
    task: Task
    warnings: tuple[str, ...]
    deployment: Deployment | None = None


class Preparation:
    """Knows the settings and what is stored."""

    def __init__(self, settings: Settings, playbook: Playbook, stored: Stored) -> None:
        self._settings = settings
        self._playbook = playbook
        self._stored = stored

    async def prepare(self, asked: CallRequest, deployment: Deployment | None) -> Prepared:
        """Fill in what was left open. Raises `Refused` for an agent that is not there."""
        agent = None
        if asked.agent_id is not None:
            agent = await self._stored.agent(asked.agent_id)
            if agent is None:
                raise Refused("agent_id", "no agent has this id")
        own = deployment.agent if deployment else None
        complete = terms(asked, self._settings, agent, own)
        if deployment is not None and asked.from_ is None:
            complete = complete.model_copy(update={"from_": deployment.number})
        playbook, missing = await self._playbook_of(complete, deployment)
        task, warnings = brief(complete, playbook, disclose=self._discloses(complete.parties[0]))
        return Prepared(complete, task, (*missing, *warnings), deployment)

    async def again(self, asked: CallRequest, deployment_id: str | None) -> Prepared:
        """The same for a call that was taken on before. Raises `Refused`."""
        known = await self._stored.deployment(deployment_id) if deployment_id else None
        return await self.prepare(asked, known)

    def _discloses(self, number: str) -> bool:
        """Whether the callee is told unasked that an automated assistant is calling."""
        policy = self._settings.policy
        if not policy.disclose or number.startswith("sip:"):
            return policy.disclose
        return not regions_of(number) & set(policy.undisclosed_regions)

    async def _playbook_of(
        self, complete: CallTerms, deployment: Deployment | None
    ) -> tuple[Playbook, tuple[str, ...]]:
        name = complete.playbook or (deployment.playbook if deployment else None)
        if name is None:
            return self._playbook, ()
        found = await self._stored.playbook(name)
        return (found, ()) if found is not None else (self._playbook, ("playbook-not-found",))
