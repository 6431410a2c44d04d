"""What is known of a call that went down with its node: that which its events tell."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.analysis import answered_by
from pipeline.ports import Message
from server.calls.conversation import Conversation
from server.calls.events import CallEvent
from server.calls.model import Call


def salvaged(call: Call, events: Sequence[CallEvent], recording: Path | None) -> Conversation:
    """Put a conversation together again; it counts as over at its last event."""
    said = tuple(_message(event.data) for event in events if event.type == "transcript.final")
    return Conversation(
        ended_reason="node_lost",
        started_at=call.started_at or call.created_at,
        answered_at=call.answered_at,
        ended_at=max((event.at for event in events), default=call.updated_at),
        messages=said,
        answered_by=answered_by(said),
        recording=recording,
        tool_calls=tuple(event.data for event in events if event.type == "tool.called"),
    )


def _message(data: Mapping[str, Any]) -> Message:
    return Message(
        role=data["role"],
        content=data["content"],
        intended=data.get("intended", ""),
        interrupted=data.get("interrupted", False),
        start_s=data.get("start_s", 0.0),
        end_s=data.get("end_s", 0.0),
    )
