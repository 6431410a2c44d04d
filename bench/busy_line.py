"""The other end of a trunk: some phones that talk, and nobody else who picks up.

Arrivals are stamped by the kernel, which does so while the sender is still in `sendto`: what
this process does meanwhile, such as refusing calls, does not show in them.
"""

from __future__ import annotations

import asyncio
import re
import socket
import struct
import time
from collections.abc import Sequence
from typing import Final

from bench.arrivals import Arrival
from media import sdp
from media.audio import FRAME_MS, TELEPHONE_HZ, frame_samples
from media.codecs import PCMU
from media.errors import RtpError
from media.rtp import RtpPacket, RtpSource, is_rtcp
from server.sip import events as sip
from server.sip.agent import UserAgent
from server.sip.transport import SipEndpoint

BUSY: Final = 486
_SO_TIMESTAMPNS: Final = 35
"""Linux; the `socket` module does not name it."""
_STAMP: Final = struct.Struct("qq")
_FRAME: Final = frame_samples(TELEPHONE_HZ)


class Phone:
    """One answered call: sends what it is told to, and notes when each packet came."""

    def __init__(self, host: str, frames: Sequence[bytes], first: int) -> None:
        """`frames`: what it says, over and over, from the one numbered `first` on."""
        self.arrivals: list[Arrival] = []
        self.over = False
        self._frames, self._n = frames, first
        self._remote: tuple[str, int] = ("", 0)
        self._source = RtpSource(ssrc=first, seq=0, rtp_ts=0)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._socket.setblocking(False)
        self._socket.bind((host, 0))
        asyncio.get_running_loop().add_reader(self._socket, self._receive)

    @property
    def port(self) -> int:
        """Where it receives."""
        return int(self._socket.getsockname()[1])

    def start(self, remote: tuple[str, int]) -> None:
        """From now on `send` sends there."""
        self._remote = remote

    def send(self) -> None:
        """Say the next 20 ms."""
        payload = self._frames[self._n % len(self._frames)]
        self._n += 1
        self._source.advance(_FRAME)
        self._socket.sendto(self._source.packet(0, payload), self._remote)

    def close(self) -> None:
        """The call is over."""
        if not self.over:
            self.over = True
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()

    def _receive(self) -> None:
        while True:
            try:
                data, extra, _, _ = self._socket.recvmsg(2048, socket.CMSG_SPACE(_STAMP.size))
            except BlockingIOError:
                return
            stamps = [value for _, kind, value in extra if kind == _SO_TIMESTAMPNS]
            if is_rtcp(data) or not stamps:
                continue
            try:
                packet = RtpPacket.parse(data)
            except RtpError:
                continue
            seconds, nanoseconds = _STAMP.unpack(stamps[0])
            self.arrivals.append(Arrival(seconds + nanoseconds / 1e9, packet.seq, packet.rtp_ts))


class BusyLine:
    """A SIP address: calls to some numbers are answered at once, all others are refused (486)."""

    def __init__(self, numbers: Sequence[str], frames: Sequence[bytes], seed: int = 1) -> None:
        self.phones: dict[str, Phone] = {}
        """By the number that was called."""
        self.refused = 0
        self.late_ms: list[float] = []
        """How late this process sent each of its own packets."""
        self._numbers, self._frames, self._seed = tuple(numbers), frames, seed
        self._legs: dict[str, Phone] = {}
        self._changed = asyncio.Event()
        self._beat: asyncio.Task[None] | None = None

    async def listen(self, host: str, port: int) -> None:
        """Take and refuse calls at this address from now on."""
        self._host = host
        agent = UserAgent(local=sip.Address(host, port), allow_inbound=True, seed=self._seed)
        self._endpoint = await SipEndpoint.bind(agent, host, port, self._on_sip)
        self._beat = asyncio.get_running_loop().create_task(self._send_on_time())

    @property
    def address(self) -> sip.Address:
        """Where it listens."""
        return self._endpoint.agent.local

    @property
    def talking(self) -> int:
        """Calls that are up."""
        return sum(not phone.over for phone in self.phones.values())

    async def answered(self, count: int, timeout_s: float) -> None:
        """Wait until so many calls are up. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            while self.talking < count:
                await self._change()

    async def has_refused(self, count: int, timeout_s: float) -> None:
        """Wait until it has refused so many calls in all. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            while self.refused < count:
                await self._change()

    async def close(self) -> None:
        """End every call and leave the line; safe to call twice."""
        if self._beat is None:
            return
        self._beat.cancel()
        self._beat = None
        for leg in list(self._legs):
            self._endpoint.agent.hang_up(leg, time.monotonic())
            self._forget(leg)
        self._endpoint.flush()
        await asyncio.sleep(0.1)  # for the node's answers to the BYEs
        self._endpoint.close()

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    def _on_sip(self, event: sip.Event) -> None:
        now = time.monotonic()
        match event:
            case sip.IncomingInvite():
                number = _number(event.to_uri)
                if number in self._numbers and number not in self.phones:
                    self._answer(event, number, now)
                else:
                    self.refused += 1
                    self._endpoint.agent.reject(event.call_id, BUSY, now)
                self._endpoint.flush()
            case sip.Ended(call_id=call_id) | sip.Canceled(call_id=call_id):
                self._forget(call_id)
            case sip.Failed(call_id=call_id):
                self._forget(call_id)
            case _:
                return
        self._changed.set()

    def _answer(self, event: sip.IncomingInvite, number: str, now: float) -> None:
        first = 1 + 37 * len(self.phones)  # nobody says the same at the same time
        phone = Phone(self._host, self._frames, first)
        described, negotiated = sdp.answer(event.sdp, self._host, phone.port, (PCMU,))
        phone.start(negotiated.remote)
        self._endpoint.agent.answer(event.call_id, described, now)
        self.phones[number] = self._legs[event.call_id] = phone

    def _forget(self, leg: str) -> None:
        phone = self._legs.pop(leg, None)
        if phone is not None:
            phone.close()

    async def _send_on_time(self) -> None:
        """Every phone once in 20 ms, spread over them, as those of strangers are."""
        step_s = FRAME_MS / 1000 / len(self._numbers)
        due, n = time.monotonic(), 0
        while True:
            phone = self.phones.get(self._numbers[n % len(self._numbers)])
            if phone is not None and not phone.over:
                self.late_ms.append(max(0.0, time.monotonic() - due) * 1000)
                phone.send()
            n += 1
            due += step_s
            await asyncio.sleep(max(0.0, due - time.monotonic()))


def _number(uri: str) -> str:
    found = re.match(r"sip:(\+\d+)@", uri)
    return found[1] if found else ""
