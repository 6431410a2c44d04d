"""The native face: `/v1/calls`."""

from typing import Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from server.api.body import read_json
from server.api.errors import Problem
from server.api.problem import validation_failed
from server.api.stream import stream_events
from server.calls.model import Call, Status
from server.calls.request import CallRequest
from server.calls.store import CallStore
from server.calls.workflow import CallWorkflow
from server.settings import Settings

MAX_PAGE = 200
ID = "{call_id}"


class Listing(BaseModel):
    """The query of a list."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    status: Status | None = None
    number: str | None = Field(default=None, max_length=256)
    cursor: str | None = Field(default=None, max_length=200)
    limit: int = Field(default=50, ge=1, le=MAX_PAGE)

    @field_validator("number")
    @classmethod
    def _plus(cls, value: str | None) -> str | None:
        # A plus sign that was not percent-encoded arrives as a space.
        return "+" + value[1:] if value is not None and value.startswith(" ") else value


class Action(BaseModel):
    """Something to do to a call that is going on."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    action: Literal["hang_up"]


class NativeCalls:
    """Handlers of the native face; no logic of their own."""

    def __init__(self, store: CallStore, workflow: CallWorkflow, settings: Settings) -> None:
        self._store = store
        self._workflow = workflow
        self._read_timeout_s = settings.http.read_timeout_s
        self._recordings = settings.data.recordings.absolute()

    def routes(self) -> list[web.RouteDef]:
        """What this face answers."""
        return [
            web.post("/v1/calls", self.create),
            web.get("/v1/calls", self.list),
            web.get(f"/v1/calls/{ID}", self.read),
            web.get(f"/v1/calls/{ID}/events", self.events, allow_head=False),
            web.post(f"/v1/calls/{ID}/actions", self.act),
            web.get(f"/v1/calls/{ID}/recording", self.recording),
        ]

    async def create(self, request: web.Request) -> web.Response:
        """Place a call: 201 and its record, which is on disk; the call is being dialled."""
        body = await read_json(request, self._read_timeout_s)
        try:
            asked = CallRequest.model_validate(body)
        except ValidationError as error:
            raise validation_failed(error) from None
        call = await self._workflow.place(asked)
        return _answer(call, status=201, headers={"Location": f"/v1/calls/{call.id}"})

    async def list(self, request: web.Request) -> web.Response:
        """List calls, newest first."""
        try:
            query = Listing.model_validate(dict(request.query))
        except ValidationError as error:
            raise validation_failed(error) from None
        page = await self._store.list(**query.model_dump())
        body = {
            "data": [call.model_dump(mode="json") for call in page.calls],
            "next_cursor": page.next_cursor,
        }
        return web.json_response(body)

    async def read(self, request: web.Request) -> web.Response:
        """Read one call."""
        return _answer(await self._store.get(request.match_info["call_id"]))

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Stream one call's events."""
        call_id = request.match_info["call_id"]
        return await stream_events(request, self._store, self._workflow.feed, call_id)

    async def act(self, request: web.Request) -> web.Response:
        """Do something to a call that is going on: 202."""
        call_id = request.match_info["call_id"]
        body = await read_json(request, self._read_timeout_s)
        try:
            Action.model_validate(body)
        except ValidationError as error:
            raise validation_failed(error) from None
        call = await self._store.get(call_id)
        if not self._workflow.hang_up(call_id):
            raise Problem(409, "call-over", f"the call is {call.status}; nothing to hang up")
        return _answer(call, status=202)

    async def recording(self, request: web.Request) -> web.StreamResponse:
        """The stereo WAV, with range requests."""
        name = await self._store.recording(request.match_info["call_id"])
        if name is None or not (self._recordings / name).is_file():
            raise Problem(404, "not-found", "this call has no recording, or none yet")
        return web.FileResponse(self._recordings / name, headers={"Content-Type": "audio/wav"})


def _answer(call: Call, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(
        status=status,
        text=call.model_dump_json(),
        content_type="application/json",
        headers=headers,
    )
