"""What a call is equipped with besides its two sides: the operator's tools and hooks.

Stands between the node, which holds the call, and the outside world that tools reach.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, tzinfo
from functools import partial

from server.calls.do_not_call import DoNotCall
from server.calls.errors import CallError
from server.calls.library import Library
from server.calls.origin import Caller, Origin
from server.calls.policy.errors import PolicyError
from server.calls.policy.hours import zones_of
from server.calls.policy.numbers import check_number
from server.calls.request import CallRequest
from server.calls.rules import number_rules
from server.calls.store import CallStore
from server.calls.terms import CallTerms
from server.hooks import CallHooks, call_as_hooks_see_it, parse_hooks
from server.live_call import Attached
from server.outward.client import OutwardClient
from server.settings import Settings
from server.tools.errors import ToolRefused
from server.tools.functions import Functions
from server.tools.messages import SendText, http_gateway
from server.tools.toolbox import Toolbox, ToolWorld

DETACHED = frozenset({"send_message", "send_sms", "send_email", "escalate", "schedule_callback"})
"""Tools whose work goes on when the call is over: somebody was promised it."""

PlaceAgain = Callable[[CallRequest, Origin], Awaitable[str]]
"""Places a call, under every rule; returns its id. Raises `CallError` and `PolicyError`."""


class Equipment:
    """Equips calls; one for the node."""

    def __init__(
        self,
        settings: Settings,
        store: CallStore,
        client: OutwardClient,
        secret: str,
        send_by_sip: SendText,
        place: PlaceAgain,
    ) -> None:
        tools = settings.tools
        self._settings, self._store, self._place = settings, store, place
        self._functions = Functions(client, secret, tools.url)
        self._send_text = http_gateway(client, tools.sms) if tools.sms else send_by_sip
        self._do_not_call = DoNotCall(store.engine)
        self._library = Library(store.engine)

    def attach(self, call_id: str, terms: CallTerms) -> Attached:
        """The tools and hooks of one call. Raises `EventUnknown` and `FilterInvalid`."""
        world = ToolWorld(
            self._settings.tools,
            self._functions,
            self._send_text,
            partial(self._check_number, call_id, terms),
        )
        place = partial(self._call_back, call_id)
        toolbox = Toolbox(world, call_id, terms, _zone_of(terms.parties[0]), place)
        hooks = parse_hooks(terms.hooks)
        asked = CallHooks(hooks, call_as_hooks_see_it(call_id, terms)) if hooks else None
        return Attached(toolbox.use, DETACHED, on_event=asked)

    async def _check_number(self, call_id: str, terms: CallTerms, number: str) -> None:
        origin = await self._origin(call_id)
        rules = number_rules(None, origin.deployment, self._settings)
        checked = check_number(number, rules)
        if await self._do_not_call.contains(checked):
            raise ToolRefused("this number asked not to be called")

    async def _call_back(self, call_id: str, at: datetime, note: str) -> str:
        """Schedule the same call again."""
        asked = await self._store.request(call_id)
        context = " ".join(part for part in (asked.context, f"They asked for it: {note}") if part)
        again = asked.model_copy(update={"scheduled_at": at, "context": context[:4000]})
        try:
            return await self._place(again, await self._origin(call_id))
        except (CallError, PolicyError) as error:
            raise ToolRefused(str(error)) from error

    async def _origin(self, call_id: str) -> Origin:
        """Who asked for a call, as far as rules about calls need it."""
        call = await self._store.get(call_id)
        deployment_id = call.deployment_id
        deployment = await self._library.deployment(deployment_id) if deployment_id else None
        caller = Caller(call.key_id or "", deployment_id=deployment_id)
        return Origin(caller, call.dialect, deployment_id, deployment)


def _zone_of(party: str) -> tzinfo:
    """Where somebody is, as far as the number tells; a toll-free number is nowhere."""
    try:
        return next(iter(zones_of(party)), UTC)
    except PolicyError:
        return UTC
