"""The measuring phone: answers, logs every packet that arrives, speaks at exact packet times.

It has no turn machine and no engines, so that what it measures is the other side alone. Times
are monotonic seconds taken where the packet is handed to, or comes from, the socket.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any, Final, cast

import numpy as np

from bench.voiced import Heard, first_voiced_after, last_voiced_sample
from media import sdp
from media.audio import FRAME_MS, TELEPHONE_HZ, Pcm, frame_samples, rms_dbfs, silence
from media.codecs import PCMU
from media.errors import RtpError
from media.rtp import RtpPacket, RtpSource, is_rtcp
from server.sip import events as sip
from server.sip.agent import UserAgent
from server.sip.transport import SipEndpoint

_FRAME: Final = frame_samples(TELEPHONE_HZ)
_TICK_S: Final = FRAME_MS / 1000
_SILENT: Final = PCMU.encode(silence(_FRAME))


@dataclass(slots=True)
class Played:
    """One prepared utterance and when it crossed the wire."""

    pcm: Pcm
    label: str = ""
    sent_at: list[float] = field(default_factory=list)
    """When each of its packets was sent."""
    done: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def onset_at(self) -> float:
        """When the packet with the first voiced sample was sent."""
        loud = np.flatnonzero(np.abs(self.pcm.astype(np.int32)) > 300)
        return self.sent_at[min(int(loud[0]) // _FRAME if loud.size else 0, len(self.sent_at) - 1)]

    @property
    def last_voiced_at(self) -> float:
        """When the packet with the last voiced sample was sent."""
        last = max(0, last_voiced_sample(self.pcm, TELEPHONE_HZ) - 1) // _FRAME
        return self.sent_at[min(last, len(self.sent_at) - 1)]


class ProbeCall(asyncio.DatagramProtocol):
    """One answered call: its log, and its voice."""

    def __init__(self, call_id: str, to_uri: str, invited_at: float) -> None:
        self.call_id = call_id
        self.to_uri = to_uri
        self.invited_at = invited_at
        """When the INVITE arrived."""
        self.answered_at = 0.0
        """When the 200 OK was sent."""
        self.log: list[Heard] = []
        self.played: list[Played] = []
        self.sent: list[tuple[float, bytes]] = []
        """Every packet of ours: when it was sent, and its payload."""
        self.over = asyncio.Event()
        self._transport: asyncio.DatagramTransport | None = None
        self._remote: tuple[str, int] = ("", 0)
        self._source = RtpSource()
        self._queue: list[Played] = []
        self._frames: list[bytes] = []
        self._tick: asyncio.Task[None] | None = None

    # The wire

    async def open(self, host: str) -> int:
        """Open its RTP port and return the number."""
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(lambda: self, local_addr=(host, 0))
        assert self._transport is not None
        return int(self._transport.get_extra_info("sockname")[1])

    def start(self, remote: tuple[str, int]) -> None:
        """Send from now on, silence where there is nothing to say."""
        self._remote = remote
        self._tick = asyncio.get_running_loop().create_task(self._beat())

    def close(self) -> None:
        """The call is over."""
        self.over.set()
        if self._tick is not None:
            self._tick.cancel()
        if self._transport is not None:
            self._transport.close()
        for waiting in self._queue:
            waiting.done.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        at = time.monotonic()
        if is_rtcp(data):
            return
        try:
            packet = RtpPacket.parse(data)
        except RtpError:
            return
        level = rms_dbfs(PCMU.decode(packet.payload))
        self.log.append(Heard(at, packet.seq, packet.rtp_ts, level))

    async def _beat(self) -> None:
        began = time.monotonic()
        n = 0
        while True:
            n += 1
            await asyncio.sleep(max(0.0, began + n * _TICK_S - time.monotonic()))
            self._send()

    def _send(self) -> None:
        assert self._transport is not None
        if not self._frames and self._queue:
            self._frames = _frames(self._queue[0].pcm)
        payload = self._frames.pop(0) if self._frames else _SILENT
        at = time.monotonic()
        self._transport.sendto(self._source.packet(0, payload), self._remote)
        self._source.advance(_FRAME)
        self.sent.append((at, payload))
        if self._queue:
            self._queue[0].sent_at.append(at)
            if not self._frames:
                self._queue.pop(0).done.set()

    # The voice

    async def say(self, pcm: Pcm, label: str = "") -> Played:
        """Speak from the next packet on; returns when the last one is sent, or the call over."""
        utterance = Played(pcm, label)
        self.played.append(utterance)
        self._queue.append(utterance)
        await utterance.done.wait()
        return utterance

    # The ear

    async def hear_speech(self, after: float, timeout_s: float) -> float | None:
        """Wait for a voiced packet at or after a moment; None when none comes."""
        until = time.monotonic() + timeout_s
        while time.monotonic() < until and not self.over.is_set():
            at = first_voiced_after(self.log, after)
            if at is not None:
                return at
            await asyncio.sleep(0.005)
        return None

    async def hear_silence(self, length_s: float, timeout_s: float) -> bool:
        """Wait until they have said nothing for so long; False when the call ends first."""
        until = time.monotonic() + timeout_s
        while not self.over.is_set():
            last = next((p.at for p in reversed(self.log) if p.voiced), 0.0)
            now = time.monotonic()
            if now - last >= length_s:
                return True
            if now >= until:
                return False
            await asyncio.sleep(0.01)
        return False


class Probe:
    """A SIP address that takes every call after ringing for a while."""

    def __init__(self, ring_s: float = 0.5, seed: int = 1) -> None:
        self._ring_s, self._seed = ring_s, seed
        self._calls: dict[str, ProbeCall] = {}
        self._answered: asyncio.Queue[ProbeCall] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen(self, host: str, port: int) -> None:
        """Take calls at this address from now on."""
        self._host = host
        agent = UserAgent(local=sip.Address(host, port), allow_inbound=True, seed=self._seed)
        self._endpoint = await SipEndpoint.bind(agent, host, port, self._on_sip)

    async def next_call(self, timeout_s: float = 10.0) -> ProbeCall:
        """The next call that has been answered. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            return await self._answered.get()

    def hang_up(self, call: ProbeCall) -> None:
        """End a call."""
        if not call.over.is_set():
            self._endpoint.agent.hang_up(call.call_id, time.monotonic())
            self._endpoint.flush()
            self._forget(call.call_id)

    async def close(self) -> None:
        """End every call and leave the line."""
        for call in list(self._calls.values()):
            self.hang_up(call)
        await asyncio.sleep(0.05)
        self._endpoint.close()

    def _on_sip(self, event: sip.Event) -> None:
        match event:
            case sip.IncomingInvite():
                call = ProbeCall(event.call_id, event.to_uri, time.monotonic())
                self._calls[event.call_id] = call
                self._endpoint.agent.ring(event.call_id, time.monotonic())
                self._endpoint.flush()
                task = asyncio.get_running_loop().create_task(self._answer(call, event.sdp))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            case sip.Ended(call_id=call_id) | sip.Canceled(call_id=call_id):
                self._forget(call_id)
            case sip.Failed(call_id=call_id):
                self._forget(call_id)
            case _:
                pass

    async def _answer(self, call: ProbeCall, offer: bytes) -> None:
        port = await call.open(self._host)
        await asyncio.sleep(self._ring_s)
        if call.over.is_set():
            return
        ours, negotiated = sdp.answer(offer, self._host, port, (PCMU,))
        self._endpoint.agent.answer(call.call_id, ours, time.monotonic())
        call.start(negotiated.remote)
        call.answered_at = time.monotonic()
        self._endpoint.flush()
        self._answered.put_nowait(call)

    def _forget(self, call_id: str) -> None:
        call = self._calls.pop(call_id, None)
        if call is not None:
            call.close()


def _frames(pcm: Pcm) -> list[bytes]:
    padded = np.concatenate([pcm, silence(-len(pcm) % _FRAME)])
    return [PCMU.encode(padded[at : at + _FRAME]) for at in range(0, len(padded), _FRAME)]
