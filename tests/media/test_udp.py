import asyncio
import socket
from collections.abc import Callable

import pytest
import uvloop

from media.errors import PortsExhausted
from media.rtp import RtpPacket
from media.udp import PortPool, RtpSocket, SourceLatch
from tests.virtual_time import run, virtual_loop

CALLEE = ("192.0.2.7", 4000)
NAT = ("203.0.113.5", 31337)
ATTACKER = ("198.51.100.66", 9999)


def rtp(seq: int, ssrc: int = 1) -> bytes:
    return bytes(RtpPacket(0, seq & 0xFFFF, seq * 160 & 0xFFFFFFFF, ssrc, b"\xff" * 160))


def admitted(latch: SourceLatch, *datagrams: tuple[bytes, tuple[str, int]]) -> list[bytes]:
    return [out for datagram, source in datagrams for out in latch.admit(datagram, source)]


def test_the_announced_address_is_taken_at_once() -> None:
    latch = SourceLatch(CALLEE)
    assert latch.admit(rtp(1), CALLEE) == [rtp(1)]
    assert latch.locked == CALLEE


def test_an_announced_address_in_another_spelling_is_the_same_address() -> None:
    latch = SourceLatch(("2001:DB8:0::7", 4000))
    source = ("2001:db8::7", 4000, 0, 0)
    assert latch.admit(rtp(1), source) == [rtp(1)]  # type: ignore[arg-type]


def test_a_peer_behind_a_nat_is_latched_after_three_packets_and_loses_none() -> None:
    latch = SourceLatch(CALLEE)
    out = [latch.admit(rtp(seq), NAT) for seq in (7, 8, 9, 10)]
    assert out == [[], [], [rtp(7), rtp(8), rtp(9)], [rtp(10)]]
    assert latch.strangers == 0


def test_a_sequence_that_wraps_in_probation_is_a_running_stream() -> None:
    latch = SourceLatch(CALLEE)
    assert len(admitted(latch, *((rtp(seq), NAT) for seq in (65534, 65535, 65536)))) == 3


def test_once_locked_no_stranger_gets_in_however_long_it_tries() -> None:
    latch = SourceLatch(CALLEE)
    latch.admit(rtp(1), CALLEE)
    assert admitted(latch, *((rtp(seq, ssrc=2), ATTACKER) for seq in range(1000))) == []
    assert latch.strangers == 1000
    assert latch.locked == CALLEE


def test_a_stranger_with_the_right_ssrc_does_not_get_in_either() -> None:
    latch = SourceLatch(CALLEE)
    latch.admit(rtp(1), CALLEE)
    assert admitted(latch, *((rtp(seq), ATTACKER) for seq in range(2, 10))) == []


def test_the_latch_never_moves_from_the_nat_to_anyone() -> None:
    latch = SourceLatch(CALLEE)
    admitted(latch, *((rtp(seq), NAT) for seq in range(3)))
    assert admitted(latch, *((rtp(seq, 5), ATTACKER) for seq in range(9))) == []
    assert latch.locked == NAT


def test_the_announced_address_ends_the_probation_of_anyone_else() -> None:
    latch = SourceLatch(CALLEE)
    datagrams = [
        (rtp(1, 2), ATTACKER),
        (rtp(2, 2), ATTACKER),
        (rtp(1), CALLEE),
        (rtp(3, 2), ATTACKER),
    ]
    assert admitted(latch, *datagrams) == [rtp(1)]
    assert latch.strangers == 3


def test_two_sources_at_once_spoil_each_others_probation() -> None:
    latch = SourceLatch(CALLEE)
    pairs = [(rtp(seq, ssrc), who) for seq in range(9) for ssrc, who in ((1, NAT), (2, ATTACKER))]
    assert admitted(latch, *pairs) == []
    assert latch.locked is None


@pytest.mark.parametrize(
    "datagrams",
    [
        [rtp(1), rtp(1), rtp(1), rtp(1)],  # no advance
        [rtp(9), rtp(8), rtp(7), rtp(6)],  # backwards
        [rtp(1), rtp(2, ssrc=2), rtp(3, ssrc=3)],  # another SSRC each
        [rtp(1), rtp(500), rtp(9000)],  # at random
        [b"", b"hello", b"\x80\xc8\0\1"],  # no RTP
    ],
)
def test_a_scan_is_no_running_stream(datagrams: list[bytes]) -> None:
    latch = SourceLatch(CALLEE)
    assert admitted(latch, *((datagram, ATTACKER) for datagram in datagrams)) == []
    assert latch.locked is None


def test_new_sdp_points_the_latch_anew() -> None:
    latch = SourceLatch(CALLEE)
    latch.admit(rtp(1), CALLEE)
    latch.announce(NAT)
    assert latch.admit(rtp(2), NAT) == [rtp(2)]
    assert latch.admit(rtp(3), CALLEE) == []


def test_ports_are_even_random_and_given_back() -> None:
    async def main() -> None:
        pool = PortPool("127.0.0.1", 40001, 40100)
        sockets = [await pool.bind() for _ in range(20)]
        ports = [rtp_socket.address[1] for rtp_socket in sockets]
        assert all(port % 2 == 0 and 40002 <= port <= 40100 for port in ports)
        assert ports != sorted(ports)
        for rtp_socket in sockets:
            rtp_socket.close()
            rtp_socket.close()
        assert pool.free == 50

    run(main())


def test_a_port_taken_by_someone_else_is_passed_over() -> None:
    async def main() -> None:
        for port in (40000, 40002, 40004):
            virtual_loop().network.bind(asyncio.DatagramProtocol(), ("127.0.0.1", port))
        pool = PortPool("127.0.0.1", 40000, 40007)
        assert (await pool.bind()).address[1] == 40006

    run(main())


@pytest.mark.parametrize("loop_factory", [None, uvloop.new_event_loop])
def test_a_bind_that_is_cancelled_gives_its_port_back(
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None,
) -> None:
    async def main() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1] & ~1
        pool = PortPool("127.0.0.1", port, port)
        binding = asyncio.create_task(pool.bind())
        await asyncio.sleep(0)
        binding.cancel()
        await asyncio.gather(binding, return_exceptions=True)
        assert binding.cancelled()
        assert pool.free == 1
        await asyncio.sleep(0)
        (await pool.bind()).close()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())


def test_an_exhausted_pool_has_its_own_error() -> None:
    async def main() -> None:
        pool = PortPool("127.0.0.1", 40000, 40003)
        await pool.bind()
        await pool.bind()
        with pytest.raises(PortsExhausted):
            await pool.bind()

    run(main())


def test_a_range_without_an_even_port_is_exhausted_from_the_start() -> None:
    async def main() -> None:
        with pytest.raises(PortsExhausted):
            await PortPool("127.0.0.1", 40001, 40001).bind()

    run(main())


def test_we_send_to_the_sdp_address_first_and_to_the_nat_once_it_is_latched() -> None:
    async def main() -> None:
        network = virtual_loop().network
        destinations: list[tuple[str, int]] = []
        rtp_socket = await PortPool("127.0.0.1", 40000, 40000).bind()
        rtp_socket.connect(CALLEE)
        rtp_socket.listen(lambda datagram, now: None)

        def note(datagram: bytes, source: tuple[str, int], to: tuple[str, int]) -> list[float]:
            destinations.append(to)
            return []

        network.fate = note
        rtp_socket.send(b"x")
        for seq in range(3):
            rtp_socket.datagram_received(rtp(seq), NAT)
        rtp_socket.send(b"x")
        rtp_socket.datagram_received(rtp(9), ATTACKER)
        rtp_socket.send(b"x")
        assert destinations == [CALLEE, NAT, NAT]
        assert rtp_socket.source == NAT

    run(main())


def test_a_held_peer_is_sent_nothing() -> None:
    async def main() -> None:
        rtp_socket = await PortPool("127.0.0.1", 40000, 40000).bind()
        rtp_socket.connect(("0.0.0.0", 4000))
        virtual_loop().network.fate = lambda *_: pytest.fail("sent to nobody")
        rtp_socket.send(b"x")

    run(main())


def test_datagrams_before_anyone_listens_are_dropped() -> None:
    async def main() -> None:
        rtp_socket = await PortPool("127.0.0.1", 40000, 40000).bind()
        rtp_socket.datagram_received(rtp(1), CALLEE)
        rtp_socket.connect(CALLEE)
        rtp_socket.datagram_received(rtp(2), CALLEE)
        heard: list[bytes] = []
        rtp_socket.listen(lambda datagram, now: heard.append(datagram))
        rtp_socket.datagram_received(rtp(3), CALLEE)
        assert heard == [rtp(3)]

    run(main())


def test_an_unreachable_peer_does_not_stop_a_real_socket() -> None:
    async def main() -> None:
        rtp_socket = await PortPool("127.0.0.1", 20000, 30000).bind()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.bind(("127.0.0.1", 0))
            address = peer.getsockname()
        heard = asyncio.Event()
        rtp_socket.connect(address)
        rtp_socket.listen(lambda datagram, now: heard.set())
        for _ in range(3):
            rtp_socket.send(b"to a closed port")
        rtp_socket.error_received(ConnectionRefusedError())
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.bind(address)
            peer.sendto(rtp(1), rtp_socket.address)
            await asyncio.wait_for(heard.wait(), 10)
        rtp_socket.close()

    asyncio.run(main())


def test_sending_after_the_close_is_nothing() -> None:
    async def main() -> None:
        rtp_socket: RtpSocket = await PortPool("127.0.0.1", 40000, 40000).bind()
        rtp_socket.connect(CALLEE)
        rtp_socket.close()
        rtp_socket.send(b"x")

    run(main())
