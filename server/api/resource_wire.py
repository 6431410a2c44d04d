"""JSON of what operators keep: agents, deployments, playbooks, keys, numbers, audit, deliveries."""

from datetime import datetime
from typing import Annotated, Generic, Literal, TypeVar

from pydantic import AfterValidator, Field, JsonValue

from server.api.paging import Paging
from server.api.scopes import GRANTABLE
from server.api.wire import Answer
from server.calls.agent import AgentConfig
from server.calls.do_not_call import MAX_REASON_CHARS
from server.calls.fields import Asked, Many, Number, ShortText
from server.calls.origin import Deployment

A = TypeVar("A", bound=Answer | Asked)
MAX_MARKDOWN_CHARS = 60_000


def _scope(value: str) -> str:
    if value not in GRANTABLE:
        raise ValueError(f"not one of {', '.join(sorted(GRANTABLE))}")
    return value


class AgentBody(AgentConfig):
    """An agent to keep."""

    name: ShortText


class AgentAnswer(AgentBody):
    """A stored agent."""

    id: str
    """A UUID; `agent_id` of a request, where its name will do as well."""
    created_at: datetime
    updated_at: datetime


class DeploymentAnswer(Deployment):
    """A stored deployment."""

    id: str
    created_at: datetime
    updated_at: datetime


class PlaybookBody(Asked):
    """A playbook to keep."""

    name: ShortText
    markdown: Annotated[str, Field(min_length=1, max_length=MAX_MARKDOWN_CHARS)]


class PlaybookAnswer(Answer):
    """A stored playbook, and how it is understood."""

    id: str
    name: str
    markdown: str
    scripts: tuple[str, ...]
    warnings: tuple[str, ...]
    created_at: datetime
    updated_at: datetime


class KeyBody(Asked):
    """A key to make."""

    name: ShortText
    scopes: Annotated[
        Many[Annotated[str, AfterValidator(_scope)]], Field(min_length=1, max_length=10)
    ]
    deployment_id: ShortText | None = None
    """Its calls are the only ones that the key is about."""
    daily_spend_cents: int | None = Field(default=None, ge=0, le=10**9)


class KeyAnswer(Answer):
    """A key without its secret."""

    id: str
    name: str
    scopes: tuple[str, ...]
    deployment_id: str | None
    daily_spend_cents: int | None
    created_at: datetime
    revoked_at: datetime | None


class NewKeyAnswer(KeyAnswer):
    """A key that was just made."""

    key: str
    """Shown only now."""


class NumberBody(Asked):
    """A number that is not to be called."""

    number: Number
    reason: Annotated[str, Field(max_length=MAX_REASON_CHARS)] = ""


class NumberAnswer(Answer):
    """A number that is not called."""

    number: str
    reason: str
    created_at: datetime


class ImportBody(Asked):
    """Numbers as CSV: a number, and a reason in the second column."""

    csv: Annotated[str, Field(min_length=1)]


class Rejected(Answer):
    """A line that holds no number."""

    line: int
    error: str


class ImportAnswer(Answer):
    """What became of the lines."""

    added: int
    present: int
    """These were on the list already."""
    rejected: tuple[Rejected, ...]


class AuditQuery(Paging):
    """The query of the audit."""

    call_id: Annotated[str, Field(max_length=40)] | None = None


class AuditAnswer(Answer):
    """One decision."""

    seq: int
    at: datetime
    kind: str
    call_id: str | None
    key_id: str | None
    data: dict[str, JsonValue]
    previous_hash: str
    hash: str


DeliveryStatus = Literal["pending", "delivered", "dead", "disabled"]


class DeliveryQuery(Paging):
    """The query of webhook deliveries."""

    status: DeliveryStatus | None = None
    call_id: Annotated[str, Field(max_length=40)] | None = None


class DeliveryAnswer(Answer):
    """One webhook, owed or delivered."""

    id: str
    """The `webhook-id` that receivers see."""
    call_id: str
    event: str
    url: str
    status: DeliveryStatus
    attempts: int
    last_error: str | None
    created_at: datetime
    updated_at: datetime


class PageOf(Answer, Generic[A]):
    """Part of a list."""

    data: tuple[A, ...]
    next_cursor: str | None
    """Give it as `cursor` for the next page; null at the end."""
