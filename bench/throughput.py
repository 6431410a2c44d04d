"""How fast calls can be placed while others talk, and what placing them does to the talkers.

Windows without requests alternate with windows full of them, on one node and the same ten calls.
"""

from __future__ import annotations

import asyncio
import socket
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np

from bench.arrivals import gaps_ms, lateness_ms, lost, within
from bench.busy_line import BusyLine
from bench.child import free_port
from bench.engines import utterances
from bench.errors import NothingMeasured
from bench.latency import TURNS
from bench.node_process import NodePlan, RunningNode, running_node
from bench.placing import ASKED, Load, dialled_at_once, place_for, scheduled
from bench.process_time import ProcessTime
from bench.report import Report
from bench.throughput_report import LOADS, ROUND, Kind, Window, draw, report
from media.audio import TELEPHONE_HZ, frame_samples, silence
from media.codecs import PCMU

CALLS: Final = 10
CLIENTS: Final = 4
TALKERS: Final = tuple(f"+12025550{number}" for number in range(100, 100 + CALLS))
"""Who answers; none of those that the requests name."""
_HOST: Final = "127.0.0.1"
_WARM_UP: Final = 20
"""Requests of each kind that do not count."""
_SETTLE_S: Final = 1.0
_PATIENCE_S: Final = 30.0
_FRAME: Final = frame_samples(TELEPHONE_HZ)


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is measured."""

    rounds: int
    window_s: float
    most: int
    """Requests in one window; no number is named twice in it."""


QUICK: Final = Extent(rounds=2, window_s=3.0, most=400)
FULL: Final = Extent(rounds=6, window_s=10.0, most=1500)


class _Measurement:
    """One node, its ten calls, and windows on them."""

    def __init__(self, node: RunningNode, line: BusyLine, extent: Extent) -> None:
        self._node, self._line, self._extent = node, line, extent
        self._at_once = dialled_at_once()
        self._scheduled = scheduled(datetime.now(UTC))
        self._dialled = 0

    async def begin(self) -> None:
        """Get the ten calls up and everything warm."""
        for number in TALKERS:
            await self._node.client.place({**ASKED, "to": number})
        await self._line.answered(CALLS, _PATIENCE_S)
        for kind in LOADS:
            await self._load(kind, _WARM_UP)
        await self._settle()

    async def window(self, kind: Kind) -> Window:
        """Measure one. Raises NothingMeasured where one of the ten calls has ended."""
        line, pid = self._line, self._node.process.pid
        first, before = len(line.late_ms), ProcessTime.of(pid)
        began, at = time.monotonic(), time.time()
        load = await self._load(kind, self._extent.most)
        length_s, until = time.monotonic() - began, time.time()
        last, used = len(line.late_ms), ProcessTime.of(pid).since(before)
        await self._settle()
        settled_s, settled = time.monotonic() - began, ProcessTime.of(pid).since(before)
        if line.talking < CALLS:
            raise NothingMeasured(f"{CALLS - line.talking} of the {CALLS} calls broke off")
        legs = [within(phone.arrivals, at, until) for phone in line.phones.values()]
        return Window(
            kind=kind,
            length_s=length_s,
            load=load,
            used=used,
            settled_s=settled_s,
            settled=settled,
            lateness_ms=[ms for leg in legs for ms in lateness_ms(leg).tolist()],
            gaps_ms=[ms for leg in legs for ms in gaps_ms(leg).tolist()],
            lost=sum(lost(leg) for leg in legs),
            callee_late_ms=line.late_ms[first:last],
        )

    async def _load(self, kind: Kind, most: int) -> Load:
        seconds = self._extent.window_s
        if kind == "no requests":
            await asyncio.sleep(seconds)
            return Load()
        bodies = self._scheduled if kind == "scheduled" else self._at_once
        client = self._node.client
        load = await place_for(client, bodies, seconds, clients=CLIENTS, most=most)
        if kind == "dialled at once":
            self._dialled += len(load.accepted_ms)
        return load

    async def _settle(self) -> None:
        """Wait until what was taken on has been dialled, so that each window is its own."""
        try:
            await self._line.has_refused(self._dialled, _PATIENCE_S)
        except TimeoutError:
            missing = self._dialled - self._line.refused
            raise NothingMeasured(f"{missing} calls were taken on and not dialled") from None
        await asyncio.sleep(_SETTLE_S)


async def measure(extent: Extent, seed: int) -> list[Window]:
    """Run a node with ten calls, and return all windows, in order."""
    line = BusyLine(TALKERS, await _frames(seed), seed)
    with tempfile.TemporaryDirectory(prefix="offhook-bench-") as folder:
        port = free_port(socket.SOCK_DGRAM)
        await line.listen(_HOST, port)
        plan = NodePlan(
            Path(folder),
            Path(folder) / "node.log",
            callee_port=port,
            module="bench.stub_node",
            concurrent_calls=2 * CALLS,
        )
        try:
            async with running_node(plan) as node:
                measurement = _Measurement(node, line, extent)
                await measurement.begin()
                found = [
                    await measurement.window(kind) for _ in range(extent.rounds) for kind in ROUND
                ]
                await line.close()
                return found
        finally:
            await line.close()


async def run(quick: bool, seed: int, out: Path) -> Report:
    """Measure, and draw what was found."""
    windows = await measure(QUICK if quick else FULL, seed)
    draw(windows, out / "requests.png")
    return report(windows, CALLS, CLIENTS, seed)


async def _frames(seed: int) -> list[bytes]:
    """What the phones say: short sentences in an order of the seed's, each with time to answer."""
    said = await utterances(TURNS)
    order = np.random.default_rng(seed).permutation(len(said))
    parts = [part for n in order for part in (said[n], silence(int(1.5 * len(said[n]))))]
    octets = PCMU.encode(np.concatenate(parts))
    return [octets[at : at + _FRAME] for at in range(0, len(octets) - _FRAME, _FRAME)]
