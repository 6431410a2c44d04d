"""How an agent behaves: voice, language model, tools, webhooks, hooks.

The same parts stand in a stored agent, inline in a request, and in a request's own fields.
"""

from typing import Annotated, Literal

from pydantic import Field, JsonValue

from server.calls.fields import Asked, LongText, Many, Number, ShortText, WebUrl

MAX_TOOLS = 20
MAX_WEBHOOKS = 10
MAX_KEYWORDS = 100
Prompt = Annotated[str, Field(min_length=1, max_length=16_000)]
FirstMessage = Annotated[str, Field(max_length=1000)]
AgentName = Annotated[ShortText, Field(max_length=80)]
EventName = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[a-z_.:*\-]+$")]
FilterText = Annotated[str, Field(max_length=500)]
HeaderName = Annotated[str, Field(max_length=64, pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")]
HeaderValue = Annotated[str, Field(max_length=1000, pattern=r"^[\x20-\x7e]*$")]
Headers = Annotated[dict[HeaderName, HeaderValue], Field(max_length=20)]
Hosted = Annotated[dict[ShortText, ShortText | int | float | None], Field(max_length=8)]
"""What a client calls the engine that it is used to: `provider`, `model` and settings of it.

Given back as it came. The faces map it to an engine of this node by `[providers]`.
"""


class VoiceRequest(Asked):
    """How the agent sounds."""

    voice_id: ShortText | None = None
    """A voice of the node's engine, such as `en-gb+m2`; the node's own where absent."""
    speed: float = Field(default=1.0, ge=0.5, le=2.0)
    hosted: Hosted = Field(default_factory=dict)


class TranscriberRequest(Asked):
    """How the callee is heard."""

    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")] = "en"
    keywords: Many[ShortText] = Field(default=(), max_length=MAX_KEYWORDS)
    hosted: Hosted = Field(default_factory=dict)


class LanguageModelRequest(Asked):
    """How the agent thinks."""

    system_prompt: Prompt | None = None
    temperature: float | None = Field(default=None, ge=0, le=2)
    max_tokens: int | None = Field(default=None, ge=1, le=4096)
    hosted: Hosted = Field(default_factory=dict)


class FunctionRequest(Asked):
    """A function in OpenAI's form."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,63}$")]
    description: Annotated[str, Field(max_length=1000)] = ""
    parameters: dict[str, JsonValue] = Field(default_factory=dict)
    """A JSON schema of type object; empty where it takes none."""


class ToolRequest(Asked):
    """A function that the agent may use during the call.

    It is called at `url`; without one, at the node's own (`tools.url`), and without that its
    use is an event and nothing more.
    """

    type: Literal["function"] = "function"
    function: FunctionRequest
    url: WebUrl | None = None
    headers: Headers = Field(default_factory=dict)
    timeout_s: float = Field(default=10.0, gt=0, le=60)


class WebhookRequest(Asked):
    """Where events of the call are sent."""

    url: WebUrl
    events: Many[EventName] = Field(default=("call.*",), max_length=50)
    filter: FilterText | None = None
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "POST"
    headers: Headers = Field(default_factory=dict)
    secret: Annotated[str, Field(min_length=8, max_length=200)] | None = None
    """`whsec_…` of Standard Webhooks; the node's own where absent."""


class InstructionRequest(Asked):
    """What a hook does to the call."""

    instruction: Literal["hang_up", "say", "transfer", "press", "mute", "unmute"]
    text: Annotated[str, Field(max_length=1000)] | None = None
    to: Number | None = None
    digits: Annotated[str, Field(pattern=r"^[0-9A-D*#]{1,32}$")] | None = None


class HookRequest(Asked):
    """Instructions that run inside the call when an event comes."""

    events: Many[EventName] = Field(min_length=1, max_length=50)
    filter: FilterText | None = None
    instructions: Many[InstructionRequest] = Field(min_length=1, max_length=10)


class VoicemailRequest(Asked):
    """What to do when a machine answers."""

    action: Literal["hang_up", "leave_message", "continue"] = "leave_message"
    message: Annotated[str, Field(min_length=1, max_length=1000)] | None = None


class AgentConfig(Asked):
    """Everything that may be set once for many calls; absent is the node's default."""

    agent_name: AgentName | None = None
    persona: LongText | None = None
    context: LongText | None = None
    first_message: FirstMessage | None = None
    """The opening line; empty to let the callee begin."""
    voice: VoiceRequest | None = None
    transcriber: TranscriberRequest | None = None
    language_model: LanguageModelRequest | None = None
    tools: Many[ToolRequest] | None = Field(default=None, max_length=MAX_TOOLS)
    contacts: dict[ShortText, ShortText] | None = Field(default=None, max_length=50)
    """Name to number or e-mail address: the only ones that tools may reach."""
    webhooks: Many[WebhookRequest] | None = Field(default=None, max_length=MAX_WEBHOOKS)
    hooks: Many[HookRequest] | None = Field(default=None, max_length=20)
    voicemail: VoicemailRequest | None = None
    max_duration_s: int | None = Field(default=None, ge=60, le=1800)
    record: bool | None = None
    redact: bool | None = None
    """Whether card numbers and e-mail addresses are taken out of the record."""
    playbook: ShortText | None = None
    """A stored playbook; the deployment's or the node's where absent."""
