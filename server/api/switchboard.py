"""What every face works with, and the steps that all of them share."""

from dataclasses import dataclass, replace

from aiohttp import web
from pydantic import JsonValue, ValidationError

from server.api.auth import permitted
from server.api.body import read_json
from server.api.origins import Origins, check_visible
from server.api.ports import Calls, Stored
from server.api.scopes import READ, Scope
from server.calls.agent import AgentConfig
from server.calls.listing import Page, Wanted, list_calls
from server.calls.model import Call
from server.calls.store import CallStore
from server.calls.terms import terms
from server.settings import Settings


@dataclass(frozen=True, slots=True)
class Switchboard:
    """The node, as its faces see it."""

    store: CallStore
    calls: Calls
    stored: Stored
    origins: Origins
    settings: Settings

    async def body(self, request: web.Request) -> JsonValue:
        """The JSON of a request. Raises `Problem`."""
        return await read_json(request, self.settings.http.read_timeout_s)

    async def call(self, request: web.Request, name: str, scope: Scope = READ) -> Call:
        """The call that the path names, where the key may see it. Raises `CallNotFound`."""
        caller = permitted(request, scope)
        call = await self.store.get(request.match_info[name])
        check_visible(call, caller)
        return call

    async def page(self, request: web.Request, wanted: Wanted) -> Page:
        """Calls that the key may see. Raises `CursorInvalid`."""
        caller = permitted(request, READ)
        if caller.deployment_id is not None:
            wanted = replace(wanted, deployment_id=caller.deployment_id)
        return await list_calls(self.store.engine, wanted)

    async def config_of(self, call: Call) -> AgentConfig:
        """What a call is held by, with the agents as they are now; nothing where it was erased."""
        try:
            asked = await self.store.request(call.id)
        except ValidationError:
            return AgentConfig()
        agent = await self.stored.agent(call.agent_id) if call.agent_id else None
        deployment = (
            await self.stored.deployment(call.deployment_id) if call.deployment_id else None
        )
        return terms(asked, self.settings, agent, deployment.agent if deployment else None)
