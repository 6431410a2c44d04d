import pytest

from server.sip.agent import Address
from server.sip.events import Canceled, Ended, Established, Failed, IncomingInvite
from tests.server.sip.wire import ANSWER, BOB, OFFER, Peer, request, retransmitted

ROUTES = (("Record-Route", "<sip:192.0.2.61;lr>"), ("Record-Route", "<sip:192.0.2.62;lr>"))


def invited(**options):
    peer = Peer()
    invite = request("INVITE", body=OFFER, **options)
    peer.receive(invite)
    return peer, invite


def answered():
    peer, invite = invited()
    peer.sent()
    peer.agent.answer("call-1", ANSWER, peer.now)
    (ok,) = peer.sent()
    return peer, invite, ok


def ack_of(ok, **options):
    return request("ACK", branch="z9hG4bKack", to=str(ok.to), **options)


def test_an_invite_is_announced_and_answered_100():
    peer, invite = invited()
    (trying,) = peer.sent()
    assert trying.status == 100
    assert trying.to.tag is None
    assert peer.events() == [
        IncomingInvite("call-1", "sip:bob@192.0.2.2", "sip:alice@192.0.2.1", invite.uri, OFFER, BOB)
    ]


def test_callers_that_are_no_utf_8_are_announced_as_far_as_they_can_be_read():
    peer = Peer()
    invite = request("INVITE", body=OFFER, to="<sip:f\udcfcr@192.0.2.1>", sender="<sip:\udcfc@x>")
    peer.receive(invite)
    (announced,) = peer.events()
    assert (announced.from_uri, announced.to_uri) == ("sip:\ufffd@x", "sip:f\ufffdr@192.0.2.1")


def test_a_retransmitted_invite_gets_the_last_response_again_and_no_second_call():
    peer, invite = invited()
    peer.agent.ring("call-1", peer.now)
    peer.receive(invite)
    assert [message.status for message in peer.sent()] == [100, 180, 180]
    assert len(peer.events()) == 1


def test_record_route_is_copied_in_order_but_not_into_100():
    peer, _ = invited(fields=ROUTES)
    peer.agent.ring("call-1", peer.now)
    peer.agent.answer("call-1", ANSWER, peer.now)
    trying, ringing, ok = peer.sent()
    routes = [value for _, value in ROUTES]
    assert trying.headers.all("Record-Route") == []
    assert ringing.headers.all("Record-Route") == routes
    assert ok.headers.all("Record-Route") == routes
    assert ringing.to.tag == ok.to.tag is not None


def test_early_media_rings_with_183():
    peer, _ = invited()
    peer.agent.ring("call-1", peer.now, ANSWER)
    _, progress = peer.sent()
    assert (progress.status, progress.body) == (183, ANSWER)


def test_an_answer_is_repeated_until_its_ack():
    peer, _, ok = answered()
    peer.advance(1.6)
    assert peer.sent() == [ok, ok]
    peer.receive(ack_of(ok))
    peer.advance(100.0)
    assert peer.sent() == []
    assert peer.events()[1:] == [Established("call-1")]


def test_a_missing_ack_ends_the_call_with_bye_after_32_seconds():
    peer, _, _ = answered()
    peer.advance(31.9)
    repeats = peer.sent()
    assert [message.status for message in repeats] == [200] * 10
    peer.advance(0.1)
    (bye,) = peer.sent()
    assert bye.method == "BYE"
    assert peer.events()[-1] == Ended("call-1", "local", "No ACK", 408)


def test_an_invite_without_offer_takes_the_description_from_the_ack():
    peer = Peer()
    peer.receive(request("INVITE"))
    assert peer.events()[0].sdp == b""
    peer.agent.answer("call-1", OFFER, peer.now)
    _, ok = peer.sent()
    peer.receive(ack_of(ok, body=ANSWER))
    assert peer.events() == [Established("call-1", ANSWER)]


def test_a_hang_up_before_the_ack_waits_for_it():
    peer, _, ok = answered()
    peer.agent.hang_up("call-1", peer.now)
    assert peer.sent() == []
    assert peer.events()[-1] == Ended("call-1", "local")
    peer.receive(ack_of(ok))
    (bye,) = peer.sent()
    assert bye.method == "BYE"
    assert peer.events() == []


def test_a_refusal_carries_status_and_phrase():
    peer, _ = invited()
    peer.agent.reject("call-1", 486, peer.now, "On another line")
    _, busy = peer.sent()
    assert (busy.status, busy.reason) == (486, "On another line")
    assert peer.events()[-1] == Failed("call-1", 486, "On another line", local=True)


def test_hanging_up_before_answering_declines():
    peer, _ = invited()
    peer.agent.hang_up("call-1", peer.now)
    assert peer.sent()[-1].status == 603


def test_a_cancel_is_answered_and_the_invite_gets_487():
    peer, _ = invited()
    peer.agent.ring("call-1", peer.now)
    peer.sent()
    peer.receive(request("CANCEL"))
    ok, terminated = peer.sent()
    assert (ok.status, ok.cseq.method) == (200, "CANCEL")
    assert (terminated.status, terminated.cseq.method) == (487, "INVITE")
    assert ok.to.tag == terminated.to.tag
    assert peer.events()[-1] == Canceled("call-1")


def test_a_cancel_after_the_answer_changes_nothing():
    peer, _, _ = answered()
    peer.events()
    peer.receive(request("CANCEL"))
    assert [message.status for message in peer.sent()] == [200]
    assert peer.events() == []


def test_commands_after_the_end_do_nothing():
    peer, _ = invited()
    peer.receive(request("CANCEL"))
    peer.sent()
    peer.agent.ring("call-1", peer.now)
    peer.agent.answer("call-1", ANSWER, peer.now)
    peer.agent.reject("call-1", 486, peer.now)
    assert peer.sent() == []


def test_an_undecided_call_is_refused_after_three_minutes():
    peer, _ = invited()
    peer.advance(180.0)
    assert peer.events()[-1] == Failed("call-1", 480, "Temporarily Unavailable", local=True)


def test_a_bye_before_the_answer_gives_the_call_up():
    peer, _ = invited()
    peer.agent.ring("call-1", peer.now)
    ringing = peer.sent()[-1]
    peer.receive(request("BYE", branch="z9hG4bKbye", to=str(ringing.to), cseq=2))
    assert [message.status for message in peer.sent()] == [200, 487]
    assert peer.events()[-1] == Canceled("call-1")


def test_the_same_call_id_on_a_new_branch_is_a_new_call_once_the_first_is_over():
    peer, invite = invited()
    peer.agent.reject("call-1", 486, peer.now)
    peer.events()
    peer.receive(retransmitted(invite, "z9hG4bKtwo"))
    assert isinstance(peer.events()[0], IncomingInvite)


def test_a_call_of_ours_that_comes_back_to_us_gets_a_key_of_its_own():
    peer = Peer()
    ours = peer.invite()
    peer.sent()
    peer.receive(request("INVITE", call_id=ours, body=OFFER))
    (announced,) = peer.events()
    assert announced.call_id != ours
    peer.agent.reject(announced.call_id, 486, peer.now)
    assert [message.status for message in peer.sent()] == [100, 486]


@pytest.mark.parametrize(
    ("via", "destination"),
    [
        ("SIP/2.0/UDP 10.0.0.9:5070;branch=z9hG4bKn;rport", Address("192.0.2.2", 5060)),
        ("SIP/2.0/UDP 10.0.0.9:5070;branch=z9hG4bKn", Address("192.0.2.2", 5070)),
    ],
)
def test_responses_go_where_the_via_says(via, destination):
    peer = Peer()
    invite = request("INVITE", body=OFFER)
    peer.receive(bytes(invite).replace(str(invite.via).encode(), via.encode()))
    assert peer.destinations() == [destination]
