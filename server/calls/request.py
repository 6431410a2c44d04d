"""What is asked for: one call, in the names of the native API. Every dialect maps to it."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    PlainValidator,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import to_json

from server.calls.agent import AgentConfig
from server.calls.fields import (
    MAX_DESTINATION_CHARS,
    Asked,
    Fact,
    LongText,
    Many,
    Number,
    ShortText,
    destination,
)

MAX_FACTS = 30
MAX_TASK_BYTES = 4096
MAX_PARTIES = 8
MAX_METADATA_BYTES = 8192

Retried = Literal["busy", "no_answer", "voicemail", "failed"]
When = Annotated[
    datetime,
    BeforeValidator(
        lambda value: datetime.fromisoformat(value) if isinstance(value, str) else value
    ),
]


def _parties(value: object) -> str | tuple[str, ...]:
    """One destination or several, each once; errors name the field, not the place in it."""
    if isinstance(value, str):
        return destination(value)
    if not isinstance(value, list | tuple) or not all(isinstance(one, str) for one in value):
        raise ValueError("give a number, or a list of numbers")
    if not 1 <= len(value) <= MAX_PARTIES:
        raise ValueError(f"give one to {MAX_PARTIES} numbers")
    several = tuple(dict.fromkeys(destination(one) for one in value))
    return several if len(several) > 1 else several[0]


Parties = Annotated[
    str | tuple[str, ...],
    PlainValidator(_parties),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "maxLength": MAX_DESTINATION_CHARS},
                {
                    "type": "array",
                    "items": {"type": "string", "maxLength": MAX_DESTINATION_CHARS},
                    "minItems": 1,
                    "maxItems": MAX_PARTIES,
                },
            ]
        }
    ),
]


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


class RetryRequest(Asked):
    """When to dial again."""

    attempts: int = Field(default=1, ge=1, le=10)
    """How often to dial in all."""
    delay_s: int = Field(default=300, ge=1, le=86_400)
    on: Many[Retried] = ("busy", "no_answer")


class CallRequest(AgentConfig):
    """One call to place, checked."""

    model_config = ConfigDict(
        validate_by_name=True, validate_by_alias=True, serialize_by_alias=True
    )

    to: Parties
    """One number, or several for a conference."""
    from_: Number | None = Field(default=None, alias="from")
    agent_id: ShortText | None = None
    agent: AgentConfig | None = None
    """An agent of this call's own."""
    objective: LongText | None = None
    task: TaskRequest | None = None
    variables: dict[ShortText, JsonValue] = Field(default_factory=dict, max_length=100)
    """Fill `{{name}}` in prompts and first messages."""
    scheduled_at: When | None = None
    """With its zone; absent is now."""
    retry: RetryRequest = RetryRequest()
    metadata: dict[str, JsonValue] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_purpose(self) -> "CallRequest":
        if self.objective is not None and self.task is not None:
            raise ValueError("give either objective or task, and not both")
        if self.agent_id is not None and self.agent is not None:
            raise ValueError("give either agent_id or agent, and not both")
        nothing = self.objective is None and self.task is None
        if nothing and self.agent_id is None and self.agent is None:
            raise ValueError("give an objective, a task or an agent")
        return self

    @model_validator(mode="after")
    def _in_a_zone(self) -> "CallRequest":
        if self.scheduled_at is not None and self.scheduled_at.tzinfo is None:
            raise ValueError("scheduled_at: give the zone too, such as 2026-01-31T12:00:00+01:00")
        return self

    @model_validator(mode="after")
    def _small(self) -> "CallRequest":
        for name in ("metadata", "variables"):
            if len(to_json(getattr(self, name))) > MAX_METADATA_BYTES:
                raise ValueError(f"{name} takes more than {MAX_METADATA_BYTES} bytes")
        return self

    @property
    def parties(self) -> tuple[str, ...]:
        """Everyone to call, each once."""
        return (self.to,) if isinstance(self.to, str) else self.to
