import pytest

from server.sip.events import OptionsResult
from server.sip.message import parse_message
from tests.server.sip.wire import BOB, OFFER, Peer, request, response, retransmitted


def reply_to(message, *, inbound=True):
    peer = Peer(inbound=inbound)
    peer.receive(message)
    (reply,) = peer.sent()
    assert peer.agent.is_idle
    assert peer.events() == []
    return reply


def test_options_is_answered_with_what_we_can_do():
    reply = reply_to(request("OPTIONS"), inbound=False)
    assert reply.status == 200
    assert "INVITE" in reply.headers.get("Allow")
    assert reply.headers.get("Accept") == "application/sdp"
    assert reply.contact is not None
    assert reply.to.tag is not None


def test_every_invite_is_refused_alike_where_calls_are_not_taken():
    for fields in ((), (("Require", "100rel"),), (("Max-Forwards", "0"),)):
        invite = request("INVITE", fields=fields[:1] if fields != (("Max-Forwards", "0"),) else ())
        assert reply_to(invite, inbound=False).status == 403


def test_a_repeated_request_gets_the_very_same_answer():
    peer = Peer(inbound=False)
    peer.receive(request("INVITE", body=OFFER))
    peer.receive(request("INVITE", body=OFFER))
    first, second = peer.sent()
    assert first == second


@pytest.mark.parametrize(
    ("message", "status"),
    [
        (request("BYE"), 481),
        (request("BYE", to="<sip:a@b>;tag=x"), 481),
        (request("INVITE", to="<sip:a@b>;tag=x"), 481),
        (request("INFO"), 481),
        (request("UPDATE"), 481),
        (request("CANCEL"), 481),
        (request("REGISTER"), 405),
        (request("MESSAGE"), 405),
        (request("FROBNICATE"), 501),
        (request("INVITE", fields=(("Require", "100rel, timer"),)), 420),
        (request("INVITE", body=b"x", content_type="text/plain"), 415),
        (request("INVITE", body=OFFER, fields=(("Content-Encoding", "gzip"),)), 415),
        (request("INVITE", fields=(("Accept", "text/plain"),)), 406),
    ],
)
def test_a_request_that_we_cannot_serve_is_told_why(message, status):
    assert reply_to(message).status == status


def test_what_is_required_and_unknown_is_named():
    reply = reply_to(request("INVITE", fields=(("Require", "100rel"),)))
    assert reply.headers.get("Unsupported") == "100rel"


def test_a_request_at_the_end_of_its_hops_is_a_loop():
    data = bytes(request("INVITE", body=OFFER)).replace(b"Forwards: 70", b"Forwards: 0")
    assert reply_to(data).status == 483


def test_a_merged_invite_is_refused_while_the_first_is_pending():
    peer = Peer()
    invite = request("INVITE", body=OFFER)
    peer.receive(invite)
    peer.receive(retransmitted(invite, "z9hG4bKtwo"))
    assert [message.status for message in peer.sent()] == [100, 482]


def test_an_ack_to_nothing_is_ignored():
    peer = Peer()
    peer.receive(request("ACK", to="<sip:a@b>;tag=x"))
    assert peer.sent() == []


def test_a_malformed_request_is_told_so_at_its_source():
    peer = Peer()
    data = bytes(request("OPTIONS")).replace(b"CSeq: 1 ", b"CSeq: x ")
    peer.receive(data)
    ((reply, destination),) = peer.agent.datagrams_to_send()
    assert reply.startswith(b"SIP/2.0 400 Malformed CSeq\r\n")
    assert destination == BOB


def test_keepalives_and_noise_are_ignored():
    peer = Peer()
    for data in (b"", b"\r\n\r\n", b"\0\0\0\0", b"\x80" * 200):
        peer.receive(data)
    assert peer.sent() == []


def test_a_response_with_two_vias_is_not_ours():
    peer = Peer()
    peer.invite()
    (invite,) = peer.sent()
    reply = response(invite, 180)
    doubled = bytes(reply).replace(b"From:", b"Via: SIP/2.0/UDP other;branch=z9hG4bKo\r\nFrom:", 1)
    assert parse_message(doubled)
    peer.receive(doubled)
    assert peer.events() == []


def test_a_ping_reports_any_response_and_the_round_trip():
    peer = Peer()
    call_id = peer.agent.options(destination=BOB, now=peer.now)
    (ping,) = peer.sent()
    assert ping.contact is not None
    peer.now = 0.25
    peer.receive(response(ping, 404))
    assert peer.events() == [OptionsResult(call_id, 404, 0.25)]


def test_a_ping_that_nobody_answers_reports_a_local_408():
    peer = Peer()
    call_id = peer.agent.options(destination=BOB, now=peer.now)
    peer.advance(32.0)
    assert peer.events() == [OptionsResult(call_id, 408, 32.0, local=True)]
    assert peer.agent.is_idle
