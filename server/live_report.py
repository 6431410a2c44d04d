"""How a live call is told: its events as they come, its figures at the end."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict

from media.quality import Quality
from pipeline import events as talk
from pipeline.ports import Message
from server.latency import percentiles
from server.live_actions import Tell


class Telling:
    """Turns what happens in a conversation into the events of its call, and keeps the latency."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._latency: dict[str, list[float]] = defaultdict(list)

    @property
    def latency(self) -> dict[str, dict[str, float]]:
        """Stage to p50, p90, p95, p99, max and n."""
        return {stage: percentiles(values) for stage, values in self._latency.items()}

    def take(self, event: talk.Event) -> None:
        """Tell of one event, if it is one that is told."""
        match event:
            case talk.Partial(text=text):
                self._tell("transcript.partial", {"role": "user", "content": text})
            case talk.TurnEnded(message=message) | talk.Spoken(message=message):
                self._tell("transcript.final", _said(message))
            case talk.ReplyStarted(text=text, latency=latency):
                stages = {k: v for k, v in asdict(latency).items() if v is not None}
                self._count(stages)
                self._tell("reply", {"content": text, "latency": stages})
            case talk.Interrupted(barge_in_ms=barge_in_ms):
                self._count({"barge_in_ms": barge_in_ms})
                self._tell("interruption", {"barge_in_ms": barge_in_ms})
            case talk.DigitHeard(digit=digit):
                self._tell("dtmf.received", {"digit": digit})
            case _:
                pass

    def _count(self, stages: Mapping[str, float]) -> None:
        for stage, value in stages.items():
            self._latency[stage].append(value)


def quality_of(quality: Quality) -> dict[str, dict[str, float | None]]:
    """A leg's figures by direction; how we were received is unknown without the peer's reports."""
    sent: dict[str, float | None] = {
        "packets": quality.sent,
        "loss": None,
        "jitter_ms": None,
        "mos": None,
    }
    return {"inbound": _inbound(quality), "outbound": sent}


def _inbound(quality: Quality) -> dict[str, float | None]:
    """What we heard of the callee."""
    return {
        "packets": quality.received,
        "loss": round(quality.loss, 5),
        "jitter_ms": round(quality.jitter_ms, 2),
        "mos": round(quality.mos, 2) if quality.received else None,
        "concealed": round(quality.concealed_ms, 1),
        "late": quality.late,
        "duplicates": quality.duplicates,
        "strangers": quality.strangers,
        "echo_db": None,
        "clipped": None,
    }


def _said(message: Message) -> dict[str, object]:
    """A message as its event tells it; `intended` is about the agent's words alone."""
    told = asdict(message)
    if message.role == "user":
        del told["intended"]
    return told
