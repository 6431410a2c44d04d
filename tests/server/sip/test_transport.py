"""Two endpoints on loopback, in real time."""

import asyncio

import pytest
import uvloop

from server.sip.agent import Address, UserAgent
from server.sip.events import Answered, Ended, Established, Failed, IncomingInvite
from server.sip.transport import SipEndpoint
from tests.server.sip.wire import ANSWER, OFFER

ANY = Address("127.0.0.1", 0)


class Side:
    """An endpoint with its events in a queue."""

    def __init__(self):
        self.events = asyncio.Queue()
        self.agent = UserAgent(local=ANY, allow_inbound=True)

    async def open(self, on_event=None):
        self.endpoint = await SipEndpoint.bind(
            self.agent, "127.0.0.1", 0, on_event or self.events.put_nowait
        )
        return self

    async def event(self, kind):
        async with asyncio.timeout(5.0):
            while not isinstance(event := await self.events.get(), kind):
                pass
        return event

    def invite(self, destination):
        call_id = self.agent.invite(
            target="sip:bob@127.0.0.1",
            destination=destination,
            from_uri="sip:alice@127.0.0.1",
            sdp=OFFER,
            credentials=None,
            now=self.endpoint.now(),
        )
        self.endpoint.flush()
        return call_id


@pytest.fixture
async def sides():
    both = await Side().open(), await Side().open()
    yield both
    for side in both:
        side.endpoint.close()
    await asyncio.sleep(0)


async def place_and_end_a_call(alice, bob):
    call_id = alice.invite(bob.agent.local)
    incoming = await bob.event(IncomingInvite)
    bob.agent.answer(incoming.call_id, ANSWER, bob.endpoint.now())
    bob.endpoint.flush()
    assert (await alice.event(Answered)).sdp == ANSWER
    await bob.event(Established)
    alice.agent.hang_up(call_id, alice.endpoint.now())
    alice.endpoint.flush()
    assert (await bob.event(Ended)).by == "remote"


async def test_a_call_goes_through_two_real_sockets(sides):
    await place_and_end_a_call(*sides)


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_both_loops_carry_a_call_and_survive_a_refusing_network(loop_factory):
    async def scenario():
        alice, bob = await Side().open(), await Side().open()
        alice.invite(Address("not an address", 5060))
        assert (await alice.event(Failed)).status == 503
        await place_and_end_a_call(alice, bob)
        alice.endpoint.close()
        bob.endpoint.close()
        await asyncio.sleep(0)

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(scenario())


async def test_the_agent_learns_the_port_it_was_bound_to(sides):
    for side in sides:
        assert side.agent.local.host == "127.0.0.1"
        assert side.agent.local.port > 0


async def test_on_every_interface_the_agent_keeps_its_advertised_host():
    agent = UserAgent(local=Address("192.0.2.10", 0))
    endpoint = await SipEndpoint.bind(agent, "0.0.0.0", 0, print)
    assert agent.local.host == "192.0.2.10"
    assert agent.local.port > 0
    endpoint.close()
    await asyncio.sleep(0)


async def test_a_handler_may_command_the_agent_from_within_an_event(sides):
    alice, _ = sides
    carol = Side()

    def pick_up(event):
        carol.events.put_nowait(event)
        if isinstance(event, IncomingInvite):
            carol.agent.answer(event.call_id, ANSWER, carol.endpoint.now())
            carol.endpoint.flush()

    await carol.open(pick_up)
    alice.invite(carol.agent.local)
    await carol.event(Established)
    carol.endpoint.close()
    await asyncio.sleep(0)


async def test_a_failing_handler_does_not_stop_the_signalling(sides):
    alice, _ = sides
    reported = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: reported.append(context))
    carol = Side()

    def fail(event):
        if isinstance(event, IncomingInvite):
            carol.agent.reject(event.call_id, 486, carol.endpoint.now())
        raise RuntimeError("a handler's own fault")

    await carol.open(fail)
    alice.invite(carol.agent.local)
    assert (await alice.event(Failed)).status == 486
    assert len(reported) == 2
    carol.endpoint.close()
    await asyncio.sleep(0)


async def test_noise_does_not_disturb_the_socket(sides):
    alice, bob = sides
    for data in (b"", b"\r\n\r\n", b"\xff" * 100, b"INVITE sip:x SIP/2.0\r\n\r\n"):
        alice.endpoint._transport.sendto(data, (bob.agent.local.host, bob.agent.local.port))
    alice.invite(bob.agent.local)
    await bob.event(IncomingInvite)


async def test_a_destination_that_the_network_refuses_fails_the_call(sides):
    alice, _ = sides
    alice.invite(Address("not an address", 5060))
    failed = await alice.event(Failed)
    assert (failed.status, failed.local) == (503, True)


async def test_an_icmp_error_is_survived(sides):
    alice, bob = sides
    alice.endpoint.error_received(ConnectionRefusedError())
    alice.invite(bob.agent.local)
    await bob.event(IncomingInvite)


async def test_an_unanswered_request_is_repeated_by_the_loop():
    received = asyncio.Queue()

    class Silent(asyncio.DatagramProtocol):
        def datagram_received(self, data, addr):
            received.put_nowait(data)

    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(Silent, local_addr=("127.0.0.1", 0))
    alice = await Side().open()
    alice.agent.options(
        destination=Address("127.0.0.1", transport.get_extra_info("sockname")[1]),
        now=alice.endpoint.now(),
    )
    alice.endpoint.flush()
    async with asyncio.timeout(5.0):
        first, second = await received.get(), await received.get()
    assert first == second
    alice.endpoint.close()
    transport.close()
    await asyncio.sleep(0)
