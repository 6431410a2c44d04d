import pytest

from server.sip.digest import Credentials, digest_fields
from server.sip.events import Answered, Ended, Failed, Ringing, Trying
from tests.server.sip.wire import ANSWER, BOB, OFFER, Peer, request, response

CHALLENGE = ("Proxy-Authenticate", 'Digest realm="trunk", nonce="n1", qop="auth,auth-int"')
OK = {"sdp": ANSWER}


def calling(**options):
    """A peer whose INVITE is out, the INVITE, and the call_id."""
    peer = Peer()
    call_id = peer.invite(**options)
    (invite,) = peer.sent()
    return peer, invite, call_id


def answered():
    peer, invite, call_id = calling()
    peer.receive(response(invite, 200, **OK))
    (ack,) = peer.sent()
    peer.events()
    return peer, invite, ack, call_id


def test_the_invite_names_trunk_caller_and_media():
    _, invite, call_id = calling(from_display='The "Firm"', headers={"X-Job": "7"})
    assert invite.uri == "sip:+16475551234@trunk.example"
    assert invite.headers.get("To") == "<sip:+16475551234@trunk.example>"
    assert invite.from_.display == 'The "Firm"'
    assert invite.headers.get("Contact") == "<sip:offhook@192.0.2.1:5060>"
    assert invite.headers.get("X-Job") == "7"
    assert invite.call_id == call_id
    assert invite.body == OFFER
    assert "rport" in invite.via.parameters


def test_progress_is_reported_as_it_comes():
    peer, invite, call_id = calling()
    for status, sdp in ((100, b""), (100, b""), (180, b""), (183, ANSWER)):
        peer.receive(response(invite, status, sdp=sdp))
    assert peer.events() == [
        Trying(call_id),
        Ringing(call_id, 180, None),
        Ringing(call_id, 183, ANSWER),
    ]


def test_an_answer_is_acknowledged_at_the_callees_contact():
    peer, invite, call_id = calling()
    contact = ("Contact", "<sip:desk@192.0.2.9:5090>")
    peer.receive(response(invite, 200, fields=(contact,), **OK))
    ((data, destination),) = peer.agent.datagrams_to_send()
    assert data.startswith(b"ACK sip:desk@192.0.2.9:5090 SIP/2.0\r\n")
    assert (destination.host, destination.port) == ("192.0.2.9", 5090)
    assert peer.events() == [Answered(call_id, ANSWER)]


def test_early_media_stands_in_for_an_answer_without_sdp():
    peer, invite, call_id = calling()
    peer.receive(response(invite, 183, tag="one", sdp=ANSWER))
    peer.receive(response(invite, 183, tag="two", sdp=OFFER))
    peer.receive(response(invite, 200, tag="one"))
    assert peer.events()[-1] == Answered(call_id, ANSWER)


def test_a_repeated_answer_is_acknowledged_again_and_reported_once():
    peer, invite, ack, _ = answered()
    peer.receive(response(invite, 200, **OK))
    assert peer.sent() == [ack]
    peer.advance(60.0)
    peer.receive(response(invite, 200, **OK))
    assert peer.sent() == [ack]
    assert peer.events() == []


def test_a_second_callee_that_answers_is_acknowledged_and_hung_up():
    peer, invite, _, _ = answered()
    peer.receive(response(invite, 200, tag="loser", **OK))
    ack, bye = peer.sent()
    assert (ack.method, ack.to.tag) == ("ACK", "loser")
    assert (bye.method, bye.to.tag) == ("BYE", "loser")
    peer.receive(response(bye, 200))
    assert peer.events() == []
    assert not peer.agent.is_idle


@pytest.mark.parametrize("status", [302, 403, 404, 480, 486, 503, 603])
def test_a_refusal_is_acknowledged_and_ends_the_call(status):
    peer, invite, call_id = calling()
    peer.receive(response(invite, status, fields=(("Retry-After", "30 (soon);duration=5"),)))
    (ack,) = peer.sent()
    assert ack.method == "ACK"
    assert ack.via == invite.via
    assert peer.events() == [Failed(call_id, status, "Reason", 30)]


def test_a_phrase_that_is_no_utf_8_is_reported_as_far_as_it_can_be_read():
    peer, invite, call_id = calling()
    raw = bytes(response(invite, 486)).replace(b"486 Reason", b"486 Besetzt f\xfcr Sie", 1)
    peer.receive(raw)
    assert peer.events() == [Failed(call_id, 486, "Besetzt f\ufffdr Sie")]


def test_no_response_at_all_fails_with_a_local_408():
    peer, _, call_id = calling()
    peer.advance(32.0)
    assert peer.events() == [Failed(call_id, 408, "Request Timeout", local=True)]
    assert peer.agent.is_idle


def test_an_unreachable_network_fails_with_a_local_503():
    peer, _, call_id = calling()
    peer.agent.transport_failed(BOB, peer.now)
    assert peer.events() == [Failed(call_id, 503, "Service Unavailable", local=True)]


def test_a_challenge_is_answered_in_a_new_transaction_of_the_same_call():
    peer, invite, _ = calling(credentials=Credentials("user", "secret"))
    peer.receive(response(invite, 407, fields=(CHALLENGE,)))
    ack, retry = peer.sent()
    assert (ack.method, ack.via) == ("ACK", invite.via)
    assert retry.cseq.number == invite.cseq.number + 1
    assert retry.via.branch != invite.via.branch
    assert retry.from_ == invite.from_
    assert retry.call_id == invite.call_id
    assert retry.to.tag is None
    assert retry.body == OFFER
    fields = digest_fields(retry.headers.get("Proxy-Authorization"))
    assert (fields["qop"], fields["nc"]) == ("auth", "00000001")
    assert peer.events() == []


def test_a_challenge_repeated_with_the_same_nonce_fails_the_call():
    peer, invite, call_id = calling(credentials=Credentials("user", "wrong"))
    peer.receive(response(invite, 407, fields=(CHALLENGE,)))
    _, retry = peer.sent()
    peer.receive(response(retry, 407, fields=(CHALLENGE,)))
    assert peer.events() == [Failed(call_id, 407, "Reason")]


def test_a_challenge_without_credentials_fails_the_call():
    peer, invite, call_id = calling()
    peer.receive(response(invite, 401, fields=(CHALLENGE,)))
    assert peer.events() == [Failed(call_id, 401, "Reason")]


def test_the_ack_of_an_authenticated_call_carries_the_credentials():
    peer, invite, _ = calling(credentials=Credentials("user", "secret"))
    peer.receive(response(invite, 407, fields=(CHALLENGE,)))
    retry = peer.sent()[1]
    peer.receive(response(retry, 200, **OK))
    (ack,) = peer.sent()
    assert ack.headers.get("Proxy-Authorization") == retry.headers.get("Proxy-Authorization")
    assert ack.cseq.number == retry.cseq.number


def test_cancel_waits_for_the_first_provisional_response():
    peer, invite, call_id = calling()
    peer.agent.hang_up(call_id, peer.now)
    assert peer.sent() == []
    peer.receive(response(invite, 100))
    (cancel,) = peer.sent()
    assert cancel.method == "CANCEL"
    assert cancel.via == invite.via
    assert cancel.cseq.number == invite.cseq.number
    assert cancel.uri == invite.uri


def test_a_487_after_cancel_ends_the_call():
    peer, invite, call_id = calling()
    peer.receive(response(invite, 180))
    peer.agent.hang_up(call_id, peer.now)
    peer.receive(response(invite, 487))
    assert peer.events()[-1] == Failed(call_id, 487, "Reason")


def test_cancel_twice_sends_one():
    peer, invite, call_id = calling()
    peer.receive(response(invite, 180))
    peer.agent.hang_up(call_id, peer.now)
    peer.agent.hang_up(call_id, peer.now)
    assert len(peer.sent()) == 1


def test_an_answer_that_crosses_the_cancel_is_acknowledged_and_hung_up():
    peer, invite, call_id = calling()
    peer.receive(response(invite, 180))
    peer.agent.hang_up(call_id, peer.now)
    peer.sent()
    peer.receive(response(invite, 200, **OK))
    assert [message.method for message in peer.sent()] == ["ACK", "BYE"]
    assert peer.events()[-1] == Failed(call_id, 487, "Request Terminated", local=True)


def test_a_cancel_that_nobody_follows_up_is_abandoned_after_32_seconds():
    peer, invite, call_id = calling()
    peer.receive(response(invite, 180))
    peer.agent.hang_up(call_id, peer.now)
    (cancel,) = peer.sent()
    peer.receive(response(cancel, 200))
    peer.advance(32.0)
    assert peer.events()[-1] == Failed(call_id, 487, "Request Terminated", local=True)
    assert peer.agent.is_idle


def test_a_cancel_before_any_response_does_not_hide_behind_408():
    peer, _, call_id = calling()
    peer.agent.hang_up(call_id, peer.now)
    peer.advance(32.0)
    assert peer.events() == [Failed(call_id, 487, "Request Terminated", local=True)]


def test_a_challenge_after_cancel_is_not_answered():
    peer, invite, call_id = calling(credentials=Credentials("user", "secret"))
    peer.agent.hang_up(call_id, peer.now)
    peer.receive(response(invite, 407, fields=(CHALLENGE,)))
    assert [message.method for message in peer.sent()] == ["ACK"]
    assert peer.events() == [Failed(call_id, 487, "Request Terminated", local=True)]


def test_a_response_with_a_foreign_branch_changes_nothing():
    peer, _, _ = calling()
    peer.receive(response(request("INVITE"), 200, **OK))
    assert peer.events() == []
    assert peer.sent() == []


def test_a_request_before_the_answer_meets_no_dialog():
    peer, invite, call_id = calling()
    peer.receive(response(invite, 180))
    ours = f"<sip:us@x>;tag={invite.from_.tag}"
    theirs = "<sip:them@x>;tag=callee"
    peer.receive(request("INFO", call_id=call_id, to=ours, sender=theirs))
    (reply,) = peer.sent()
    assert reply.status == 481


def test_hanging_up_an_unknown_call_does_nothing():
    peer = Peer()
    peer.agent.hang_up("nothing", 0.0)
    assert peer.sent() == []


def test_hang_up_sends_bye_and_reports_at_once():
    peer, invite, ack, call_id = answered()
    peer.agent.hang_up(call_id, peer.now, 'said "bye"')
    peer.agent.hang_up(call_id, peer.now)
    (bye,) = peer.sent()
    assert (bye.method, bye.uri, bye.to) == ("BYE", ack.uri, ack.to)
    assert bye.cseq.number == invite.cseq.number + 1
    assert bye.headers.get("Reason") == 'Q.850;cause=16;text="said \\"bye\\""'
    assert peer.events() == [Ended(call_id, "local", 'said "bye"')]
    peer.receive(response(bye, 200))
    peer.advance(60.0)
    assert peer.agent.is_idle
