"""SIP over UDP: the only I/O of this folder; pumps a `UserAgent` in an asyncio loop."""

import asyncio
import ipaddress
import time
from collections.abc import Callable
from typing import cast

from server.sip.agent import UserAgent
from server.sip.events import Address, Event

EventHandler = Callable[[Event], None]


class SipEndpoint(asyncio.DatagramProtocol):
    """One UDP socket and the user agent behind it.

    Give the agent a command, then `flush()`:

        call_id = endpoint.agent.invite(..., now=endpoint.now())
        endpoint.flush()
    """

    def __init__(self, agent: UserAgent, on_event: EventHandler) -> None:
        """Use `bind`."""
        self.agent = agent
        self._on_event = on_event
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.DatagramTransport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._sending_to: Address | None = None
        self._unreachable: set[Address] = set()
        self._is_flushing = False

    @classmethod
    async def bind(
        cls, agent: UserAgent, host: str, port: int, on_event: EventHandler
    ) -> "SipEndpoint":
        """Open the socket and tell the agent its address; port 0 takes any.

        host: an address of this machine. With 0.0.0.0 or :: the agent keeps advertising the
        host it was given and adopts only the port. Raises OSError.
        """
        loop = asyncio.get_running_loop()
        transport, endpoint = await loop.create_datagram_endpoint(
            lambda: cls(agent, on_event), local_addr=(host, port)
        )
        bound_host, bound_port = transport.get_extra_info("sockname")[:2]
        if ipaddress.ip_address(bound_host).is_unspecified:
            bound_host = agent.local.host
        agent.local = Address(bound_host, bound_port)
        return endpoint

    @staticmethod
    def now() -> float:
        """Return the time that the agent lives by, in monotonic seconds."""
        return time.monotonic()

    def flush(self) -> None:
        """Send what the agent wants sent, deliver its events, re-arm its timer."""
        # A handler may command the agent and flush again: the loop below then goes on.
        if self._is_flushing:
            return
        self._is_flushing = True
        try:
            self._pump()
        finally:
            self._is_flushing = False
        self._arm()

    def close(self) -> None:
        """Close the socket; calls still up are not told."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._transport is not None:
            self._transport.close()
            self._transport = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the socket over from asyncio."""
        # Neither asyncio nor uvloop derives its UDP transport from DatagramTransport.
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str | int, ...]) -> None:
        """Feed one datagram to the agent."""
        self.agent.receive_datagram(data, Address(str(addr[0]), int(addr[1])), self.now())
        self.flush()

    def error_received(self, exc: Exception) -> None:
        """Survive; an error while sending counts against the destination."""
        if self._sending_to is not None:
            self._unreachable.add(self._sending_to)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock with the socket."""
        self.close()

    def _pump(self) -> None:
        while True:
            datagrams = self.agent.datagrams_to_send()
            for datagram, destination in datagrams:
                self._send(datagram, destination)
            for destination in self._unreachable:
                self.agent.transport_failed(destination, self.now())
            self._unreachable.clear()
            event = self.agent.next_event()
            if event is not None:
                self._deliver(event)
            elif not datagrams:
                return

    def _send(self, datagram: bytes, destination: Address) -> None:
        if self._transport is None:
            return
        self._sending_to = destination
        try:
            # A host name would make the socket ask the resolver, and the loop wait for it.
            ipaddress.ip_address(destination.host)
            self._transport.sendto(datagram, (destination.host, destination.port))
        except (OSError, ValueError) as error:
            self.error_received(error)
        finally:
            self._sending_to = None

    def _deliver(self, event: Event) -> None:
        try:
            self._on_event(event)
        except Exception as error:  # one bad handler must not stop the signalling of all calls
            message = f"SIP event handler failed on {type(event).__name__}"
            self._loop.call_exception_handler({"message": message, "exception": error})

    def _arm(self) -> None:
        when = self.agent.get_timer()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if when is not None and self._transport is not None:
            self._timer = self._loop.call_later(max(0.0, when - self.now()), self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self.agent.handle_timer(self.now())
        self.flush()
