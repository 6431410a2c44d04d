import random

import pytest

from server.sip.core import Core
from server.sip.dialog import Dialog
from server.sip.events import Address
from tests.server.sip.wire import ALICE, request, response

EDGE = Address("192.0.2.50", 5060)
ROUTES = (("Record-Route", "<sip:192.0.2.61;lr>, <sip:192.0.2.62;lr>"),)
CORE = Core(ALICE, "Offhook", "offhook", random.Random(1))


def outgoing(*, contact="<sip:bob@192.0.2.2>", routes=ROUTES, peer=EDGE):
    invite = request("INVITE", sender="<sip:us@trunk>;tag=ours", to="<sip:them@trunk>")
    fields = (("Contact", contact), *routes) if contact else routes
    return Dialog.from_response(invite, response(invite, 200, fields=fields), peer)


def test_the_caller_reverses_the_route_set():
    ack = outgoing().request(CORE, "ACK", cseq=1)
    assert ack.headers.all("Route") == ["<sip:192.0.2.62;lr>", "<sip:192.0.2.61;lr>"]
    assert ack.uri == "sip:bob@192.0.2.2"


def test_the_callee_keeps_the_route_set_in_wire_order():
    dialog = Dialog.from_request(request("INVITE", fields=ROUTES), "ours", EDGE)
    bye = dialog.request(CORE, "BYE")
    assert bye.headers.all("Route") == ["<sip:192.0.2.61;lr>", "<sip:192.0.2.62;lr>"]
    assert bye.from_.tag == "ours"
    assert bye.to.tag == "caller"


def test_a_strict_router_becomes_the_request_uri_and_the_target_goes_last():
    dialog = outgoing(routes=(("Record-Route", "<sip:192.0.2.61>"),))
    bye = dialog.request(CORE, "BYE")
    assert bye.uri == "sip:192.0.2.61"
    assert bye.headers.all("Route") == ["<sip:bob@192.0.2.2>"]


def test_the_first_route_is_the_next_hop():
    assert outgoing().next_hop() == Address("192.0.2.62", 5060)


def test_without_routes_the_contact_is_the_next_hop():
    dialog = outgoing(contact="<sip:bob@192.0.2.2:5080>", routes=())
    assert dialog.next_hop() == Address("192.0.2.2", 5080)


@pytest.mark.parametrize("contact", ["<sip:bob@sbc.carrier.example>", "<sip:bob@127.0.0.1>"])
def test_a_contact_that_leads_nowhere_falls_back_to_where_the_peer_was_met(contact):
    assert outgoing(contact=contact, routes=()).next_hop() == EDGE


def test_a_private_contact_of_a_public_peer_falls_back_to_where_the_peer_was_met():
    public = Address("8.8.8.8", 5060)
    dialog = outgoing(contact="<sip:bob@10.0.0.5>", routes=(), peer=public)
    assert dialog.next_hop() == public


def test_each_request_takes_the_next_number_and_an_ack_that_of_its_invite():
    dialog = outgoing()
    assert dialog.request(CORE, "ACK", cseq=1).cseq.number == 1
    assert dialog.request(CORE, "INFO").cseq.number == 2
    assert dialog.request(CORE, "BYE").cseq.number == 3


def test_a_request_out_of_order_is_not_accepted():
    dialog = Dialog.from_request(request("INVITE", cseq=5), "ours", EDGE)
    assert not dialog.accepts(request("INFO", cseq=4))
    assert dialog.accepts(request("INFO", cseq=9))
    assert not dialog.accepts(request("INFO", cseq=8))


def test_a_target_refresh_moves_the_target_but_not_the_routes():
    dialog = outgoing()
    fields = (("Record-Route", "<sip:192.0.2.99;lr>"),)
    dialog.refresh_target(request("INVITE", fields=fields))
    assert dialog.target == "sip:bob@192.0.2.2"
    assert len(dialog.routes) == 2
