import pytest

from server.sip.message import parse_message
from server.sip.timers import Timers
from server.sip.transaction import (
    ClientTransaction,
    NoResponse,
    ServerTransaction,
    Surroundings,
    acknowledge_failure,
)
from tests.server.sip.wire import BOB, request, response


class Bench:
    def __init__(self):
        self.timers, self.moments, self.heard = Timers(), [], []
        self.now = 0.0
        send = lambda data, destination: self.moments.append(self.now)  # noqa: E731
        self.surroundings = Surroundings(self.timers, send, lambda: None)

    def client(self, method):
        return ClientTransaction(
            request(method), BOB, self.surroundings, lambda r, now: self.heard.append((now, r))
        )

    def run(self, until=100.0):
        while (when := self.timers.next()) is not None and when <= until:
            self.now = when
            self.timers.run(when)


def test_an_unanswered_invite_is_repeated_at_doubling_intervals_for_32_seconds():
    bench = Bench()
    bench.client("INVITE").start(0.0)
    bench.run()
    assert bench.moments == [0.0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    assert bench.heard == [(32.0, NoResponse.TIMEOUT)]


def test_an_unanswered_bye_is_repeated_at_intervals_capped_at_t2():
    bench = Bench()
    bench.client("BYE").start(0.0)
    bench.run()
    assert bench.moments == [0.0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert bench.heard == [(32.0, NoResponse.TIMEOUT)]


def test_a_provisional_response_stops_the_invite_from_being_repeated():
    bench = Bench()
    client = bench.client("INVITE")
    client.start(0.0)
    client.receive(response(client.request, 100), 0.1)
    bench.run()
    assert bench.moments == [0.0]
    assert bench.timers.next() is None


def test_a_provisional_response_slows_a_bye_down():
    bench = Bench()
    client = bench.client("BYE")
    client.start(0.0)
    client.receive(response(client.request, 100), 0.0)
    bench.run(10.0)
    assert bench.moments == [0.0, 4.0, 8.0]


def test_a_refusal_is_repeated_until_its_ack_and_given_up_after_32_seconds():
    bench = Bench()
    server = ServerTransaction(request("INVITE"), bench.surroundings)
    server.respond(response(server.request, 486), 0.0)
    bench.run()
    assert bench.moments == [0.0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]


def test_an_ack_stops_a_refusal_from_being_repeated():
    bench = Bench()
    server = ServerTransaction(request("INVITE"), bench.surroundings)
    server.respond(response(server.request, 486), 0.0)
    server.receive(request("ACK"), 0.2)
    bench.run()
    assert bench.moments == [0.0]


def test_a_response_that_comes_too_late_is_dropped():
    bench = Bench()
    server = ServerTransaction(request("INVITE"), bench.surroundings)
    server.respond(response(server.request, 486), 0.0)
    server.respond(response(server.request, 200), 0.0)
    assert len(bench.moments) == 1


@pytest.mark.parametrize("route", [(), (("Route", "<sip:edge;lr>"),)])
def test_the_ack_to_a_refusal_keeps_branch_target_and_route(route):
    invite = request("INVITE", fields=route)
    ack = parse_message(bytes(acknowledge_failure(invite, response(invite, 486))))
    assert ack.method == "ACK"
    assert ack.via == invite.via
    assert ack.uri == invite.uri
    assert ack.to.tag == "callee"
    assert str(ack.cseq) == "1 ACK"
    assert ack.headers.all("Route") == invite.headers.all("Route")
