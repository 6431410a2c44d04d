"""What is asked for (`CallRequest`) and what came of it (`Call`), in the names of the API.

Every dialect maps to and from these two; nothing here knows a wire, a socket or a table.
"""

import re
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal

import phonenumbers
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    model_validator,
)
from pydantic_core import to_json

from server.sip.errors import ParseError
from server.sip.uri import Uri

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
AnsweredBy = Literal["human", "machine", "screening", "unknown"]

MAX_FACTS = 30
MAX_FACT_CHARS = 500
MAX_TASK_BYTES = 4096
SIP_URI = re.compile(r"sip:[!#-;=?A-Z_a-z~]{1,128}@[-.0-9A-Za-z:\[\]]{1,128}")
"""User, host and port only: a parameter or header could redirect the call."""


def _one_destination(value: object) -> object:
    if isinstance(value, list):
        raise ValueError("several numbers are not supported; give one number as a string")
    return value


def _destination(value: str) -> str:
    if not value.startswith("sip:"):
        return _number(value)
    if SIP_URI.fullmatch(value) is None:
        raise ValueError("not a SIP URI such as sip:alice@pbx.example.com:5060")
    try:
        Uri.parse(value)
    except ParseError as error:
        raise ValueError(f"not a SIP URI: {error}") from None
    return value


def _number(value: str) -> str:
    """E.164 as the numbering plans allow it: the right length for its country."""
    if not value.startswith("+") or not value[1:].isascii() or not value[1:].isdigit():
        raise ValueError("not an E.164 number: a plus sign and digits only, such as +14165550123")
    try:
        possible = phonenumbers.is_possible_number(phonenumbers.parse(value))
    except phonenumbers.NumberParseException:
        possible = False
    if not possible:
        raise ValueError("no such number is possible in its country's numbering plan")
    return value


def _one_line(value: str) -> str:
    if any(unicodedata.category(character) == "Cc" for character in value):
        raise ValueError("holds control characters")
    return value


def _fact(value: object) -> object:
    if isinstance(value, str) and len(value) > MAX_FACT_CHARS:
        raise ValueError(f"longer than {MAX_FACT_CHARS} characters")
    if not isinstance(value, str | bool | int | float):
        raise ValueError("neither a string, a number nor a boolean")
    return value


Number = Annotated[str, Field(max_length=16), AfterValidator(_number)]
Destination = Annotated[
    str, BeforeValidator(_one_destination), Field(max_length=256), AfterValidator(_destination)
]
ShortText = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_one_line)]
"""One line, fit for a SIP header field."""
LongText = Annotated[str, Field(min_length=1, max_length=4000)]
Fact = Annotated[str | bool | int | float, BeforeValidator(_fact)]


class Asked(BaseModel):
    """Part of a request: unknown fields are refused, nothing is converted silently."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class TaskRequest(Asked):
    """What the call is for, in parts, so that a playbook's script can use the facts."""

    goal: LongText
    facts: dict[ShortText, Fact] = Field(default_factory=dict, max_length=MAX_FACTS)
    script: ShortText | None = None
    escalation: LongText | None = None

    @model_validator(mode="after")
    def _small(self) -> "TaskRequest":
        if len(to_json(self)) >= MAX_TASK_BYTES:
            raise ValueError(f"the task takes {MAX_TASK_BYTES} bytes or more")
        return self


class VoicemailRequest(Asked):
    """What to do when a machine answers."""

    action: Literal["hang_up", "leave_message", "continue"] = "leave_message"
    message: Annotated[str, Field(min_length=1, max_length=1000)] | None = None


class CallRequest(Asked):
    """One call to place, checked."""

    model_config = ConfigDict(
        validate_by_name=True, validate_by_alias=True, serialize_by_alias=True
    )

    to: Destination
    from_: Number | None = Field(default=None, alias="from")
    objective: LongText | None = None
    task: TaskRequest | None = None
    persona: LongText | None = None
    context: LongText | None = None
    first_message: Annotated[str, Field(max_length=1000)] | None = None
    """The opening line; empty to let the callee begin."""
    agent_name: Annotated[ShortText, Field(max_length=80)] | None = None
    max_duration_s: int = Field(default=300, ge=60, le=1800)
    voicemail: VoicemailRequest = VoicemailRequest()
    record: bool = True
    metadata: dict[str, JsonValue] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_purpose(self) -> "CallRequest":
        if (self.objective is None) == (self.task is None):
            raise ValueError("give either objective or task, and not both")
        return self


class Kept(BaseModel):
    """Part of a record."""

    model_config = ConfigDict(frozen=True)


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
    to: str
    from_: str | None = Field(default=None, alias="from")
    agent_id: str | None = None
    agent_name: str | None = None
    objective: str | None = None
    task: TaskRequest | None = None
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
    tool_calls: tuple[Mapping[str, JsonValue], ...] = ()
    recording_url: str | None = None
    warnings: tuple[str, ...] = ()
    metadata: Mapping[str, JsonValue] = Field(default_factory=dict)
