"""What a node tells of a call: events while it goes on, and what came of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from pipeline.ports import Message
from server.calls.model import AnsweredBy, EndedReason

Report = Callable[[str, Mapping[str, object]], None]
"""Takes the type and the data of one event of a live call; never blocks, never raises."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """One finished attempt to talk to somebody, whether or not they answered."""

    ended_reason: EndedReason
    started_at: datetime
    """When the INVITE went out."""
    ended_at: datetime
    answered_at: datetime | None = None
    sip_status: int | None = None
    """The final response that decided the call, where one came."""
    sip_reason: str | None = None
    messages: tuple[Message, ...] = ()
    answered_by: AnsweredBy = "unknown"
    latency: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Stage (`voice_to_voice_ms`, …) to p50, p90, p95, p99, max and n."""
    quality: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)
    """Direction (`inbound`, `outbound`) to loss, jitter_ms, mos, …"""
    recording: Path | None = None
    tool_calls: tuple[Mapping[str, object], ...] = ()
    spoken_characters: int | None = None
    """Of all speech that was made, heard or not; None where nobody counted."""
    warnings: tuple[str, ...] = ()
