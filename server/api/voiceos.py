"""VoiceOS: `/conversations`."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal

from aiohttp import web
from pydantic import JsonValue

from server.api.errors import FieldError, ValidationFailed
from server.api.operation import HeaderField, Operation, Reply
from server.api.origins import IDEMPOTENCY_KEY
from server.api.paging import Paging
from server.api.scopes import WRITE
from server.api.switchboard import Switchboard
from server.api.voiceos_wire import Agent, native_config, wire_config, without_effect
from server.api.wire import Answer, Wire, answer, checked, unknown_fields
from server.calls.agent import AgentConfig
from server.calls.fields import Number, ShortText
from server.calls.listing import Wanted
from server.calls.model import Call, CallMessage, EndedReason, Status
from server.calls.request import CallRequest
from server.sections import ProviderSettings

FACE: Final = "VoiceOS"
CODES: Mapping[str, tuple[int, str]] = {}
"""This document names no errors; ours are kept."""

Ended = Literal["agent_ended", "user_ended", "unknown"]
STATUSES: Mapping[Status, Literal["queued", "started", "ended"]] = {
    "scheduled": "queued",
    "queued": "queued",
    "ringing": "queued",
    "in-progress": "started",
    "transferring": "started",
    "ended": "ended",
}
"""A conversation starts when it is answered, as its event `conversation:started` does."""
ENDED: Mapping[EndedReason, Ended] = {
    "agent_hangup": "agent_ended",
    "voicemail_reached": "agent_ended",
    "screening": "agent_ended",
    "transferred": "agent_ended",
    "max_duration_reached": "agent_ended",
    "inactivity": "agent_ended",
    "canceled": "agent_ended",
    "user_hangup": "user_ended",
    "user_declined": "user_ended",
}
"""Whatever is not here is `unknown`."""


class PhoneCallRequest(Wire):
    """A conversation to have. At least one of `agent_id` and `agent_config`."""

    from_number: Number
    to_number: Number
    agent_id: ShortText | None = None
    agent_config: Agent | None = None


class PhoneCall(Answer):
    """The telephone side."""

    provider: str = "sip"
    to_number: str
    from_number: str | None


class VoiceCost(Answer):
    """Of what was spoken."""

    provider: str
    cost: float
    characters: int


class TimedCost(Answer):
    """Of what takes time."""

    provider: str
    cost: float
    seconds: float


class ModelCost(Answer):
    """Of what was thought."""

    provider: str
    cost: float
    input_tokens: int
    output_tokens: int


class CostBreakdown(Answer):
    """In US dollars."""

    total: float
    voice: VoiceCost
    transcriber: TimedCost
    language_model: ModelCost
    telephony: TimedCost
    agent: TimedCost


class Conversation(Answer):
    """The record of one conversation."""

    id: str
    uri: str
    type: Literal["inbound_phone_call", "outbound_phone_call", "web_call"]
    account_id: str
    status: Literal["queued", "started", "ended"]
    started_at: datetime | None = None
    """When it was answered."""
    ended_at: datetime | None = None
    agent_config: Agent
    agent_id: str | None = None
    messages: tuple[CallMessage, ...] = ()
    phone_call: PhoneCall | None = None
    ended_reason: Ended | None = None
    cost_breakdown: CostBreakdown | None = None


class ConversationPage(Answer):
    """Conversations, newest first."""

    data: tuple[Conversation, ...]
    next_cursor: str | None


class Conversations:
    """The face's handlers."""

    def __init__(self, switchboard: Switchboard) -> None:
        self._node = switchboard

    def operations(self) -> list[Operation]:
        """What this face answers."""
        of_one = {403: "`forbidden`", 404: "`not-found`"}
        return [
            Operation(
                method="POST",
                path="/conversations/create_phone_call",
                handler=self.create,
                face=FACE,
                summary="Call someone with a stored agent, or one that is described here",
                body=PhoneCallRequest,
                examples=EXAMPLES,
                headers=(
                    HeaderField(
                        IDEMPOTENCY_KEY,
                        "The same key and body are one call for 24 hours.",
                        pattern=r"^[!-~]{1,255}$",
                    ),
                ),
                replies={
                    200: Reply("The conversation, which is about to be dialled.", Conversation)
                },
                problems={
                    400: "`validation-failed`, and what the [rules](#rules) refuse",
                    403: "`forbidden`, and what the rules refuse",
                    404: "`not-found`: the key's deployment does not have the number",
                    409: "`voice-not-provisioned`",
                    422: "`idempotency-mismatch`",
                    429: "`rate-limited`",
                },
            ),
            Operation(
                method="GET",
                path="/conversations",
                handler=self.list,
                face=FACE,
                summary="Conversations, newest first",
                query=Paging,
                replies={200: Reply("A page.", ConversationPage)},
                problems={400: "`validation-failed`", 403: "`forbidden`"},
            ),
            Operation(
                method="GET",
                path="/conversations/{id}",
                handler=self.read,
                face=FACE,
                summary="One conversation",
                replies={200: Reply("The conversation as it is.", Conversation)},
                problems=of_one,
            ),
            Operation(
                method="POST",
                path="/conversations/{id}/end",
                handler=self.end,
                face=FACE,
                summary="Hang up, or withdraw what has not been dialled",
                replies={200: Reply("The conversation as it is.", Conversation)},
                problems={**of_one, 409: "`call-over`"},
            ),
        ]

    async def create(self, request: web.Request) -> web.Response:
        """Place a call: 200 and the conversation."""
        body = await self._node.body(request)
        wire = checked(PhoneCallRequest, body)
        asked = call_request(wire, self._node.settings.providers)
        odd = without_effect(wire.agent_config) if wire.agent_config else ()
        warnings = (*unknown_fields(wire), *odd)
        origin = await self._node.origins.of(
            request, "voiceos", body, number=wire.from_number, warnings=warnings
        )
        call = await self._node.calls.place(asked, origin)
        return answer(await self._conversation(call), 200, warnings)

    async def list(self, request: web.Request) -> web.Response:
        """List conversations, newest first."""
        query = checked(Paging, dict(request.query))
        page = await self._node.page(request, Wanted(**query.model_dump()))
        found = [await self._conversation(call) for call in page.calls]
        return answer(ConversationPage(data=tuple(found), next_cursor=page.next_cursor))

    async def read(self, request: web.Request) -> web.Response:
        """Read one conversation."""
        return answer(await self._conversation(await self._node.call(request, "id")))

    async def end(self, request: web.Request) -> web.Response:
        """Hang up, or withdraw what has not been dialled."""
        call = await self._node.call(request, "id", WRITE)
        action = "cancel" if call.status == "scheduled" else "hang_up"
        await self._node.calls.act(call.id, action, {})
        return answer(await self._conversation(await self._node.store.get(call.id)))

    async def _conversation(self, call: Call) -> Conversation:
        return conversation(call, await self._node.config_of(call))


def call_request(wire: PhoneCallRequest, providers: ProviderSettings) -> CallRequest:
    """The request in native names. Raises `ValidationFailed`."""
    asked: dict[str, object] = {"from": wire.from_number, "to": wire.to_number}
    agent = wire.agent_config
    if agent is not None:
        asked["metadata"] = agent.metadata
    if wire.agent_id is not None:
        over = native_config(agent, providers, whole=False) if agent is not None else {}
        asked |= {"agent_id": wire.agent_id, **over}
    elif agent is not None:
        asked["agent"] = native_config(agent, providers, whole=True)
    else:
        raise ValidationFailed(FieldError("agent_config", "give agent_config or agent_id"))
    return checked(CallRequest, asked)


def conversation(call: Call, config: AgentConfig) -> Conversation:
    """A call in this document's words. config: what it is held by."""
    web_call = call.type == "web_call"
    return Conversation(
        id=call.id,
        uri=f"/conversations/{call.id}",
        type=call.type,
        account_id=call.deployment_id or call.key_id or "",
        status=STATUSES[call.status],
        started_at=call.answered_at,
        ended_at=call.ended_at,
        agent_config=wire_config(config, call.metadata),
        agent_id=call.agent_id,
        messages=call.messages,
        phone_call=None if web_call else PhoneCall(to_number=call.to, from_number=call.from_),
        ended_reason=ENDED.get(call.ended_reason, "unknown") if call.ended_reason else None,
        cost_breakdown=CostBreakdown.model_validate(call.cost_breakdown)
        if call.cost_breakdown
        else None,
    )


EXAMPLES: Mapping[str, Mapping[str, JsonValue]] = {
    "an agent of its own": {
        "from_number": "+14155550100",
        "to_number": "+14155551234",
        "agent_config": {
            "initial_message": "Hello, this is Ava from Example Dental.",
            "prompt": "Confirm the appointment of tomorrow at 10 am.",
            "voice": {"provider": "playht", "model": "susan", "speed": 1},
            "language_model": {
                "provider": "openai",
                "model": "gpt-3.5-turbo",
                "temperature": 0,
                "max_tokens": 300,
            },
            "transcriber": {
                "provider": "deepgram",
                "model": "nova-2",
                "language": "en",
                "keywords": ["Dental"],
            },
            "max_duration_seconds": 600,
            "webhooks": [
                {
                    "events": ["phone_call:connection_requested"],
                    "filter": "call.metadata.order == '7'",
                    "url": "https://example.com/hook",
                    "method": "POST",
                    "headers": {},
                }
            ],
            "hooks": [
                {
                    "events": ["conversation:started"],
                    "filter": "call.metadata.test",
                    "instructions": [{"instruction": "hang_up"}],
                }
            ],
            "metadata": {"order": "7"},
        },
    },
}
