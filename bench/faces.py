"""The demo's stories through each of the five APIs: what is posted where, and read back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from uuid import uuid4

from bench.client import BenchClient
from bench.requests import REQUESTS

Dialect = Literal["native", "talktomyagent", "oneshot", "voiceos", "oneinbox"]
DIALECTS: Final[tuple[Dialect, ...]] = (
    "native",
    "talktomyagent",
    "oneshot",
    "voiceos",
    "oneinbox",
)
RECORDS: Final[dict[Dialect, str]] = {
    "native": "/v1/calls/{}",
    "talktomyagent": "/v1/calls/{}",
    "oneshot": "/v1/requests/{}",
    "voiceos": "/conversations/{}",
    "oneinbox": "/v1/calls/{}",
}
"""Where each face tells what came of a call."""


@dataclass(frozen=True, slots=True)
class Posted:
    """A request as one of the faces wants it."""

    path: str
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)


async def post(client: BenchClient, story: str, dialect: Dialect) -> tuple[str, str]:
    """Post a story, with what the face needs to be stored; returns the path and the call id."""
    request = REQUESTS[story]
    agent_id = ""
    if dialect == "talktomyagent":
        deployment = {"name": "demo", "number": request["from"]}
        await client.request("POST", "/v1/deployments", deployment)
    if dialect == "oneinbox":
        agent = await client.request("POST", "/v1/agents", {"name": "demo", **_agent(request)})
        agent_id = agent["id"]
    posted = posting(request, dialect, agent_id)
    answer = await client.request("POST", posted.path, posted.body, posted.headers)
    return posted.path, _id(answer)


def posting(request: Mapping[str, Any], dialect: Dialect, agent_id: str = "") -> Posted:
    """A native request in the words of a face. agent_id: the stored agent, for OneInbox."""
    match dialect:
        case "native":
            return Posted("/v1/calls", request)
        case "talktomyagent":
            headers = {"Idempotency-Key": str(uuid4())}
            return Posted("/v1/voice/calls", _talktomyagent(request), headers)
        case "oneshot":
            return Posted("/v1/tools/voice/call", _oneshot(request), {"X-Agent-ID": "0xDemo"})
        case "voiceos":
            return Posted("/conversations/create_phone_call", _voiceos(request))
        case "oneinbox":
            return Posted("/v1/calls", _oneinbox(request, agent_id))


def native(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record of `/v1/calls/{id}` in native words, also where it is OneInbox's."""
    if "end_reason" not in record:
        return dict(record)
    analysis = record["analysis"]
    return {
        **record,
        "to": record["to_number"],
        "from": record["from_number"],
        "ended_reason": record["end_reason"],
        "duration_s": record["duration_seconds"],
        "summary": record["ai_summary"],
        "outcome": {"success": analysis.get("success"), "criteria": analysis.get("criteria", [])},
    }


def _talktomyagent(request: Mapping[str, Any]) -> dict[str, Any]:
    told = {name: request["metadata"][name] for name in request["metadata"]}
    body = {"from": request["from"], "to": request["to"], "maxDurationSecs": 300, **told}
    if "task" in request:
        return {**body, "task": request["task"]}
    return {**body, "purpose": f"{request['objective']}. {request['context']}."}


def _oneshot(request: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "objective": request.get("objective") or request["task"]["goal"],
        "target_number": request["to"],
        "caller_persona": request.get("persona", "A polite and patient caller"),
        "context": request.get("context") or _facts(request),
    }


def _voiceos(request: Mapping[str, Any]) -> dict[str, Any]:
    numbers = {"from_number": request["from"], "to_number": request["to"]}
    return {**numbers, "agent_config": {"prompt": _prompt(request), "max_duration_seconds": 300}}


def _oneinbox(request: Mapping[str, Any], agent_id: str) -> dict[str, Any]:
    facts = request["task"]["facts"] if "task" in request else {}
    return {
        "agent_id": agent_id,
        "from_number": request["from"],
        "to_number": request["to"],
        "variables": facts,
        "metadata": request["metadata"],
    }


def _agent(request: Mapping[str, Any]) -> dict[str, Any]:
    return {"language_model": {"system_prompt": _prompt(request)}, "max_duration_s": 300}


def _prompt(request: Mapping[str, Any]) -> str:
    goal = request.get("objective") or request["task"]["goal"]
    return f"{goal}\n{request.get('context') or _facts(request)}"


def _facts(request: Mapping[str, Any]) -> str:
    facts = request["task"]["facts"]
    return "\n".join(f"{name.replace('_', ' ')}: {value}" for name, value in facts.items())


def _id(answer: Mapping[str, Any]) -> str:
    """The call's id, whatever the face calls it."""
    inner = answer.get("data", answer)
    return str(inner.get("callControlId") or inner.get("request_id") or inner["id"])
