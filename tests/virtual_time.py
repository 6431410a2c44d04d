"""An event loop whose time passes only where nothing else is left to do, and its own UDP.

    async def conversation() -> None:
        await asyncio.sleep(3600)          # returns at once; loop.time() is 3600 s further on

    run(conversation())                    # or asyncio.Runner(loop_factory=VirtualTimeLoop)

Datagram endpoints of this loop live in `loop.network`, which carries datagrams in memory with the
delay, loss and duplication that `loop.network.fate` decides. Sockets, pipes and executor threads
still work: time stands while an executor thread runs. It does not wait for other threads.
"""

from __future__ import annotations

import asyncio
import errno
import selectors
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar

T = TypeVar("T")
Address = tuple[str, int]

DEADLOCK_S = 10.0
"""Real seconds without a timer, an event or a thread's word after which a test has hung."""


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """A selector loop that jumps to its next timer instead of waiting for it."""

    def __init__(self, start: float = 1000.0) -> None:
        self._now = start
        self._threads = 0
        super().__init__(_JumpingSelector(self))
        self.network = UdpNetwork(self)

    def time(self) -> float:
        """Virtual monotonic seconds."""
        return self._now

    def stall(self, seconds: float) -> None:
        """Let time pass while the loop stands still, as a blocking call would."""
        self._now += seconds

    @property
    def threads_busy(self) -> bool:
        """Whether an executor call is under way."""
        return self._threads > 0

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Any, *args: Any
    ) -> asyncio.Future[Any]:
        self._threads += 1
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._thread_done)
        return future

    def _thread_done(self, _: asyncio.Future[Any]) -> None:
        self._threads -= 1

    async def create_datagram_endpoint(  # type: ignore[override]
        self,
        protocol_factory: Callable[[], Any],
        local_addr: Address | None = None,
        remote_addr: Address | None = None,
        **_: Any,
    ) -> tuple[asyncio.DatagramTransport, Any]:
        """Bind in `network`; socket options are ignored."""
        protocol = protocol_factory()
        transport = self.network.bind(protocol, local_addr, remote_addr)
        protocol.connection_made(transport)
        return transport, protocol


class _JumpingSelector(selectors.DefaultSelector):
    def __init__(self, loop: VirtualTimeLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if timeout is None or self._loop.threads_busy:
            ready = super().select(DEADLOCK_S)
            if not ready:
                raise RuntimeError("the loop waits for something that never comes")
            return ready
        self._loop.stall(timeout)
        return []


class UdpNetwork:
    """Datagrams between the endpoints of one loop."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        self._loop = loop
        self._endpoints: dict[Address, MemoryTransport] = {}
        self._next_port = 49152
        self.delay_s = 0.0
        """One-way delay of every datagram, unless `fate` is set."""
        self.fate: Callable[[bytes, Address, Address], Iterable[float]] | None = None
        """Delays in seconds of the copies that arrive: none for loss, two for a duplicate."""

    def bind(
        self, protocol: Any, local: Address | None, remote: Address | None = None
    ) -> MemoryTransport:
        """Open an endpoint; port 0 picks one. Raises OSError EADDRINUSE like a socket."""
        host, port = local or ("127.0.0.1", 0)
        if not port:
            port, self._next_port = self._next_port, self._next_port + 1
        if (host, port) in self._endpoints:
            raise OSError(errno.EADDRINUSE, "address already in use")
        transport = MemoryTransport(self, protocol, (host, port), remote)
        self._endpoints[host, port] = transport
        return transport

    def release(self, address: Address) -> None:
        """Forget an endpoint."""
        self._endpoints.pop(address, None)

    def carry(self, datagram: bytes, source: Address, destination: Address) -> None:
        """Send one datagram on its way, from any source: tests may forge it."""
        delays = (self.delay_s,) if self.fate is None else self.fate(datagram, source, destination)
        for delay in delays:
            self._loop.call_later(delay, self._deliver, datagram, source, destination)

    def _deliver(self, datagram: bytes, source: Address, destination: Address) -> None:
        anywhere = ("0.0.0.0", destination[1])
        receiver = self._endpoints.get(destination) or self._endpoints.get(anywhere)
        if receiver is not None:
            receiver.protocol.datagram_received(datagram, source)
        elif (sender := self._endpoints.get(source)) is not None:
            sender.protocol.error_received(ConnectionRefusedError(errno.ECONNREFUSED, "refused"))


class MemoryTransport(asyncio.DatagramTransport):
    """One endpoint of a UdpNetwork."""

    def __init__(
        self, network: UdpNetwork, protocol: Any, address: Address, remote: Address | None
    ) -> None:
        super().__init__({"sockname": address, "peername": remote})
        self.protocol = protocol
        self._network, self._address, self._remote = network, address, remote
        self._closing = False

    def sendto(self, data: Any, addr: Any = None) -> None:
        destination = addr or self._remote
        if not self._closing and destination is not None:
            self._network.carry(bytes(data), self._address, destination[:2])

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            self._network.release(self._address)
            asyncio.get_running_loop().call_soon(self.protocol.connection_lost, None)

    def abort(self) -> None:
        self.close()


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end in virtual time."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)


def virtual_loop() -> VirtualTimeLoop:
    """The running loop, typed."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    return loop
