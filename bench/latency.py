"""M1, M2, M5 and M15: how long the other side waits, measured at the other side."""

from __future__ import annotations

import asyncio
import socket
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench import plotting
from bench.child import free_port
from bench.client import BenchClient
from bench.engines import utterances
from bench.errors import NothingMeasured
from bench.ideal import last_before, speech_known_until
from bench.measured import pair_replies
from bench.node_process import NodePlan, running_node
from bench.probe import Probe, ProbeCall
from bench.report import Measure, Report
from bench.requests import REQUESTS
from bench.stub_engines import STUB_ENDPOINT_MS
from media.audio import FRAME_MS, Pcm

TURNS = (
    "yes this is bobby",
    "what is this about",
    "can you say that again please",
    "who are you",
    "how much is it",
    "okay yes i can pay that today",
    "thank you goodbye",
)
_OPENS: Final = REQUESTS["debt-collection"]
_LISTENS: Final = {**_OPENS, "first_message": ""}
"""The same, but the callee speaks first, which saves the time of the opening."""
_LEAD_S = 0.35
"""Pause between the end of their speech and the beginning of ours."""


@dataclass(slots=True)
class Samples:
    """What several calls gave, milliseconds."""

    voice_to_voice: list[float] = field(default_factory=list)
    first_word: list[float] = field(default_factory=list)
    dial: list[float] = field(default_factory=list)
    beyond_detector: list[float] = field(default_factory=list)
    """From the packet that let the detector know of the last speech, to the reply."""
    endpoint: list[float] = field(default_factory=list)
    """The node's own figure for its decision that a turn was over, one median for each call."""


async def measure(seconds: float, seed: int, turns: int, *, stub: bool) -> Samples:
    """Hold calls of so many turns with one node for about so long.

    `stub`: with engines that take no time.
    """
    said = await utterances(TURNS)
    samples = Samples()
    with tempfile.TemporaryDirectory(prefix="offhook-bench-") as folder:
        port = free_port(socket.SOCK_DGRAM)
        probe = Probe(seed=seed)
        await probe.listen("127.0.0.1", port)
        module = "bench.stub_node" if stub else "server.cli"
        plan = NodePlan(Path(folder), Path(folder) / "node.log", callee_port=port, module=module)
        try:
            async with running_node(plan) as node:
                until = time.monotonic() + seconds
                while time.monotonic() < until:
                    number = len(samples.dial)
                    first = number * turns % len(said)
                    opens = turns > 1 or number == 0
                    words = said[first : first + turns]
                    await _one_call(probe, node.client, words, opens, until, samples)
        finally:
            await probe.close()
    if not samples.voice_to_voice:
        raise NothingMeasured("no utterance was answered; does `offhook demo` pass?")
    return samples


async def _one_call(
    probe: Probe,
    client: BenchClient,
    said: Sequence[Pcm],
    opens: bool,
    until: float,
    samples: Samples,
) -> None:
    """`opens`: the agent speaks first."""
    posted = time.monotonic()
    placed = await client.place(_OPENS if opens else _LISTENS)
    call = await probe.next_call()
    samples.dial.append((call.invited_at - posted) * 1000)
    if opens:
        opening = await call.hear_speech(call.answered_at, 3.0)
        if opening is not None:
            samples.first_word.append((opening - call.answered_at) * 1000)
    else:
        await asyncio.sleep(_LEAD_S)
    await _converse(call, said, until)
    await asyncio.sleep(0.1)
    probe.hang_up(call)
    ends = [played.last_voiced_at for played in call.played if played.sent_at]
    replies = pair_replies(ends, call.log)
    samples.voice_to_voice += [reply.ms for reply in replies]
    known = await speech_known_until([p for _, p in call.sent], [at for at, _ in call.sent])
    for reply in replies:
        moment = last_before(known, reply.answered_at)
        if moment is not None:
            samples.beyond_detector.append((reply.answered_at - moment) * 1000)
    latency = (await client.finished(placed["id"], 10.0)).get("latency") or {}
    if "endpoint_ms" in latency:
        samples.endpoint.append(float(latency["endpoint_ms"]["p50"]))


async def _converse(call: ProbeCall, said: Sequence[Pcm], until: float) -> None:
    """Take turns until the call ends: listen, speak, wait for the answer, and again."""
    for utterance in said:
        if not await call.hear_silence(_LEAD_S, 30.0) or time.monotonic() > until:
            return
        played = await call.say(utterance)
        if call.over.is_set() or await call.hear_speech(played.sent_at[-1], 5.0) is None:
            return


async def run(quick: bool, seed: int, out: Path) -> Report:
    """Measure with the real engines, then with stubs, and draw both."""
    seconds, turns = (24.0, 1) if quick else (240.0, len(TURNS))
    real = await measure(seconds, seed, turns, stub=False)
    stub = await measure(seconds / 2, seed, len(TURNS), stub=True)
    awaited = STUB_ENDPOINT_MS + FRAME_MS
    report = Report(
        "latency",
        [
            Measure("M1 voice-to-voice", "ms", real.voice_to_voice, "p50 ≤ 500, p95 ≤ 800"),
            Measure("   of which end of turn (node's own)", "ms", real.endpoint),
            Measure(
                "M2 orchestration",
                "ms",
                [ms - awaited for ms in stub.beyond_detector],
                "p95 ≤ 10",
            ),
            Measure(
                "   the same with the detector's delay",
                "ms",
                [ms - awaited for ms in stub.voice_to_voice],
            ),
            Measure("M5 first word", "ms", real.first_word + stub.first_word, "p95 ≤ 100"),
            Measure("M15 POST to INVITE", "ms", real.dial + stub.dial, "p95 ≤ 50"),
        ],
        notes=(
            "measured on the callee's packets; M1: real engines; M2: stub engines, real detector, "
            f"minus {STUB_ENDPOINT_MS:.0f} ms of awaited silence and one packet",
            "M2 counts from the packet that completed the last voiced window, found by replaying "
            "what was sent through the same detector; a negative figure is a packet clock that "
            "ticked before its 20 ms were over",
        ),
        seed=seed,
    )
    _draw(report, out / "latency.png")
    return report


def _draw(report: Report, path: Path) -> None:
    made = plotting.figure(10, 4.2)
    axes = made.add_axes((0.08, 0.15, 0.88, 0.72))
    colours = (plotting.AGENT, plotting.CALLEE, plotting.LATENCY)
    shown = [m for m in report.measures if m.name.startswith(("M1 ", "M2 ", "M5 "))]
    for measure_, colour in zip(shown, colours, strict=True):
        values = sorted(measure_.values)
        if not values:
            continue
        share = [(n + 1) / len(values) for n in range(len(values))]
        label = f"{measure_.name} (n = {len(values)})"
        axes.step(values, share, where="post", color=colour, linewidth=2.2, label=label)
    axes.axvline(500, color=plotting.MUTED, linewidth=1, linestyle=(0, (3, 3)))
    axes.set_ylim(0, 1.02)
    axes.set_xlim(left=min(0.0, axes.get_xlim()[0]))
    axes.legend(frameon=False, fontsize=9.5, loc="center", bbox_to_anchor=(0.42, 0.5))
    plotting.tidy(
        axes,
        title="Latency at the callee's end of the wire",
        x="milliseconds",
        y="share of turns",
    )
    plotting.save(made, path)
