"""What the faces need of the node."""

from collections.abc import Mapping
from typing import Protocol

from pydantic import JsonValue

from server.calls.feed import EventFeed
from server.calls.model import Call
from server.calls.origin import Deployment, Origin
from server.calls.request import CallRequest


class Calls(Protocol):
    """The life of calls (`CallWorkflow`)."""

    feed: EventFeed

    async def place(self, asked: CallRequest, origin: Origin) -> Call:
        """Take a call on; its record is durable then. Raises `CallError` and `PolicyError`."""

    async def act(self, call_id: str, action: str, arguments: Mapping[str, JsonValue]) -> None:
        """Do something to a call. Raises `CallNotFound` and `ActionRefused`."""


class Deployments(Protocol):
    """The stored deployments."""

    async def by_id(self, deployment_id: str) -> Deployment | None:
        """The deployment of this id."""

    async def by_number(self, number: str) -> tuple[str, Deployment] | None:
        """The deployment whose number it is, with its id."""
