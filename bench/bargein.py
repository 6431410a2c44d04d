"""M3: how fast the agent falls silent when spoken to, and what it must not fall silent for."""

from __future__ import annotations

import asyncio
import socket
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from bench import plotting
from bench.child import free_port
from bench.client import BenchClient
from bench.engines import utterances
from bench.errors import NothingMeasured
from bench.measured import Effect, barge_in_ms, effect_of
from bench.node_process import NodePlan, running_node
from bench.noise import cough, noise, tones
from bench.probe import Played, Probe, ProbeCall
from bench.report import Measure, Report
from bench.requests import REQUESTS
from media.audio import TELEPHONE_HZ, Pcm

INTERRUPTIONS: Final = (
    "wait a moment what is this about",
    "stop i do not want to talk",
    "excuse me who is calling",
    "no that is wrong",
    "hold on please",
)
BACKCHANNELS: Final = ("mm hm", "uh huh", "okay", "yeah", "right")
MONOLOGUE: Final = " and then ".join(
    [
        "we will go through the whole list of things that came with your order this year",
        "we will look at the days on which the boxes were packed and sent to your house",
        "we will read the names of the people who carried them over the river and the hills",
        "we will count the letters that were written about them one after the other",
        "we will say how long each of them took on the road and where it had to wait",
        "we will speak about the weather on all of those days in the morning and at night",
        "we will repeat the part about the road because it is the longest part of them all",
        "we will come back to the list and begin with the very first of the things on it",
    ]
)
"""One sentence without a stop, so that every silence in it has a cause."""
_KEYS: Final = ((697.0, 1209.0), (770.0, 1336.0), (852.0, 1477.0), (941.0, 1336.0))
_LEGS: Final = 3
"""Calls at the same time."""


@dataclass(frozen=True, slots=True)
class Disturbance:
    """A sound that is no interruption."""

    kind: str
    pcm: Pcm


@dataclass(slots=True)
class Found:
    """What all calls gave."""

    barge_in: list[float] = field(default_factory=list)
    missed: int = 0
    """Interruptions the agent talked through."""
    effects: list[tuple[str, Effect]] = field(default_factory=list)

    def count(self, effect: Effect, kind: str | None = None) -> int:
        """How often a disturbance, of one kind or any, had this effect."""
        return sum(e == effect and kind in (None, k) for k, e in self.effects)


def disturbances(backchannels: Sequence[Pcm], rounds: int, seed: int) -> list[Disturbance]:
    """Coughs, listening sounds, keys in band and bursts of line noise, mixed from a seed."""
    rng = np.random.default_rng(seed)
    made: list[Disturbance] = []
    for n in range(rounds):
        made.append(Disturbance("cough", cough(seed * 1000 + n)))
        made.append(Disturbance("backchannel", backchannels[n % len(backchannels)]))
        made.append(Disturbance("key in band", tones(_KEYS[n % len(_KEYS)], 0.12)))
        burst = noise("white", int(0.8 * TELEPHONE_HZ), -38.0, seed * 1000 + n)
        made.append(Disturbance("line noise", burst))
    order = rng.permutation(len(made))
    return [made[n] for n in order]


async def run(quick: bool, seed: int, out: Path) -> Report:
    """Measure both on one node, several calls at a time."""
    spoken = await utterances((*INTERRUPTIONS, *BACKCHANNELS))
    words, sounds = spoken[: len(INTERRUPTIONS)], spoken[len(INTERRUPTIONS) :]
    noises = disturbances(sounds, 6 if quick else 30, seed)
    found = Found()
    with tempfile.TemporaryDirectory(prefix="offhook-bench-") as folder:
        port = free_port(socket.SOCK_DGRAM)
        probe = Probe(seed=seed)
        await probe.listen("127.0.0.1", port)
        plan = NodePlan(Path(folder), Path(folder) / "node.log", callee_port=port)
        try:
            async with running_node(plan) as node:
                for _ in range(4 if quick else 20):
                    await asyncio.gather(
                        *(
                            _interrupt(probe, node.client, words, found, seed + n)
                            for n in range(_LEGS)
                        )
                    )
                shares = [noises[n::_LEGS] for n in range(_LEGS)]
                await asyncio.gather(
                    *(_disturb(probe, node.client, share, found) for share in shares)
                )
        finally:
            await probe.close()
    if not found.barge_in and not found.effects:
        raise NothingMeasured("the agent never spoke long enough to be interrupted")
    report = _report(found, seed)
    _draw(found, report, out / "bargein.png")
    return report


async def _monologue(probe: Probe, client: BenchClient) -> ProbeCall:
    """A call in which the agent talks for a minute unless stopped."""
    request = {**REQUESTS["debt-collection"], "first_message": MONOLOGUE}
    await client.place(request)
    call = await probe.next_call()
    await call.hear_speech(call.answered_at, 5.0)
    return call


async def _interrupt(
    probe: Probe, client: BenchClient, words: Sequence[Pcm], found: Found, seed: int
) -> None:
    call = await _monologue(probe, client)
    rng = np.random.default_rng([seed, len(found.barge_in)])
    await asyncio.sleep(float(rng.uniform(1.6, 3.0)))
    played = await call.say(words[int(rng.integers(len(words)))])
    await asyncio.sleep(1.0)
    ms = barge_in_ms(played.onset_at, call.log)
    if ms is None:
        found.missed += 1
    else:
        found.barge_in.append(ms)
    probe.hang_up(call)


async def _disturb(
    probe: Probe, client: BenchClient, share: Sequence[Disturbance], found: Found
) -> None:
    call: ProbeCall | None = None
    began = 0.0
    for disturbance in share:
        if call is None or call.over.is_set() or time.monotonic() - began > 35.0:
            if call is not None:
                probe.hang_up(call)
            call = await _monologue(probe, client)
            began = time.monotonic()
            await asyncio.sleep(1.6)
        played = await call.say(disturbance.pcm)
        await asyncio.sleep(1.7)
        effect = _judge(played, call)
        found.effects.append((disturbance.kind, effect))
        if effect == "stop":
            probe.hang_up(call)
    if call is not None:
        probe.hang_up(call)


def _judge(played: Played, call: ProbeCall) -> Effect:
    return effect_of(played.onset_at, len(played.pcm) / TELEPHONE_HZ, call.log)


def _report(found: Found, seed: int) -> Report:
    kinds = sorted({kind for kind, _ in found.effects})
    counts: dict[str, float] = {
        "interruptions missed": found.missed,
        "disturbances": len(found.effects),
        "false stops": found.count("stop"),
        "false pauses, resumed": found.count("pause"),
    }
    for kind in kinds:
        counts[f"   {kind}: stops"] = found.count("stop", kind)
        counts[f"   {kind}: pauses"] = found.count("pause", kind)
    return Report(
        "barge-in",
        [Measure("M3 onset to silence", "ms", found.barge_in, "p95 ≤ 200")],
        counts=counts,
        notes=("a stop: our speech did not go on within 2 s; aim: at most 1 in 100",),
        seed=seed,
    )


def _draw(found: Found, report: Report, path: Path) -> None:
    made = plotting.figure(10, 4.2)
    left = made.add_axes((0.08, 0.15, 0.40, 0.70))
    if found.barge_in:
        left.hist(found.barge_in, bins=16, color=plotting.AGENT, alpha=0.85)
    left.axvline(200, color=plotting.ALARM, linewidth=1.2, linestyle=(0, (3, 3)))
    left.set_xlim(left=0)
    plotting.tidy(
        left, title="Their first sound to our silence", x="milliseconds", y="interruptions"
    )
    right = made.add_axes((0.64, 0.15, 0.33, 0.70))
    kinds = sorted({kind for kind, _ in found.effects})
    effects: tuple[tuple[Effect, str], ...] = (
        ("none", plotting.GRID),
        ("pause", plotting.LATENCY),
        ("stop", plotting.ALARM),
    )
    base = [0.0] * len(kinds)
    for effect, colour in effects:
        sizes = [float(found.count(effect, kind)) for kind in kinds]
        right.barh(kinds, sizes, left=base, color=colour, label=effect, height=0.55)
        base = [b + s for b, s in zip(base, sizes, strict=True)]
    right.legend(frameon=False, fontsize=9, loc="upper center", ncols=3, bbox_to_anchor=(0.5, -0.1))
    plotting.tidy(right, title="What must not stop us")
    plotting.save(made, path)
