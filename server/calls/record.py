"""How a record changes: queued, then ringing, then ended with everything that is known."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import cast

from pydantic import JsonValue
from pydantic_core import to_jsonable_python

from pipeline.analysis import Analysis
from pipeline.ports import Message
from server.calls.conversation import Conversation
from server.calls.model import Call, CallMessage, Criterion, EndedReason, Outcome, Status
from server.calls.origin import Origin
from server.calls.terms import CallTerms

SPEAKERS = {"assistant": "Agent", "user": "Callee"}


def queued(
    call_id: str,
    request: CallTerms,
    warnings: Sequence[str],
    now: datetime,
    *,
    due: datetime | None = None,
    origin: Origin | None = None,
) -> Call:
    """The record of a call that has been taken on. due: where it is not to be dialled now."""
    call = Call(
        id=call_id,
        status="scheduled" if due is not None else "queued",
        dialect=origin.dialect if origin else "native",
        deployment_id=origin.deployment_id if origin else None,
        key_id=(origin.caller.key_id or None) if origin else None,
        to=request.parties[0],
        parties=request.parties if len(request.parties) > 1 else (),
        agent_name=request.agent_name,
        objective=request.objective,
        task=request.task,
        created_at=now,
        updated_at=now,
        warnings=tuple(warnings),
        agent_id=request.agent_id,
        variables=request.variables,
        scheduled_at=due or request.scheduled_at,
        metadata=request.metadata,
    )
    return call.model_copy(update={"from_": request.from_})


def dialled(call: Call, now: datetime) -> Call:
    """The record of a call whose INVITE is on its way."""
    return call.model_copy(update={"started_at": now, "updated_at": now})


def postponed(call: Call, due: datetime, attempt: int, now: datetime) -> Call:
    """The record of a call that will be dialled later, perhaps again."""
    return call.model_copy(
        update={
            "status": "scheduled",
            "scheduled_at": due,
            "attempt": attempt,
            "started_at": None,
            "answered_at": None,
            "updated_at": now,
        }
    )


def progressed(call: Call, status: Status, now: datetime) -> Call:
    """The record of a call that is going on."""
    changes: dict[str, object] = {"status": status, "updated_at": now}
    if status == "in-progress" and call.answered_at is None:
        changes["answered_at"] = now
    return call.model_copy(update=changes)


def concluded(call: Call, conversation: Conversation, analysis: Analysis, now: datetime) -> Call:
    """The final record. A moment that was shown while the call went on stays as it was."""
    spoken = (message for message in conversation.messages if message.role in SPEAKERS)
    messages = tuple(_message(message) for message in spoken)
    criteria = tuple(Criterion(**asdict(criterion)) for criterion in analysis.criteria)
    return call.model_copy(
        update={
            "status": "ended",
            "ended_reason": conversation.ended_reason,
            "sip_status": conversation.sip_status,
            "sip_reason": conversation.sip_reason,
            "started_at": call.started_at or conversation.started_at,
            "answered_at": call.answered_at or conversation.answered_at,
            "ended_at": conversation.ended_at,
            "updated_at": now,
            "duration_s": _duration_s(conversation),
            "answered_by": conversation.answered_by if conversation.answered_at else None,
            "messages": messages,
            "transcript": "\n".join(f"{SPEAKERS[m.role]}: {m.content}" for m in messages) or None,
            "summary": analysis.summary or None,
            "outcome": Outcome(success=analysis.success, criteria=criteria),
            "analysis": {"disposition": analysis.disposition},
            "latency": conversation.latency,
            "quality": conversation.quality,
            "tool_calls": tuple(_json(tool_call) for tool_call in conversation.tool_calls),
            "recording_url": f"/v1/calls/{call.id}/recording" if conversation.recording else None,
            "warnings": (*call.warnings, *conversation.warnings),
        }
    )


def abandoned(call: Call, reason: EndedReason, now: datetime) -> Call:
    """The final record of a call of which nothing more is known."""
    changes: dict[str, object] = {"status": "ended", "ended_reason": reason, "ended_at": now}
    return call.model_copy(update={**changes, "updated_at": now})


def _message(message: Message) -> CallMessage:
    return CallMessage(
        role="assistant" if message.role == "assistant" else "user",
        content=message.content,
        start_s=round(message.start_s, 3),
        end_s=round(message.end_s, 3),
        interrupted=message.interrupted,
        heard=message.content if message.role == "assistant" else None,
    )


def _duration_s(conversation: Conversation) -> float:
    if conversation.answered_at is None:
        return 0.0
    return round((conversation.ended_at - conversation.answered_at).total_seconds(), 3)


def _json(value: Mapping[str, object]) -> dict[str, JsonValue]:
    """Plain JSON values, whatever a tool put in; inf and nan become null."""
    plain = to_jsonable_python(dict(value), serialize_unknown=True, inf_nan_mode="null")
    return cast(dict[str, JsonValue], plain)
