import asyncio
import wave
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import uvloop

from media.audio import Pcm, rms_dbfs
from media.clock import Clock
from media.codecs import PCMA, PCMU
from media.errors import RateMismatch
from media.pacer import Pacer
from media.recorder import StereoRecorder
from media.rtp import RtpPacket
from media.sdp import Negotiated, accept, answer, offer
from media.stream import MediaStream
from media.udp import PortPool, RtpSocket
from tests.virtual_time import run, virtual_loop

CODECS = (PCMU, PCMA)


class Listener:
    def __init__(self) -> None:
        self.frames: list[Pcm] = []
        self.digits = ""
        self.heard_sound = asyncio.Event()
        self.heard_digit = asyncio.Event()

    def feed(self, pcm: Pcm, now: float) -> None:
        self.frames.append(pcm)
        if rms_dbfs(pcm) > -30:
            self.heard_sound.set()

    def digit(self, digit: str, now: float) -> None:
        self.digits += digit
        self.heard_digit.set()

    @property
    def pcm(self) -> Pcm:
        return np.concatenate(self.frames)


class Leg:
    """One party of a call: a stream with its socket, pacer and listener."""

    def __init__(
        self,
        socket: RtpSocket,
        negotiated: Negotiated,
        clock: Clock,
        recorder: StereoRecorder | None = None,
    ) -> None:
        self.socket, self.negotiated = socket, negotiated
        self.pacer, self.listener = Pacer(8000), Listener()
        self.stream = MediaStream(
            socket=socket,
            negotiated=negotiated,
            sink=self.listener,
            pacer=self.pacer,
            clock=clock,
            recorder=recorder,
        )


async def call(
    recorder: StereoRecorder | None = None, first: int = 20000, last: int = 30000
) -> tuple[Leg, Leg]:
    """Two legs on the running loop that have offered, answered and started."""
    loop = asyncio.get_running_loop()
    pool, clock = PortPool("127.0.0.1", first, last), Clock(loop)
    caller, callee = await pool.bind(), await pool.bind()
    offered = offer(*caller.address, CODECS)
    answered, theirs = answer(offered, *callee.address, CODECS)
    ours = accept(offered, answered)
    legs = Leg(caller, ours, clock, recorder), Leg(callee, theirs, clock)
    for leg in legs:
        leg.stream.start(loop.time())
    return legs


def hang_up(*legs: Leg) -> None:
    for leg in legs:
        leg.stream.stop()
        leg.socket.close()


def tone(samples: int) -> Pcm:
    return (8000 * np.sin(np.arange(samples) * 0.3)).astype(np.int16)


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_two_legs_on_real_sockets_hear_each_other(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def main() -> None:
        caller, callee = await call()
        caller.pacer.push(tone(1600))
        caller.stream.send_digits("5")
        async with asyncio.timeout(20):
            await callee.listener.heard_digit.wait()
            await callee.listener.heard_sound.wait()
        assert callee.listener.digits == "5"
        assert callee.stream.last_received_at is not None
        assert callee.stream.quality(0.0).strangers == 0
        hang_up(caller, callee)

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main())


def test_speech_crosses_the_wire_unchanged_but_for_the_codec() -> None:
    async def main() -> None:
        caller, callee = await call()
        caller.pacer.push(tone(1600))
        await asyncio.sleep(1)
        heard = callee.listener.pcm
        start = int(np.flatnonzero(heard)[0])
        sent = PCMU.decode(PCMU.encode(tone(1600)))
        first = int(np.flatnonzero(sent)[0])
        assert heard[start : start + 1500].tolist() == sent[first : first + 1500].tolist()
        hang_up(caller, callee)

    run(main())


def test_a_listener_hears_as_much_as_time_passes() -> None:
    async def main() -> None:
        caller, callee = await call()
        await asyncio.sleep(10.01)
        assert caller.listener.pcm.size == callee.listener.pcm.size == 80_000
        hang_up(caller, callee)

    run(main())


def test_a_flush_silences_the_wire_within_a_tick() -> None:
    async def main() -> None:
        caller, callee = await call()
        caller.pacer.push(tone(80_000))
        await asyncio.sleep(0.5)
        caller.pacer.flush()
        heard_before = len(callee.listener.frames) + 1  # one packet is on the wire
        await asyncio.sleep(0.2)
        assert max(rms_dbfs(frame) for frame in callee.listener.frames[heard_before:]) < -60
        hang_up(caller, callee)

    run(main())


def test_five_percent_loss_conceals_what_was_lost_and_no_more() -> None:
    async def main() -> None:
        caller, callee = await call()
        count = 0

        def fate(*_: object) -> list[float]:
            nonlocal count
            count += 1
            return [] if count % 20 == 0 else [0.03]

        virtual_loop().network.fate = fate
        await asyncio.sleep(20)
        quality = callee.stream.quality(virtual_loop().time())
        assert quality.loss == pytest.approx(0.05, abs=0.06)
        assert quality.concealed_ms == pytest.approx(quality.lost * 20)
        assert abs(callee.listener.pcm.size - 160_000) < 1600
        hang_up(caller, callee)

    run(main())


def test_strangers_are_counted_and_not_heard() -> None:
    async def main() -> None:
        caller, callee = await call()
        await asyncio.sleep(0.1)
        loud = bytes(RtpPacket(0, 1, 1, 66, b"\x00" * 160))
        for _ in range(50):
            virtual_loop().network.carry(loud, ("198.51.100.66", 9), callee.socket.address)
        await asyncio.sleep(0.1)
        assert callee.stream.quality(0.0).strangers == 50
        assert rms_dbfs(callee.listener.pcm) < -60
        hang_up(caller, callee)

    run(main())


def test_after_the_stop_nothing_is_sent_or_heard() -> None:
    async def main() -> None:
        caller, callee = await call()
        await asyncio.sleep(0.1)
        caller.stream.stop()
        sent = caller.stream.quality(0.0).sent
        heard = len(caller.listener.frames)
        await asyncio.sleep(1)
        assert caller.stream.quality(0.0).sent == sent
        assert len(caller.listener.frames) == heard
        hang_up(caller, callee)

    run(main())


def test_a_hold_and_its_end_keep_sequence_and_address() -> None:
    async def main() -> None:
        caller, callee = await call()
        await asyncio.sleep(0.1)
        held = replace(caller.negotiated, remote=("0.0.0.0", 9), direction="recvonly")
        caller.stream.renegotiate(held)
        sent = caller.stream.quality(0.0).sent
        await asyncio.sleep(0.1)
        assert caller.stream.quality(0.0).sent == sent
        caller.stream.renegotiate(caller.negotiated)
        await asyncio.sleep(0.1)
        assert caller.stream.quality(0.0).sent > sent
        assert callee.stream.quality(0.0).lost == 0
        hang_up(caller, callee)

    run(main())


def test_quality_tells_when_packets_came() -> None:
    async def main() -> None:
        start = virtual_loop().time()
        caller, callee = await call()
        await asyncio.sleep(1.01)
        quality = callee.stream.quality(virtual_loop().time())
        assert quality.received == quality.sent == 50
        assert quality.first_packet_at == pytest.approx(start + 0.02)
        assert quality.last_packet_at == pytest.approx(start + 1.0)
        assert quality.mos > 4.3
        hang_up(caller, callee)

    run(main())


def test_both_sides_are_recorded_at_their_place(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"

    async def main() -> None:
        recorder = StereoRecorder(path)
        caller, callee = await call(recorder)
        await asyncio.sleep(0.5)
        caller.pacer.push(tone(1600))
        await asyncio.sleep(0.5)
        callee.pacer.push(tone(1600))
        await asyncio.sleep(0.5)
        hang_up(caller, callee)
        recorder.close().result(30)

    run(main())
    with wave.open(str(path)) as file:
        audio = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
    left, right = np.flatnonzero(np.abs(audio[:, 0]) > 100), np.flatnonzero(audio[:, 1])
    assert (right[0], right[-1]) == (pytest.approx(4160, abs=5), pytest.approx(5760, abs=5))
    assert (left[0], left[-1]) == (pytest.approx(8160, abs=5), pytest.approx(9760, abs=5))


def test_parts_at_different_rates_are_refused() -> None:
    async def main() -> None:
        caller, _ = await call()
        with pytest.raises(RateMismatch):
            MediaStream(
                socket=caller.socket,
                negotiated=caller.negotiated,
                sink=caller.listener,
                pacer=Pacer(16000),
                clock=Clock(virtual_loop()),
            )
        hang_up(caller)

    run(main())
