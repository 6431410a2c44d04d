"""M6: how many calls one core carries, by ramping up until the clock or the wire suffers."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench import plotting
from bench.child import Child
from bench.density_node import WARM_UP_S
from bench.engines import utterances
from bench.report import Measure, Report
from media.audio import FRAME_MS, TELEPHONE_HZ, Pcm, frame_samples, silence
from media.codecs import PCMU

QUICK_STEPS = (25, 50, 100, 200, 300, 400)
FULL_STEPS = (25, 50, 100, 200, 300, 400, 500, 600, 800)
TICK_P99_MS = 10.0
LOSS = 0.001
FULL_CORE = 0.95
_HOST = "127.0.0.1"
_LEGS_PER_SOCKET = 32
_SLICES = 10
"""Parts of a frame time over which the legs' packets are spread, as those of phones are."""
_HEADER = struct.Struct("!BBHII")
_FRAME = frame_samples(TELEPHONE_HZ)


@dataclass(frozen=True, slots=True)
class Step:
    """One number of legs and what it cost."""

    legs: int
    cpu_share: float
    """Of one core, all threads of the node's process."""
    tick_p99_ms: float
    tick_max_ms: float
    loss: float
    """The worse direction's share."""
    generator_late_ms: float

    @property
    def cpu_per_call(self) -> float:
        """Share of a core that one call takes."""
        return self.cpu_share / self.legs

    @property
    def held(self) -> bool:
        """Whether all limits were kept."""
        return self.tick_p99_ms <= TICK_P99_MS and self.loss <= LOSS and self.cpu_share <= FULL_CORE


class Generator(threading.Thread):
    """The other ends of all legs: sends their packets on time and counts what comes back."""

    def __init__(self, ports: Sequence[int], sockets: Sequence[socket.socket], speech: Pcm) -> None:
        super().__init__(daemon=True)
        self._ports = ports
        self._sockets = sockets
        octets = PCMU.encode(speech)
        self._frames = [octets[n : n + _FRAME] for n in range(0, len(octets) - _FRAME, _FRAME)]
        self._finish = threading.Event()
        self._seqs: dict[int, list[int]] = {}
        self.late_ms: list[float] = []

    def finish(self) -> None:
        """Send no more, and wait for the thread."""
        self._finish.set()
        self.join()

    def run(self) -> None:
        """Send each leg one packet every 20 ms until told to finish."""
        began = time.perf_counter()
        n = 0
        slice_s = FRAME_MS / 1000 / _SLICES
        while not self._finish.is_set():
            due = began + n * slice_s
            wait = due - time.perf_counter()
            if wait > 0:
                time.sleep(wait)
            self.late_ms.append(max(0.0, time.perf_counter() - due) * 1000)
            self._send(n // _SLICES, n % _SLICES)
            self._receive()
            n += 1

    def _send(self, tick: int, part: int) -> None:
        for leg in range(part, len(self._ports), _SLICES):
            payload = self._frames[(tick + leg * 37) % len(self._frames)]
            header = _HEADER.pack(0x80, 0, tick & 0xFFFF, tick * _FRAME & 0xFFFFFFFF, leg + 1)
            sender = self._sockets[leg % len(self._sockets)]
            sender.sendto(header + payload, (_HOST, self._ports[leg]))

    def _receive(self) -> None:
        for receiver in self._sockets:
            while True:
                try:
                    data = receiver.recv(2048)
                except BlockingIOError:
                    break
                ssrc = int.from_bytes(data[8:12], "big")
                self._seqs.setdefault(ssrc, []).append(int.from_bytes(data[2:4], "big"))

    def loss(self) -> float:
        """Share of the node's packets that did not arrive."""
        expected = lost = 0
        for seqs in self._seqs.values():
            unwrapped = np.unwrap(np.asarray(seqs, float), period=65536)
            span = int(unwrapped.max() - unwrapped.min()) + 1
            expected += span
            lost += span - len(set(unwrapped.tolist()))
        return lost / expected if expected else 1.0


async def measure(legs: int, seconds: float, speech: Pcm, folder: Path) -> Step:
    """Carry so many legs for so long. folder: for the recordings and the log."""
    count = -(-legs // _LEGS_PER_SOCKET)
    sockets = [_socket() for _ in range(count)]
    peers = ",".join(str(s.getsockname()[1]) for s in sockets)
    options = {"legs": legs, "peer": peers, "seconds": seconds, "folder": folder}
    arguments = [f"--{name}={value}" for name, value in options.items()]
    node = await Child.start(
        "the media plane", "bench.density_node", *arguments, log=folder / "node.log"
    )
    generator: Generator | None = None
    try:
        ports: list[int] = json.loads(await node.line(30.0))["ports"]
        generator = Generator(ports, sockets, speech)
        generator.start()
        found: dict[str, Any] = json.loads(await node.line(WARM_UP_S + 3 * seconds + 20.0))
    finally:
        if generator is not None:
            await asyncio.to_thread(generator.finish)
        await node.stop()
        for opened in sockets:
            opened.close()
    return Step(
        legs=legs,
        cpu_share=found["cpu_share"],
        tick_p99_ms=found["tick_p99_ms"],
        tick_max_ms=found["tick_max_ms"],
        loss=max(float(found["loss"]), generator.loss()),
        generator_late_ms=float(np.percentile(generator.late_ms, 99)),
    )


async def run(quick: bool, seed: int, out: Path) -> Report:
    """Ramp up until a limit is broken, or the steps are through."""
    speech = await _conversation(seed)
    steps: list[Step] = []
    with tempfile.TemporaryDirectory(prefix="offhook-bench-") as folder:
        seconds = 4.0 if quick else 30.0
        for legs in QUICK_STEPS if quick else FULL_STEPS:
            step = await measure(legs, seconds, speech, Path(folder))
            if not step.held:  # once more: the machine may have had something else to do
                step = await measure(legs, seconds, speech, Path(folder))
            steps.append(step)
            if not step.held:
                break
    held = [step for step in steps if step.held]
    best = held[-1] if held else None
    report = Report(
        "density",
        [
            Measure(
                "M6 CPU per call", "% of a core", [100 * s.cpu_per_call for s in held], "≤ 0.25"
            ),
            Measure("   tick lateness p99, per step", "ms", [s.tick_p99_ms for s in steps], "≤ 10"),
            Measure(
                "   the generator's own lateness p99", "ms", [s.generator_late_ms for s in steps]
            ),
        ],
        counts={
            "calls carried": best.legs if best else 0,
            "calls per core": round(1 / best.cpu_per_call) if best else 0,
            "loss, %": round(100 * max(step.loss for step in steps), 4),
            **{f"   {s.legs} calls, % of a core": round(100 * s.cpu_share, 1) for s in steps},
        },
        notes=(
            "media plane alone: G.711 both ways, jitter buffer, detector, recording; the packet "
            "generator runs beside it on the same machine",
            "the ramp ended at a limit"
            if len(held) < len(steps)
            else "the ramp ended with its last step; no limit was reached",
        ),
        seed=seed,
    )
    _draw(steps, out / "density.png")
    return report


async def _conversation(seed: int) -> Pcm:
    """Twelve seconds of somebody who speaks four tenths of the time."""
    said = await utterances(("yes this is bobby", "okay yes i can pay that today", "thank you"))
    rng = np.random.default_rng(seed)
    pieces: list[Pcm] = []
    while sum(len(piece) for piece in pieces) < 12 * TELEPHONE_HZ:
        pcm = said[int(rng.integers(len(said)))]
        pieces += [pcm, silence(int(1.5 * len(pcm)))]
    return np.concatenate(pieces)


def _socket() -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    opened.bind((_HOST, 0))
    opened.setblocking(False)
    return opened


def _draw(steps: Sequence[Step], path: Path) -> None:
    made = plotting.figure(10, 4.2)
    legs = [step.legs for step in steps]
    left = made.add_axes((0.08, 0.15, 0.38, 0.70))
    left.plot(
        legs, [100 * step.cpu_share for step in steps], "o-", color=plotting.AGENT, linewidth=2.2
    )
    left.axhline(100, color=plotting.ALARM, linewidth=1.2, linestyle=(0, (3, 3)))
    left.set_ylim(bottom=0)
    plotting.tidy(left, title="Node's share of one core", x="calls at once", y="%")
    right = made.add_axes((0.58, 0.15, 0.38, 0.70))
    right.plot(
        legs,
        [step.tick_p99_ms for step in steps],
        "o-",
        color=plotting.LATENCY,
        linewidth=2.2,
        label="p99",
    )
    right.plot(
        legs,
        [step.tick_max_ms for step in steps],
        "o:",
        color=plotting.MUTED,
        linewidth=1.4,
        label="max",
    )
    right.axhline(TICK_P99_MS, color=plotting.ALARM, linewidth=1.2, linestyle=(0, (3, 3)))
    right.set_ylim(bottom=0)
    right.legend(frameon=False, fontsize=9)
    plotting.tidy(right, title="Lateness of the 20 ms tick", x="calls at once", y="milliseconds")
    plotting.save(made, path)
