"""OneInbox: bodies with `to_number` on `/v1/calls`, and the records of the calls they placed.

A body is OneInbox's where it has `to_number` or `from_number`, which the native API does not
know. A record is rendered as OneInbox's where its call was placed so (`Call.dialect`).
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated, Final

from aiohttp import web
from pydantic import Field, JsonValue

from server.api.switchboard import Switchboard
from server.api.wire import Answer, Wire, answer, checked, unknown_fields
from server.calls.agent import FirstMessage, Prompt
from server.calls.fields import Number, ShortText, WebUrl
from server.calls.model import Call, CallMessage
from server.calls.request import CallRequest, When
from server.sections import CostSettings, ProviderSettings

FACE: Final = "OneInbox"
MARKS = ("to_number", "from_number")
DEFAULT = "default"


class Llm(Wire):
    """Overrides of the language model."""

    model: ShortText | None = None
    temperature: float | None = Field(default=None, ge=0, le=2)
    system_prompt: Prompt | None = None


class Transcriber(Wire):
    """Overrides of the recogniser."""

    model: ShortText | None = None
    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")] | None = None


class Tts(Wire):
    """Overrides of the voice."""

    voice_id: ShortText | None = None
    model: ShortText | None = None
    speed: float | None = Field(default=None, ge=0.5, le=2)
    stability: float | None = None


class Overrides(Wire):
    """Merged on top of the stored agent when the call is dispatched."""

    llm: Llm | None = None
    transcriber: Transcriber | None = None
    tts: Tts | None = None
    first_message: FirstMessage | None = None


class CreateCall(Wire):
    """A call to place with a stored agent."""

    agent_id: ShortText
    to_number: Number
    from_number: Number
    scheduled_at: When | None = None
    variables: dict[ShortText, JsonValue] = Field(default_factory=dict, max_length=100)
    webhook_url: WebUrl | None = None
    overrides: Overrides | None = None
    metadata: dict[str, JsonValue] = Field(default_factory=dict)


class CallRecord(Answer):
    """One call, with every field of the document."""

    id: str
    agent_id: str
    type: str
    status: str
    from_number: str | None
    to_number: str | None
    room_name: str | None = None
    """Always null: there are no rooms here."""
    direction: str
    scheduled_at: datetime | None
    variables: Mapping[str, JsonValue]
    started_at: datetime | None
    ended_at: datetime | None
    duration_seconds: float | None
    end_reason: str | None
    transcript: str | None
    messages: tuple[CallMessage, ...]
    recording_url: str | None
    analysis: Mapping[str, JsonValue]
    latency: Mapping[str, Mapping[str, int | float]]
    cost_cents: int | None
    metadata: Mapping[str, JsonValue]
    created_at: datetime
    updated_at: datetime
    twilio_call_sid: str | None = None
    """Always null: no Twilio is involved."""
    outcome: str | None = None
    ai_summary: str | None = None
    credits_used: float | None = None


def is_meant(body: JsonValue) -> bool:
    """Whether a body is OneInbox's."""
    return isinstance(body, dict) and any(mark in body for mark in MARKS)


async def create(node: Switchboard, request: web.Request, body: JsonValue) -> web.Response:
    """Place a call: 201 and its record."""
    wire = checked(CreateCall, body)
    asked, odd = call_request(wire, node.settings.providers)
    warnings = (*unknown_fields(wire), *odd)
    origin = await node.origins.of(
        request, "oneinbox", body, number=wire.from_number, warnings=warnings
    )
    call = await node.calls.place(asked, origin)
    place = {"Location": f"/v1/calls/{call.id}"}
    return answer(record(call, node.settings.costs), 201, warnings, place)


def call_request(
    wire: CreateCall, providers: ProviderSettings
) -> tuple[CallRequest, tuple[str, ...]]:
    """The request in native names, and what is odd about it. Raises `ValidationFailed`."""
    asked: dict[str, object] = {
        "from": wire.from_number,
        "to": wire.to_number,
        "agent_id": wire.agent_id,
        "variables": wire.variables,
        "metadata": wire.metadata,
    }
    if wire.scheduled_at is not None:
        asked["scheduled_at"] = wire.scheduled_at
    if wire.webhook_url is not None:
        asked["webhooks"] = [{"url": wire.webhook_url}]
    over = wire.overrides or Overrides()
    if over.first_message is not None:
        asked["first_message"] = over.first_message
    llm, hearing, tts = over.llm or Llm(), over.transcriber or Transcriber(), over.tts or Tts()
    model = _given(temperature=llm.temperature, system_prompt=llm.system_prompt)
    asked["language_model"] = model | _hosted(model=llm.model)
    asked["transcriber"] = _given(language=hearing.language) | _hosted(model=hearing.model)
    voice_id = providers.voice.get(tts.voice_id, tts.voice_id) if tts.voice_id else None
    voice = _given(speed=tts.speed, voice_id=None if voice_id == DEFAULT else voice_id)
    asked["voice"] = voice | _hosted(model=tts.model, stability=tts.stability)
    parts = ("language_model", "transcriber", "voice")
    kept = {name: value for name, value in asked.items() if name not in parts or value}
    return checked(CallRequest, kept), tuple(_without_effect(over, providers))


def record(call: Call, costs: CostSettings) -> CallRecord:
    """A call in this document's words."""
    verdict: dict[str, JsonValue] = {}
    if call.outcome is not None:
        verdict = call.outcome.model_dump(mode="json")
    disposition = call.analysis.get("disposition")
    cents = call.cost_cents
    return CallRecord(
        id=call.id,
        agent_id=call.agent_id or "",
        type=call.type,
        status=call.status,
        from_number=call.from_,
        to_number=call.to,
        direction=call.direction,
        scheduled_at=call.scheduled_at,
        variables=call.variables,
        started_at=call.started_at,
        ended_at=call.ended_at,
        duration_seconds=call.duration_s,
        end_reason=call.ended_reason,
        transcript=call.transcript,
        messages=call.messages,
        recording_url=call.recording_url,
        analysis={**call.analysis, **verdict},
        latency=call.latency,
        cost_cents=None if cents is None else round(cents),
        metadata=call.metadata,
        created_at=call.created_at,
        updated_at=call.updated_at,
        outcome=disposition if isinstance(disposition, str) else None,
        ai_summary=call.summary,
        credits_used=None if cents is None else cents / 100 * costs.credits_per_dollar,
    )


def _without_effect(over: Overrides, providers: ProviderSettings) -> Iterator[str]:
    """A warning for everything given that changes nothing here."""
    models: dict[str, tuple[str | None, Mapping[str, str]]] = {
        "llm": (over.llm.model if over.llm else None, providers.language_model),
        "transcriber": (
            over.transcriber.model if over.transcriber else None,
            providers.transcriber,
        ),
        "tts": (over.tts.model if over.tts else None, providers.voice),
    }
    for part, (model, known) in models.items():
        if model is not None and model not in known:
            yield f"no-effect:overrides.{part}.model"
    if over.tts is not None and over.tts.stability is not None:
        yield "no-effect:overrides.tts.stability"


def _given(**values: object) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not None}


def _hosted(**values: object) -> dict[str, object]:
    named = _given(**values)
    return {"hosted": named} if named else {}


EXAMPLES: Mapping[str, Mapping[str, JsonValue]] = {
    "a stored agent (OneInbox)": {
        "agent_id": "3c90c3cc-0d44-4b50-8888-8dd25736052a",
        "to_number": "+14155551234",
        "from_number": "+14155550100",
        "variables": {"customer_name": "Bobby"},
        "webhook_url": "https://example.com/hook",
        "overrides": {
            "llm": {"temperature": 0.2, "system_prompt": "You confirm appointments."},
            "transcriber": {"language": "en"},
            "tts": {"speed": 1.1},
            "first_message": "Hi {{customer_name}}, this is Ava.",
        },
        "metadata": {"order": 7},
    },
}
