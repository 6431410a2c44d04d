"""The agent configuration of VoiceOS, with the defaults of its document, there and back."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, Field, JsonValue

from server.api.errors import FieldError, ValidationFailed
from server.api.wire import Wire
from server.calls.agent import (
    MAX_KEYWORDS,
    MAX_TOOLS,
    MAX_WEBHOOKS,
    AgentConfig,
    EventName,
    FilterText,
    FirstMessage,
    Headers,
    LanguageModelRequest,
    Prompt,
    TranscriberRequest,
    VoiceRequest,
)
from server.calls.fields import Many, Number, ShortText, WebUrl
from server.sections import ProviderSettings

Port = Literal["voice", "transcriber", "language_model"]
OURS = "offhook"
"""The provider of what was not asked for in this document's words."""
DEFAULT = "default"
EXPRESSION = ("temperature", "text_guidance", "style_guidance")
"""Settings of hosted voices; the local ones have nothing that they could set."""


class Voice(Wire):
    """How the agent sounds."""

    provider: ShortText = "playht"
    credential_id: ShortText | None = None
    model: ShortText = "susan"
    speed: float = Field(default=1, ge=0.5, le=2)
    temperature: float = 1
    text_guidance: float = 1.5
    style_guidance: float = 15.5


class Function(Wire):
    """A function in OpenAI's form."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,63}$")]
    description: Annotated[str, Field(max_length=1000)] = ""
    parameters: dict[str, JsonValue] = Field(default_factory=dict)


class Tool(Wire):
    """A function that the model may call."""

    type: Literal["function"] = "function"
    function: Function


class LanguageModel(Wire):
    """How the agent thinks."""

    provider: ShortText = "openai"
    credential_id: ShortText | None = None
    model: ShortText = "gpt-3.5-turbo"
    tools: Many[Tool] = Field(default=(), max_length=MAX_TOOLS)
    temperature: float = Field(default=0, ge=0, le=2)
    max_tokens: int = Field(default=300, ge=1, le=4096)


class Transcriber(Wire):
    """How the callee is heard."""

    provider: ShortText = "deepgram"
    credential_id: ShortText | None = None
    model: ShortText = "nova-2"
    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")] = "en"
    keywords: Many[ShortText] = Field(default=(), max_length=MAX_KEYWORDS)


class Webhook(Wire):
    """Where events are sent."""

    events: Many[EventName] = Field(min_length=1, max_length=50)
    filter: FilterText | None = None
    url: WebUrl
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "POST"
    headers: Headers = Field(default_factory=dict)


class Instruction(Wire):
    """What a hook does; beyond `hang_up` the fields are those of the native API."""

    instruction: Literal["hang_up", "say", "transfer", "press", "mute", "unmute"]
    text: Annotated[str, Field(max_length=1000)] | None = None
    to: Number | None = None
    digits: Annotated[str, Field(pattern=r"^[0-9A-D*#]{1,32}$")] | None = None


class Hook(Wire):
    """Instructions that run inside the call."""

    events: Many[EventName] = Field(min_length=1, max_length=50)
    filter: FilterText | None = None
    instructions: Many[Instruction] = Field(min_length=1, max_length=10)


class Agent(Wire):
    """The whole configuration."""

    initial_message: FirstMessage | None = None
    prompt: Prompt | None = None
    voice: Voice = Voice()
    language_model: LanguageModel = LanguageModel()
    transcriber: Transcriber = Transcriber()
    max_duration_seconds: int = Field(default=600, ge=60, le=1800)
    webhooks: Many[Webhook] = Field(default=(), max_length=MAX_WEBHOOKS)
    hooks: Many[Hook] = Field(default=(), max_length=20)
    metadata: dict[str, JsonValue] = Field(default_factory=dict)


def native_config(agent: Agent, providers: ProviderSettings, *, whole: bool) -> dict[str, object]:
    """The configuration in native names.

    whole: with the document's defaults; else only what was given, to lie over a stored agent.
    Raises `ValidationFailed` for a provider that nothing here stands for.
    """
    given = agent.model_dump(exclude_unset=not whole)
    model, voice = given.get("language_model"), given.get("voice")
    hearing, config = given.get("transcriber"), dict[str, object]()
    if voice is not None:
        config["voice"] = _part(voice, ("speed",), (*ENGINE, *EXPRESSION))
        chosen = _engine("voice", agent.voice, providers.voice)
        if chosen != DEFAULT:
            config["voice"]["voice_id"] = chosen  # type: ignore[index]
    if hearing is not None:
        _engine("transcriber", agent.transcriber, providers.transcriber)
        config["transcriber"] = _part(hearing, ("language", "keywords"), ENGINE)
    if model is not None:
        _engine("language_model", agent.language_model, providers.language_model)
        config["language_model"] = _part(model, ("temperature", "max_tokens"), ENGINE)
        if "tools" in model:
            config["tools"] = [_tool(tool) for tool in agent.language_model.tools]
    if agent.prompt is not None:
        thinking = config.setdefault("language_model", {})
        thinking["system_prompt"] = agent.prompt  # type: ignore[index]
    names = {"initial_message": "first_message", "max_duration_seconds": "max_duration_s"}
    config |= {ours: given[theirs] for theirs, ours in names.items() if theirs in given}
    if "webhooks" in given:
        config["webhooks"] = [_known(webhook) for webhook in agent.webhooks]
    if "hooks" in given:
        config["hooks"] = [_hook(hook) for hook in agent.hooks]
    return config


ENGINE = ("provider", "model", "credential_id")


def without_effect(agent: Agent) -> Iterator[str]:
    """A warning for everything given that no local engine can do anything with."""
    plain = Voice()
    for name in EXPRESSION:
        if getattr(agent.voice, name) != getattr(plain, name):
            yield f"no-effect:agent_config.voice.{name}"
    for port in ("voice", "language_model", "transcriber"):
        if getattr(agent, port).credential_id is not None:
            yield f"no-effect:agent_config.{port}.credential_id"


def wire_config(config: AgentConfig, metadata: Mapping[str, JsonValue]) -> Agent:
    """A native configuration in this document's words; its defaults where nothing was set."""
    voice = config.voice or VoiceRequest()
    hearing = config.transcriber or TranscriberRequest()
    model = config.language_model or LanguageModelRequest()
    parts: dict[str, object] = {
        "initial_message": config.first_message,
        "prompt": model.system_prompt,
        "voice": {
            **_engine_names(voice.hosted, voice.voice_id or DEFAULT),
            **_numbers(voice.hosted),
            "speed": voice.speed,
        },
        "language_model": {
            **_engine_names(model.hosted, DEFAULT),
            **_set(temperature=model.temperature, max_tokens=model.max_tokens),
            "tools": [one.model_dump(include={"type", "function"}) for one in config.tools or ()],
        },
        "transcriber": {
            **_engine_names(hearing.hosted, DEFAULT),
            "language": hearing.language,
            "keywords": hearing.keywords,
        },
        **_set(max_duration_seconds=config.max_duration_s),
        "webhooks": [
            one.model_dump(include=set(Webhook.model_fields)) for one in config.webhooks or ()
        ],
        "hooks": [one.model_dump() for one in config.hooks or ()],
        "metadata": dict(metadata),
    }
    return Agent.model_validate(parts)


def _part(
    given: Mapping[str, object], ours: tuple[str, ...], hosted: tuple[str, ...]
) -> dict[str, object]:
    part = {name: given[name] for name in ours if name in given}
    named = {name: given[name] for name in hosted if given.get(name) is not None}
    return {**part, "hosted": named} if named else part


def _engine(
    port: Port, asked: Voice | LanguageModel | Transcriber, known: Mapping[str, str]
) -> str:
    for name in (f"{asked.provider}/{asked.model}", asked.provider):
        if name in known:
            return known[name]
    message = f"no engine of this node stands for it; the operator can name one in providers.{port}"
    raise ValidationFailed(FieldError(f"agent_config.{port}.provider", message))


def _known(part: BaseModel) -> dict[str, object]:
    """Without the fields that the document does not have."""
    return part.model_dump(include=set(type(part).model_fields), exclude_none=True)


def _tool(tool: Tool) -> dict[str, object]:
    return {"type": tool.type, "function": _known(tool.function)}


def _hook(hook: Hook) -> dict[str, object]:
    return {**_known(hook), "instructions": [_known(one) for one in hook.instructions]}


def _engine_names(hosted: Mapping[str, object], default: str) -> dict[str, str]:
    texts = {name: value for name, value in hosted.items() if isinstance(value, str)}
    names = {"provider": texts.get("provider", OURS), "model": texts.get("model", default)}
    return names | {name: texts[name] for name in ("credential_id",) if name in texts}


def _numbers(hosted: Mapping[str, object]) -> dict[str, float]:
    return {
        name: value for name in EXPRESSION if isinstance(value := hosted.get(name), int | float)
    }


def _set(**values: object) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not None}
