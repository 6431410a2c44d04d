"""What the faces need of the node."""

from collections.abc import Mapping
from typing import Protocol

from pydantic import JsonValue

from server.calls.agent import AgentConfig
from server.calls.costs import Quote
from server.calls.feed import EventFeed
from server.calls.model import Call
from server.calls.origin import Deployment, Origin
from server.calls.request import CallRequest


class Calls(Protocol):
    """The life of calls (`CallWorkflow`)."""

    feed: EventFeed

    async def place(self, asked: CallRequest, origin: Origin) -> Call:
        """Take a call on; its record is durable then. Raises `CallError` and `PolicyError`."""

    async def quote(self, asked: CallRequest, origin: Origin) -> Quote:
        """Say what a call would cost; nothing is dialled. Raises as `place` does."""

    async def act(self, call_id: str, action: str, arguments: Mapping[str, JsonValue]) -> None:
        """Do something to a call. Raises `CallNotFound` and `ActionRefused`."""

    async def replay(self, delivery_id: str) -> bool:
        """Deliver a webhook again that was given up; False where there is no such one."""


class Stored(Protocol):
    """What operators have stored."""

    async def agent(self, name: str) -> AgentConfig | None:
        """An agent by its id or name."""

    async def deployment(self, deployment_id: str) -> Deployment | None:
        """The deployment of this id."""

    async def deployment_id(self, name: str) -> str | None:
        """The id of the deployment of this id or name."""

    async def deployment_of(self, number: str) -> tuple[str, Deployment] | None:
        """The deployment whose number it is, with its id."""
