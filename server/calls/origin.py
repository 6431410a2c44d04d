"""Who asks for a call, and through which face."""

from dataclasses import dataclass, field

from pydantic import Field

from server.calls.agent import AgentConfig
from server.calls.fields import Asked, LongText, Many, Number, ShortText
from server.calls.model import Dialect, Plan
from server.sections import Region


class DeploymentLimits(Asked):
    """How often a deployment may call."""

    per_target_hour: int = Field(default=5, ge=1)
    per_hour: int = Field(default=30, ge=1)
    per_day: int = Field(default=100, ge=1)


class Deployment(Asked):
    """Our number, its trunk, and how it may be used; keys are bound to it."""

    name: ShortText
    number: Number
    trunk: ShortText | None = None
    """A trunk of offhook.toml; the first where absent."""
    agent: AgentConfig | None = None
    """What every call of this deployment starts from."""
    playbook: ShortText | None = None
    """The name of a stored playbook; the node's own where absent."""
    allowed_regions: Many[Region] | None = None
    """Where it may call; the node's own where absent."""
    limits: DeploymentLimits = DeploymentLimits()
    provisioned: bool = True
    """False while it may not call yet (`voice-not-provisioned`)."""
    note: LongText | None = None


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose key a request came with."""

    key_id: str
    scopes: tuple[str, ...] = ("*",)
    deployment_id: str | None = None
    daily_spend_cents: int | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """How a request came in."""

    caller: Caller
    dialect: Dialect = "native"
    deployment_id: str | None = None
    deployment: Deployment | None = None
    idempotency_key: str | None = None
    body_hash: str | None = None
    """SHA-256 of the canonical body, in hex: what an idempotency key stands for."""
    wallet: str | None = None
    """OneShot: whose agent pays."""
    plan: Plan | None = None
    """What was agreed on with the quote; made anew where absent."""
    warnings: tuple[str, ...] = field(default=())
    """What the face found odd, told in its answer."""
