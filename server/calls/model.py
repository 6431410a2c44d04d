"""What came of a call (`Call`), in the names of the API.

Every dialect renders it; nothing here knows a wire, a socket or a table.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from server.calls.request import TaskRequest

Status = Literal["scheduled", "queued", "ringing", "in-progress", "transferring", "ended"]
EndedReason = Literal[
    "agent_hangup",
    "user_hangup",
    "voicemail_reached",
    "screening",
    "transferred",
    "max_duration_reached",
    "inactivity",
    "dial_busy",
    "dial_no_answer",
    "dial_failed",
    "user_declined",
    "invalid_destination",
    "canceled",
    "media_timeout",
    "engine_error",
    "node_lost",
]
Dialect = Literal["native", "oneinbox", "oneshot", "talktomyagent", "voiceos"]
AnsweredBy = Literal["human", "machine", "screening", "unknown"]


class Kept(BaseModel):
    """Part of a record."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


class CallMessage(Kept):
    """One turn. `content` never holds words that were cut off before they were heard."""

    role: Literal["assistant", "user"]
    content: str
    start_s: float
    """Seconds after the answer."""
    end_s: float
    interrupted: bool = False
    heard: str | None = None
    """Assistant only: what of the intended words got through; the same as `content`."""


class Criterion(Kept):
    """One thing the call was to achieve, and the words that show whether it did."""

    text: str
    met: bool
    evidence: str | None = None


class Outcome(Kept):
    """The verdict."""

    success: bool
    criteria: tuple[Criterion, ...] = ()


class Plan(Kept):
    """What the objective was taken to mean, before dialling."""

    summary: str
    talking_points: tuple[str, ...] = ()
    success_criteria: tuple[str, ...] = ()
    conference: bool = False


class Call(Kept):
    """The record of one call."""

    model_config = ConfigDict(
        validate_by_name=True, validate_by_alias=True, serialize_by_alias=True
    )

    id: str
    status: Status = "queued"
    ended_reason: EndedReason | None = None
    sip_status: int | None = None
    sip_reason: str | None = None
    direction: Literal["outbound", "inbound"] = "outbound"
    type: Literal["outbound_phone_call", "inbound_phone_call", "web_call"] = "outbound_phone_call"
    dialect: Dialect = "native"
    """The face that it was asked through."""
    deployment_id: str | None = None
    key_id: str | None = None
    to: str
    """The number; of a conference, the first one."""
    parties: tuple[str, ...] = ()
    """Everyone that is called, where there are several."""
    from_: str | None = Field(default=None, alias="from")
    agent_id: str | None = None
    agent_name: str | None = None
    objective: str | None = None
    task: TaskRequest | None = None
    plan: Plan | None = None
    attempt: int = 1
    """How many times it was dialled, or is about to be."""
    variables: Mapping[str, JsonValue] = Field(default_factory=dict)
    created_at: datetime
    updated_at: datetime
    scheduled_at: datetime | None = None
    started_at: datetime | None = None
    """When we began to dial."""
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    duration_s: float | None = None
    """From the answer to the end; 0 where nobody answered."""
    answered_by: AnsweredBy | None = None
    messages: tuple[CallMessage, ...] = ()
    transcript: str | None = None
    summary: str | None = None
    outcome: Outcome | None = None
    analysis: Mapping[str, JsonValue] = Field(default_factory=dict)
    latency: Mapping[str, Mapping[str, int | float]] = Field(default_factory=dict)
    quality: Mapping[str, Mapping[str, int | float | None]] = Field(default_factory=dict)
    cost_breakdown: Mapping[str, JsonValue] = Field(default_factory=dict)
    cost_cents: float | None = None
    tool_calls: tuple[Mapping[str, JsonValue], ...] = ()
    recording_url: str | None = None
    warnings: tuple[str, ...] = ()
    metadata: Mapping[str, JsonValue] = Field(default_factory=dict)
