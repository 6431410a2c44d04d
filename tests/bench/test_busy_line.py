"""The busy line, called by a real user agent over loopback."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any, TypeVar

import pytest

from bench.busy_line import BUSY, BusyLine
from media import sdp
from media.codecs import PCMU
from media.rtp import RtpPacket, RtpSource
from server.sip.agent import UserAgent
from server.sip.events import Address, Answered, Ended, Event, Failed
from server.sip.transport import SipEndpoint
from tests.server.real_node import until

HOST = "127.0.0.1"
PHONE = "+12025550100"
OTHER = "+14155550100"
FRAMES = [bytes([n] * 160) for n in range(10)]
_ROUNDING_S = 1e-6

E = TypeVar("E", bound=Event)


class Caller(asyncio.DatagramProtocol):
    """Calls numbers of a line, hears what is said, and keeps what became of each call."""

    def __init__(self, line: BusyLine) -> None:
        self.events: asyncio.Queue[Event] = asyncio.Queue()
        self.heard: asyncio.Queue[RtpPacket] = asyncio.Queue()
        self._line = line

    async def open(self) -> None:
        """Bind its ports."""
        loop = asyncio.get_running_loop()
        agent = UserAgent(local=Address(HOST, 0))
        self.endpoint = await SipEndpoint.bind(agent, HOST, 0, self.events.put_nowait)
        self.rtp, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(HOST, 0))

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        """Hear one packet."""
        self.heard.put_nowait(RtpPacket.parse(data))

    def call(self, number: str) -> str:
        """Dial."""
        port = self.rtp.get_extra_info("sockname")[1]
        leg = self.endpoint.agent.invite(
            target=f"sip:{number}@{self._line.address}",
            destination=self._line.address,
            from_uri=f"sip:+16475550100@{HOST}",
            sdp=sdp.offer(HOST, port, (PCMU,)),
            credentials=None,
            now=self.endpoint.now(),
        )
        self.endpoint.flush()
        return leg

    async def event(self, kind: type[E]) -> E:
        """The next event of this kind."""
        async with asyncio.timeout(10):
            while not isinstance(event := await self.events.get(), kind):
                pass
            return event

    async def answered(self, number: str) -> str:
        """Dial somebody who answers, and return the leg."""
        leg = self.call(number)
        await self.event(Answered)
        return leg

    def close(self) -> None:
        """Leave."""
        self.endpoint.close()
        self.rtp.close()


@pytest.fixture
async def line() -> AsyncIterator[BusyLine]:
    opened = BusyLine([PHONE], FRAMES)
    await opened.listen(HOST, 0)
    yield opened
    await opened.close()


@pytest.fixture
async def caller(line: BusyLine) -> AsyncIterator[Caller]:
    opened = Caller(line)
    await opened.open()
    yield opened
    opened.close()


async def test_a_phone_answers_and_says_one_frame_after_the_other(
    line: BusyLine, caller: Caller
) -> None:
    await caller.answered(PHONE)
    await line.answered(1, 10)
    async with asyncio.timeout(10):
        packets = [await caller.heard.get() for _ in range(3)]
    assert [packet.seq for packet in packets] == [0, 1, 2]
    assert [packet.payload for packet in packets] == FRAMES[1:4]


async def test_everybody_else_is_busy(line: BusyLine, caller: Caller) -> None:
    caller.call(OTHER)
    assert (await caller.event(Failed)).status == BUSY
    await line.has_refused(1, 10)
    assert line.talking == 0


async def test_a_phone_that_talks_is_busy(line: BusyLine, caller: Caller) -> None:
    await caller.answered(PHONE)
    caller.call(PHONE)
    assert (await caller.event(Failed)).status == BUSY
    assert line.talking == 1


async def test_packets_are_noted_with_the_time_at_which_they_were_sent(
    line: BusyLine, caller: Caller
) -> None:
    await caller.answered(PHONE)
    await line.answered(1, 10)
    phone = line.phones[PHONE]
    source = RtpSource(seq=7, rtp_ts=700)
    before = time.time() - _ROUNDING_S
    for _ in range(2):
        caller.rtp.sendto(source.packet(0, FRAMES[0]), (HOST, phone.port))
        source.advance(160)
    caller.rtp.sendto(b"not a packet", (HOST, phone.port))
    after = time.time() + _ROUNDING_S
    async with asyncio.timeout(10):
        while len(phone.arrivals) < 2:
            await caller.heard.get()  # its own packets keep time
    assert [(a.seq, a.rtp_ts) for a in phone.arrivals] == [(7, 700), (8, 860)]
    assert before <= phone.arrivals[0].at <= phone.arrivals[1].at <= after


async def test_a_caller_who_hangs_up_ends_the_call(line: BusyLine, caller: Caller) -> None:
    leg = await caller.answered(PHONE)
    await line.answered(1, 10)
    caller.endpoint.agent.hang_up(leg, caller.endpoint.now())
    caller.endpoint.flush()
    await until(lambda: line.talking == 0)


async def test_a_line_that_closes_hangs_up(line: BusyLine, caller: Caller) -> None:
    await caller.answered(PHONE)
    await line.answered(1, 10)
    await line.close()
    assert (await caller.event(Ended)).by == "remote"
