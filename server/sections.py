"""Sections of offhook.toml about what is allowed, what it costs, and where it reports."""

from datetime import time
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from server.outward.rules import OutwardRules


class Section(BaseModel):
    """A table of offhook.toml."""

    model_config = ConfigDict(frozen=True, extra="forbid")


E164 = Annotated[str, Field(pattern=r"^\+[1-9]\d{1,14}$")]
Region = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
"""ISO 3166-1 alpha-2, such as CA."""
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


def _web_url(value: str) -> str:
    if not value.startswith(("http://", "https://")):
        raise ValueError("not an http or https URL")
    return value


def _outward(entries: tuple[str, ...]) -> tuple[str, ...]:
    OutwardRules.parse(entries)
    return entries


WebUrl = Annotated[str, AfterValidator(_web_url)]


class HoursSettings(Section):
    """When people may be called, in their own local time."""

    start: time = time(8)
    end: time = time(21)
    days: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    outside: Literal["refuse", "postpone", "allow"] = "refuse"
    """What happens to a call that would fall outside."""


class PolicySettings(Section):
    """Who may be called."""

    home_region: Region = "US"
    """Whose emergency and short numbers are refused besides the callee's."""
    allowed_regions: tuple[Region, ...] | Literal["all"] = ("US",)
    """Where may be called; a deployment may name its own."""
    hours: HoursSettings = HoursSettings()
    disclose: bool = True
    """Whether the opening says that an automated assistant is calling."""
    undisclosed_regions: tuple[Region, ...] = ()
    """Regions whose callees are not told; the question is answered truthfully everywhere."""


class ProviderSettings(Section):
    """What names of hosted services stand for here, where a dialect's client gives them.

    A name is `provider`, or `provider/model`, which counts before it; of OneInbox, which names
    no provider, `model`. `default` is the engine that `[engines]` chose.
    """

    voice: dict[str, str] = {"playht": "default", "azure": "default", "offhook": "default"}
    """To `default`, or a voice of the engine, such as `en-gb+m2`."""
    transcriber: dict[str, Literal["default"]] = {"deepgram": "default", "offhook": "default"}
    language_model: dict[str, Literal["default"]] = {"openai": "default", "offhook": "default"}


class WebhookSettings(Section):
    """Where webhooks, tools and gateways may reach, and how they are signed."""

    secret: SecretStr | None = None
    """`whsec_…`; made at first start where absent."""
    allow: Annotated[tuple[str, ...], AfterValidator(_outward)] = ()
    """Addresses, networks and names inside that may be called all the same."""
    allow_http: bool = False
    """Whether URLs may be http:// as well."""
    timeout_s: float = Field(default=10.0, gt=0, le=60)


class SmsSettings(Section):
    """How text messages go out."""

    url: WebUrl
    """An HTTP gateway: it is sent {"from", "to", "text"} as JSON."""
    token: SecretStr | None = None
    """Sent as a bearer token."""


class SmtpSettings(Section):
    """How e-mails go out."""

    host: str = Field(min_length=1)
    port: int = Field(default=587, ge=1, le=65535)
    username: str | None = None
    password: SecretStr | None = None
    sender: str = Field(pattern=r"^[^@\s]+@[^@\s]+$")
    start_tls: bool = True


class ToolSettings(Section):
    """What the agent's tools work through."""

    url: WebUrl | None = None
    """Where functions without a URL of their own are called."""
    sms: SmsSettings | None = None
    smtp: SmtpSettings | None = None
    escalation: E164 | str | None = None
    """Number or e-mail address that a human answers."""


class CostSettings(Section):
    """What a call costs, in US dollars; nothing unless set."""

    per_call: float = Field(default=0.0, ge=0)
    telephony_per_minute: float = Field(default=0.0, ge=0)
    voice_per_1k_characters: float = Field(default=0.0, ge=0)
    transcriber_per_minute: float = Field(default=0.0, ge=0)
    language_model_per_1k_tokens: float = Field(default=0.0, ge=0)
    agent_per_minute: float = Field(default=0.0, ge=0)
    margin: float = Field(default=0.0, ge=0, le=10)
    """Added to a quote, as a share of the cost."""
    credits_per_dollar: float = Field(default=100.0, gt=0)


class PaymentSettings(Section):
    """Payment before a call, by x402 (extra `payments`)."""

    pay_to: Annotated[str, Field(pattern=r"^0x[0-9a-fA-F]{40}$")]
    network: str = "eip155:8453"
    asset: Annotated[str, Field(pattern=r"^0x[0-9a-fA-F]{40}$")] = (
        "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"
    )
    """USDC on Base."""
    facilitator_url: WebUrl
    quote_minutes: int = Field(default=10, ge=1, le=60)
    deployment: str | None = Field(default=None, min_length=1, max_length=200)
    """Id or name of the deployment that calls come from which are paid for without a key."""


class RetentionSettings(Section):
    """How long what was said is kept."""

    days: int | None = Field(default=None, ge=1)
    """Recording, transcript and facts are erased after so many days; kept where absent."""
    redact: bool = False
    """Whether card numbers and e-mail addresses are taken out of records."""
