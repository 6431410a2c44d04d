"""The native face: `/v1/calls`. OneInbox's bodies and records share it (`oneinbox`)."""

from collections.abc import Mapping
from typing import Final

from aiohttp import web
from pydantic import JsonValue

from server.api import oneinbox
from server.api.auth import CALLER
from server.api.errors import Problem
from server.api.native_wire import Action, Listing
from server.api.operation import HeaderField, Operation, Reply
from server.api.origins import IDEMPOTENCY_KEY
from server.api.scopes import WRITE
from server.api.stream import LAST_EVENT_ID, NUMBER, stream_events
from server.api.switchboard import Switchboard
from server.api.wire import Answer, answer, checked
from server.calls.errors import ActionRefused
from server.calls.model import Call
from server.calls.request import CallRequest
from server.calls.retention import Retention

FACE: Final = "Native"
ONE = "/v1/calls/{call_id}"

Record = Call | oneinbox.CallRecord


class Page(Answer):
    """Calls, newest first."""

    data: tuple[Record, ...]
    next_cursor: str | None
    """Give it as `cursor` for the next page; null at the end."""


class NativeCalls:
    """Handlers of the native face; no logic of their own."""

    def __init__(self, switchboard: Switchboard, retention: Retention) -> None:
        self._node = switchboard
        self._retention = retention
        self._recordings = switchboard.settings.data.recordings.absolute()

    def operations(self) -> list[Operation]:
        """What this face answers."""
        of_one = {403: "`forbidden`", 404: "`not-found`"}
        return [
            Operation(
                method="POST",
                path="/v1/calls",
                handler=self.create,
                face=FACE,
                summary="Place or schedule a call",
                body=CallRequest | oneinbox.CreateCall,
                examples={**EXAMPLES, **oneinbox.EXAMPLES},
                headers=(
                    HeaderField(
                        IDEMPOTENCY_KEY,
                        "The same key and body are one call for 24 hours.",
                        pattern=r"^[!-~]{1,255}$",
                    ),
                ),
                replies={201: Reply("The call, which is on disk.", Record)},
                problems={
                    400: "`validation-failed`, `self-call`, `prompt-injection`",
                    403: "`forbidden`, and what the policy refuses",
                    404: "`not-found`: the key's deployment does not have the number",
                    409: "`voice-not-provisioned`",
                    422: "`idempotency-mismatch`",
                    429: "`rate-limited`, `spend-cap-reached`",
                },
            ),
            Operation(
                method="GET",
                path="/v1/calls",
                handler=self.list,
                face=FACE,
                summary="Calls, newest first",
                query=Listing,
                replies={200: Reply("A page.", Page)},
                problems={400: "`validation-failed`", 403: "`forbidden`"},
            ),
            Operation(
                method="GET",
                path=ONE,
                handler=self.read,
                face=FACE,
                summary="One call",
                replies={200: Reply("The call as it is.", Record)},
                problems=of_one,
            ),
            Operation(
                method="DELETE",
                path=ONE,
                handler=self.erase,
                face=FACE,
                summary="Erase recording, transcript and facts; the audit keeps its row",
                replies={204: Reply("It is erased.")},
                problems={**of_one, 409: "`call-live`: the call is not over"},
            ),
            Operation(
                method="GET",
                path=f"{ONE}/events",
                handler=self.events,
                face=FACE,
                summary="What happens in a call, as it happens (server-sent events)",
                headers=(
                    HeaderField(
                        LAST_EVENT_ID, "Leave out the events up to this one.", pattern=f"^{NUMBER}$"
                    ),
                ),
                replies={200: Reply("Events up to `call.ended`.", content="text/event-stream")},
                problems={**of_one, 400: "`validation-failed`"},
            ),
            Operation(
                method="POST",
                path=f"{ONE}/actions",
                handler=self.act,
                face=FACE,
                summary="Do something to a call",
                body=Action,
                examples={"hang up": {"action": "hang_up"}, "say": {"action": "say", "text": "Hi"}},
                replies={202: Reply("The call as it was.", Record)},
                problems={
                    **of_one,
                    400: "`validation-failed`",
                    409: "`call-over`: the call is not where this can be done",
                },
            ),
            Operation(
                method="GET",
                path=f"{ONE}/recording",
                handler=self.recording,
                face=FACE,
                summary="Stereo WAV: left the callee, right the agent",
                replies={
                    200: Reply("The whole of it.", content="audio/wav"),
                    206: Reply("A range of it.", content="audio/wav"),
                },
                problems={**of_one, 416: "`http-416`: no such range"},
            ),
        ]

    async def create(self, request: web.Request) -> web.Response:
        """Place a call: 201 and its record, which is on disk."""
        body = await self._node.body(request)
        if oneinbox.is_meant(body):
            return await oneinbox.create(self._node, request, body)
        asked = checked(CallRequest, body)
        origin = await self._node.origins.of(request, "native", body, number=asked.from_)
        call = await self._node.calls.place(asked, origin)
        return answer(call, 201, headers={"Location": f"/v1/calls/{call.id}"})

    async def list(self, request: web.Request) -> web.Response:
        """List calls, newest first."""
        query = checked(Listing, dict(request.query))
        page = await self._node.page(request, query.wanted())
        found = tuple(self._rendered(call) for call in page.calls)
        return answer(Page(data=found, next_cursor=page.next_cursor))

    async def read(self, request: web.Request) -> web.Response:
        """Read one call."""
        return answer(self._rendered(await self._node.call(request, "call_id")))

    async def erase(self, request: web.Request) -> web.Response:
        """Erase what was said: 204, also where it was erased before."""
        call = await self._node.call(request, "call_id", WRITE)
        try:
            await self._retention.erase(call.id, request[CALLER].key_id)
        except ActionRefused:
            raise Problem(409, "call-live", "the call is not over; hang it up first") from None
        return web.Response(status=204)

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Stream one call's events."""
        call = await self._node.call(request, "call_id")
        return await stream_events(request, self._node.store, self._node.calls.feed, call.id)

    async def act(self, request: web.Request) -> web.Response:
        """Do something to a call: 202."""
        asked = checked(Action, await self._node.body(request)).root
        call = await self._node.call(request, "call_id", WRITE)
        await self._node.calls.act(call.id, asked.action, asked.model_dump(exclude={"action"}))
        return answer(self._rendered(call), 202)

    async def recording(self, request: web.Request) -> web.StreamResponse:
        """The stereo WAV, with range requests."""
        call = await self._node.call(request, "call_id")
        name = await self._node.store.recording(call.id)
        if name is None or not (self._recordings / name).is_file():
            raise Problem(404, "not-found", "this call has no recording, or none yet")
        return web.FileResponse(self._recordings / name, headers={"Content-Type": "audio/wav"})

    def _rendered(self, call: Call) -> Record:
        if call.dialect == "oneinbox":
            return oneinbox.record(call, self._node.settings.costs)
        return call


EXAMPLES: Mapping[str, Mapping[str, JsonValue]] = {
    "an objective": {
        "to": "+14155551234",
        "objective": "Book a table for two at 7 pm tonight.",
        "context": "Italian restaurant, prefer outdoor seating",
    },
    "a task": {
        "to": "+14155551234",
        "task": {
            "goal": "Collect $154.56 from Bobby; offer the payment link.",
            "script": "debt-collection",
            "facts": {"debtor_name": "Bobby", "amount_due": "$154.56"},
        },
        "scheduled_at": "2026-12-01T10:00:00-05:00",
        "retry": {"attempts": 3, "delay_s": 600, "on": ["busy", "no_answer"]},
        "metadata": {"invoice": "154"},
    },
}
