"""Clients that place one call after the other with a node, and how long each answer takes."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from bench.errors import NothingMeasured
from server.client import NodeClient
from server.errors import NodeRefused

_AREAS: Final = (206, 212, 213, 214, 303, 305, 312, 313, 404, 408, 415, 503, 512, 602, 615, 617)
NUMBERS: Final = tuple(f"+1{area}5550{number}" for area in _AREAS for number in range(100, 200))
"""Whom the requests name: set aside for fiction, and assigned as far as the rules can tell."""
ASKED: Final[Mapping[str, Any]] = {
    "objective": "Ask whether the order has arrived and when it can be picked up.",
    "max_duration_s": 1800,
}
_PATIENCE_S: Final = 30.0


@dataclass(slots=True)
class Load:
    """What became of the requests of one stretch of time."""

    sent: int = 0
    accepted_ms: list[float] = field(default_factory=list)
    """From the request to its answer, read, of those that were accepted."""
    refused: Counter[str] = field(default_factory=Counter)
    """The others, by the code of the answer."""


async def place_for(
    client: NodeClient,
    bodies: Iterator[Mapping[str, Any]],
    seconds: float,
    *,
    clients: int,
    most: int,
) -> Load:
    """Keep so many requests under way for so long, and wait for the last answers.

    most: requests in all. Raises NothingMeasured where none was accepted, and TimeoutError where
    answers do not come.
    """
    load = Load()
    until = time.monotonic() + seconds

    async def one_after_the_other() -> None:
        while time.monotonic() < until and load.sent < most:
            load.sent += 1
            began = time.perf_counter()
            try:
                await client.place(next(bodies))
            except NodeRefused as refusal:
                load.refused[str(refusal).partition(":")[0]] += 1
            else:
                load.accepted_ms.append((time.perf_counter() - began) * 1000)

    async with asyncio.timeout(seconds + _PATIENCE_S):
        await asyncio.gather(*(one_after_the_other() for _ in range(clients)))
    if not load.accepted_ms:
        raise NothingMeasured(f"every request was refused: {dict(load.refused)}")
    return load


def dialled_at_once() -> Iterator[dict[str, Any]]:
    """Requests without end, each for the next number."""
    for number in itertools.cycle(NUMBERS):
        yield {**ASKED, "to": number}


def scheduled(now: datetime) -> Iterator[dict[str, Any]]:
    """The same for 18:00 UTC on the next day, when nobody in the United States sleeps."""
    tomorrow = now.astimezone(UTC) + timedelta(days=1)
    when = tomorrow.replace(hour=18, minute=0, second=0, microsecond=0).isoformat()
    for body in dialled_at_once():
        yield {**body, "scheduled_at": when}
