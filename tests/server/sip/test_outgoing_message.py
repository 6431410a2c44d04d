"""MESSAGE outside of dialogs (RFC 3428)."""

import pytest

from server.sip.agent import MAX_TEXT_BYTES
from server.sip.digest import Credentials, digest_fields
from server.sip.errors import UsageError
from server.sip.events import MessageResult
from tests.server.sip.wire import BOB, Peer, response

CHALLENGE = ("Proxy-Authenticate", 'Digest realm="trunk", nonce="n1", qop="auth"')


def texting(**options):
    """A peer whose MESSAGE is out, the MESSAGE, and the call_id."""
    peer = Peer()
    arguments = {
        "target": "sip:+16475551234@trunk.example",
        "destination": BOB,
        "from_uri": "sip:+16475550000@trunk.example",
        "text": "Your link: https://pay.example/1 — thanks",
        "credentials": None,
        "now": peer.now,
    }
    call_id = peer.agent.message(**(arguments | options))
    (message,) = peer.sent()
    return peer, message, call_id


def test_a_message_carries_its_text_and_sets_up_nothing():
    _, message, call_id = texting()
    assert (message.method, message.uri) == ("MESSAGE", "sip:+16475551234@trunk.example")
    assert message.body.decode() == "Your link: https://pay.example/1 — thanks"
    assert message.headers.get("Content-Type") == "text/plain;charset=UTF-8"
    assert message.headers.get("Contact") is None
    assert message.call_id == call_id


@pytest.mark.parametrize("status", [200, 202, 404, 486, 603])
def test_the_final_response_is_the_result(status):
    peer, message, call_id = texting()
    peer.receive(response(message, 100))
    assert peer.events() == []
    peer.receive(response(message, status))
    assert peer.events() == [MessageResult(call_id, status, "Reason")]


def test_a_challenge_is_answered_once():
    peer, message, call_id = texting(credentials=Credentials("user", "secret"))
    peer.receive(response(message, 407, fields=(CHALLENGE,)))
    (again,) = peer.sent()
    assert digest_fields(again.headers.get("Proxy-Authorization"))["username"] == "user"
    assert again.cseq.number == message.cseq.number + 1
    assert again.via.branch != message.via.branch
    peer.receive(response(again, 407, fields=(CHALLENGE,)))
    assert peer.sent() == []
    assert peer.events() == [MessageResult(call_id, 407, "Reason")]


def test_without_credentials_a_challenge_is_the_end():
    peer, message, call_id = texting()
    peer.receive(response(message, 401, fields=(CHALLENGE,)))
    assert peer.events() == [MessageResult(call_id, 401, "Reason")]


def test_a_lost_message_is_repeated_and_given_up_after_timer_f():
    peer, message, call_id = texting()
    peer.advance(31.9)
    assert {bytes(copy) for copy in peer.sent()} == {bytes(message)}
    assert peer.events() == []
    peer.advance(0.2)
    (result,) = peer.events()
    assert (result.call_id, result.status, result.local) == (call_id, 408, True)
    peer.advance(64)
    assert peer.agent.is_idle


@pytest.mark.parametrize(
    "options",
    [
        {"text": "x" * (MAX_TEXT_BYTES + 1)},
        {"text": "a\0b"},
        {"target": "tel:+16475551234"},
        {"from_display": "a\r\nX: y"},
    ],
)
def test_what_cannot_be_sent_is_refused(options):
    with pytest.raises(UsageError):
        texting(**options)
