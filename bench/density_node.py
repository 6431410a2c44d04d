"""The media plane of a node alone, with as many legs as told: what one core can carry.

Run as `python -m bench.density_node --legs N --peer PORT,… --folder F`. Prints the legs'
ports as one line of JSON, then, after warming up and measuring, what it found as another.
"""

from __future__ import annotations

import asyncio
import gc
import json
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
import uvloop

from bench.noise import noise
from media.audio import TELEPHONE_HZ, Pcm
from media.clock import Clock, Lateness
from media.codecs import PCMU
from media.pacer import Pacer
from media.recorder import StereoRecorder
from media.sdp import Negotiated
from media.stream import MediaStream
from media.udp import PortPool, RtpSocket
from models.silero import SileroDetector

_HOST = "127.0.0.1"
WARM_UP_S = 1.5


class _Ear:
    """Hears one leg: its audio goes to the detector, as a session's does."""

    def __init__(self, detector: SileroDetector) -> None:
        self.windows = 0
        self._stream = detector.open(self._window)

    def feed(self, pcm: Pcm, now: float) -> None:
        self._stream.feed(pcm, now)

    def digit(self, digit: str, now: float) -> None:
        pass

    def _window(self, probability: float, now: float) -> None:
        self.windows += 1


class _Plane:
    """All legs of one measurement."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._clock = Clock(asyncio.get_running_loop())
        self._detector = SileroDetector()
        self._sockets: list[RtpSocket] = []
        self._streams: list[MediaStream] = []
        self._recorders: list[StereoRecorder] = []
        self._said = noise("pink", 3 * TELEPHONE_HZ, -24.0, 1)

    async def open(self, legs: int, peers: list[int]) -> list[int]:
        """Bind and start the legs; returns their ports."""
        pool = PortPool(_HOST, 20000, 29998)
        now = asyncio.get_running_loop().time()
        for number in range(legs):
            socket = await pool.bind()
            self._sockets.append(socket)
            self._streams.append(self._leg(number, socket, peers[number % len(peers)]))
            self._streams[-1].start(now)
        return [socket.address[1] for socket in self._sockets]

    def _leg(self, number: int, socket: RtpSocket, peer: int) -> MediaStream:
        pacer = Pacer(TELEPHONE_HZ)
        for _ in range(100):  # the agent talks all the time: the dearer half of a call
            pacer.push(self._said)
        recorder = StereoRecorder(self._folder / f"{number}.wav")
        self._recorders.append(recorder)
        return MediaStream(
            socket=socket,
            negotiated=Negotiated(
                remote=(_HOST, peer),
                codec=PCMU,
                send_payload_type=0,
                receive_payload_types={0: PCMU},
                dtmf_send=None,
                dtmf_receive=None,
                ptime_ms=20,
                direction="sendrecv",
            ),
            sink=_Ear(self._detector),
            pacer=pacer,
            clock=self._clock,
            recorder=recorder,
        )

    async def measure(self, seconds: float) -> dict[str, float]:
        """Let it run and say what it cost."""
        await asyncio.sleep(WARM_UP_S)
        gc.collect()
        gc.freeze()
        self._clock.lateness = Lateness()
        loop = asyncio.get_running_loop()
        received = sum(stream.quality(loop.time()).received for stream in self._streams)
        cpu, wall = time.process_time(), time.monotonic()
        await asyncio.sleep(seconds)
        cpu, wall = time.process_time() - cpu, time.monotonic() - wall
        qualities = [stream.quality(loop.time()) for stream in self._streams]
        lateness = self._clock.lateness
        return {
            "cpu_share": cpu / wall,
            "tick_p50_ms": lateness.p50_ms,
            "tick_p99_ms": lateness.p99_ms,
            "tick_max_ms": lateness.max_ms,
            "resyncs": self._clock.resyncs,
            "received_per_s": (sum(q.received for q in qualities) - received) / wall,
            "lost": sum(q.lost for q in qualities),
            "loss": float(np.mean([q.loss for q in qualities])),
            "dropped_samples": sum(r.dropped_samples for r in self._recorders),
        }

    async def close(self) -> None:
        """Stop all legs and finish their recordings."""
        for stream in self._streams:
            stream.stop()
        for socket in self._sockets:
            socket.close()
        await asyncio.gather(*(recorder.aclose() for recorder in self._recorders))


async def _run(legs: int, peers: list[int], seconds: float, folder: Path) -> None:
    plane = _Plane(folder)
    print(json.dumps({"ports": await plane.open(legs, peers)}), flush=True)
    print(json.dumps(await plane.measure(seconds)), flush=True)
    await plane.close()


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    folder: Annotated[Path, typer.Option(help="For the recordings; the caller's to remove.")],
    peer: str = "30000",
    legs: int = 1,
    seconds: float = 5.0,
) -> None:
    """Carry the legs, measure, and end."""
    uvloop.run(_run(legs, [int(port) for port in peer.split(",")], seconds, folder))


if __name__ == "__main__":
    app()
