"""A request with every default in place: what a call is really held by.

Layers, the later the stronger: the node's settings, the deployment's agent, the agent of the
request (stored or inline), the request's own fields. Merged when the call is dispatched, so
that a stored agent counts as it is then.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import Field, model_validator

from server.calls.agent import (
    AgentConfig,
    AgentName,
    HookRequest,
    LanguageModelRequest,
    ToolRequest,
    TranscriberRequest,
    VoicemailRequest,
    VoiceRequest,
    WebhookRequest,
)
from server.calls.fields import Many
from server.calls.request import CallRequest
from server.settings import Settings

_PARTS = ("voice", "transcriber", "language_model", "voicemail")
"""Merged field by field; everything else is replaced as a whole."""


class CallTerms(CallRequest):
    """A request of which nothing is left open."""

    agent_name: AgentName
    max_duration_s: int
    record: bool
    redact: bool = False
    voice: VoiceRequest = VoiceRequest()
    transcriber: TranscriberRequest = TranscriberRequest()
    language_model: LanguageModelRequest = LanguageModelRequest()
    voicemail: VoicemailRequest = VoicemailRequest()
    tools: Many[ToolRequest] = ()
    contacts: dict[str, str] = Field(default_factory=dict)
    webhooks: Many[WebhookRequest] = ()
    hooks: Many[HookRequest] = ()

    @model_validator(mode="after")
    def _one_purpose(self) -> "CallTerms":
        # The request was checked; an agent of its own, which may be all it has, is merged in.
        return self


def terms(
    asked: CallRequest,
    settings: Settings,
    agent: AgentConfig | None = None,
    deployment_agent: AgentConfig | None = None,
) -> CallTerms:
    """Merge a request with the agents it names and the node's settings.

    agent: the stored one that `asked.agent_id` names; an inline one is in `asked` itself.
    """
    trunk = settings.trunk
    merged: dict[str, Any] = {
        "from": trunk.caller_id if trunk else None,
        "agent_name": settings.agent.name,
        "max_duration_s": settings.call.max_duration_s,
        "record": settings.call.record,
    }
    for layer in (deployment_agent, agent, asked.agent, asked):
        if layer is not None:
            _lay_over(merged, layer.model_dump(exclude_unset=True, exclude={"agent"}))
    if not settings.call.record:
        merged["record"] = False
    return CallTerms.model_validate(merged)


def _lay_over(merged: dict[str, Any], layer: Mapping[str, Any]) -> None:
    for name, value in layer.items():
        if value is None:
            continue
        below = merged.get(name)
        if name in _PARTS and isinstance(below, dict):
            value = {**below, **value}
        merged[name] = value
