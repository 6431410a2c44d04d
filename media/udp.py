"""RTP sockets: the port range of a node, and from whom a leg takes packets."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from ipaddress import ip_address
from itertools import chain
from typing import Any, Final, TypeAlias, cast

from media.errors import PortsExhausted, RtpError
from media.rtp import RtpPacket, is_rtcp, seq_delta

Address: TypeAlias = tuple[Any, ...]
"""A socket address as the event loop gives it: (host, port) or (host, port, flow, scope)."""
OnDatagram: TypeAlias = Callable[[bytes, float], None]
"""Called with one datagram and the loop's time."""

PROBATION: Final = 3
"""Consecutive packets an unannounced source must send before it is believed."""


class SourceLatch:
    """Decides whose packets a leg takes; stands after the socket, before `rtp`.

    The address of the SDP is taken at once. As long as it has not sent, another source, behind a
    NAT, is latched after three packets in sequence of one SSRC. Then the choice is final until new
    SDP arrives (RTP bleed: EnableSecurity ES2025-01).
    """

    __slots__ = ("_announced", "_candidate", "_probation", "locked", "strangers")

    def __init__(self, announced: tuple[str, int]) -> None:
        self.strangers = 0
        self.announce(announced)

    def announce(self, remote: tuple[str, int]) -> None:
        """Expect packets from `remote` and start over."""
        self._announced = (str(ip_address(remote[0])), remote[1])
        self.locked: Address | None = None
        self._candidate: Address | None = None
        self._probation: list[tuple[bytes, RtpPacket]] = []

    def admit(self, datagram: bytes, source: Address) -> list[bytes]:
        """Return what to process now: the datagram, none, or the packets kept in probation."""
        if source == self.locked:
            return [datagram]
        if self.locked is None:
            if source[:2] == self._announced:
                self._lock(source)
                return [datagram]
            return self._prove(datagram, source)
        self.strangers += 1
        return []

    def _lock(self, source: Address) -> None:
        self.locked = source
        self.strangers += len(self._probation)
        self._probation.clear()

    def _prove(self, datagram: bytes, source: Address) -> list[bytes]:
        """Let an unannounced source show a running stream; several sources spoil each other."""
        try:
            packet = None if is_rtcp(datagram) else RtpPacket.parse(datagram)
        except RtpError:
            packet = None
        if packet is None:
            self.strangers += 1
            return []
        if self._probation and not self._continues(packet, source):
            self.strangers += len(self._probation)
            self._probation.clear()
        self._candidate = source
        self._probation.append((datagram, packet))
        if len(self._probation) < PROBATION:
            return []
        proven = [kept for kept, _ in self._probation]
        self._probation.clear()
        self._lock(source)
        return proven

    def _continues(self, packet: RtpPacket, source: Address) -> bool:
        before = self._probation[-1][1]
        return (
            source == self._candidate
            and packet.ssrc == before.ssrc
            and 0 < seq_delta(packet.seq, before.seq) <= PROBATION
        )


class RtpSocket(asyncio.DatagramProtocol):
    """One leg's port: sends where the SDP or the latch says, hands in what the latch admits."""

    def __init__(self, loop: asyncio.AbstractEventLoop, release: Callable[[], None]) -> None:
        self._time = loop.time
        self._release: Callable[[], None] | None = release
        self._transport: asyncio.DatagramTransport | None = None
        self._latch: SourceLatch | None = None
        self._on_datagram: OnDatagram | None = None
        self._remote: Address | None = None
        self.address: tuple[str, int] = ("", 0)
        """What it is bound to."""
        self.network_errors = 0
        """ICMP errors and failed sends; neither stops the leg."""

    @property
    def strangers(self) -> int:
        """Datagrams dropped because of their source."""
        return self._latch.strangers if self._latch else 0

    @property
    def source(self) -> tuple[str, int] | None:
        """The source latched, None so far."""
        locked = self._latch.locked if self._latch else None
        return (locked[0], locked[1]) if locked else None

    def connect(self, remote: tuple[str, int]) -> None:
        """Send to and expect packets from the address in the peer's SDP; again on new SDP."""
        if self._latch is None:
            self._latch = SourceLatch(remote)
        else:
            self._latch.announce(remote)
        sendable = remote[1] and not ip_address(remote[0]).is_unspecified
        self._remote = remote if sendable else None

    def listen(self, on_datagram: OnDatagram | None) -> None:
        """Hand datagrams to `on_datagram` from now on; None drops them."""
        self._on_datagram = on_datagram

    def send(self, datagram: bytes) -> None:
        """Send to the peer; without one, and after `close`, do nothing. Never raises."""
        if self._transport is None or self._remote is None:
            return
        try:
            self._transport.sendto(datagram, self._remote)
        except (OSError, ValueError):  # uvloop: an address of another family
            self.network_errors += 1

    def close(self) -> None:
        """Close the socket and give its port back."""
        if self._transport is not None:
            self._transport.close()
            self._transport = None
        if self._release is not None:
            self._release()
            self._release = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)
        self.address = transport.get_extra_info("sockname")[:2]

    def datagram_received(self, data: bytes, addr: Address) -> None:
        if self._latch is None or self._on_datagram is None:
            return
        before = self._latch.locked
        for datagram in self._latch.admit(data, addr):
            self._on_datagram(datagram, self._time())
        if self._latch.locked is not before and self._remote is not None:
            self._remote = self._latch.locked

    def error_received(self, exc: Exception) -> None:
        self.network_errors += 1


class PortPool:
    """The even RTP ports `first` … `last` of one host; the odd one above is left for RTCP."""

    def __init__(self, host: str, first: int, last: int) -> None:
        self._host = host
        self._ports = range(first + first % 2, last + 1, 2)
        self._taken: set[int] = set()

    @property
    def free(self) -> int:
        """Ports not lent by this pool; another process may hold some of them."""
        return len(self._ports) - len(self._taken)

    async def bind(self) -> RtpSocket:
        """Open a socket on a random free port. Raises PortsExhausted if there is none."""
        start = random.randrange(max(1, len(self._ports)))
        for port in chain(self._ports[start:], self._ports[:start]):
            if port in self._taken:
                continue
            self._taken.add(port)
            try:
                return await self._open(port)
            except OSError:
                continue
        raise PortsExhausted(f"no free port in {self._ports.start}-{self._ports.stop - 1}")

    async def _open(self, port: int) -> RtpSocket:
        loop = asyncio.get_running_loop()
        socket = RtpSocket(loop, lambda: self._taken.discard(port))
        try:
            await loop.create_datagram_endpoint(lambda: socket, local_addr=(self._host, port))
        except BaseException:  # a call given up while it dials must not keep the port
            socket.close()
            raise
        return socket
