import pytest

from server.sip.digest import Credentials
from server.sip.events import DtmfInfo, Ended
from tests.server.sip.wire import ANSWER, OFFER, Peer, request, response

REALM = ("WWW-Authenticate", 'Digest realm="{}", nonce="n9", qop="auth"')


class Talk:
    """An answered call of ours, and the far end's requests inside it."""

    def __init__(self, **options):
        self.peer = Peer()
        self.call_id = self.peer.invite(**options)
        (self.invite,) = self.peer.sent()
        self._cseq = 0

    def answered(self, invite=None):
        self.peer.receive(response(invite or self.invite, 200, sdp=ANSWER))
        self.peer.sent()
        self.peer.events()
        return self

    def request(self, method, *, tag="callee", cseq=None, **options):
        """Send a request as the callee and return the first response."""
        self._cseq += 1
        self.peer.receive(
            request(
                method,
                branch=f"z9hG4bK{method}{self._cseq}",
                call_id=self.call_id,
                to=f"<sip:us@x>;tag={self.invite.from_.tag}",
                sender=f"<sip:them@x>;tag={tag}",
                cseq=cseq or self._cseq,
                **options,
            )
        )
        return self.peer.sent()[0]


@pytest.fixture
def talk():
    return Talk().answered()


def test_a_bye_ends_the_call_and_tells_why(talk):
    reason = 'Q.850;cause=16;text="Normal"'
    assert talk.request("BYE", fields=(("Reason", reason),)).status == 200
    assert talk.peer.events() == [Ended(talk.call_id, "remote", reason)]
    talk.peer.advance(60.0)
    assert talk.peer.agent.is_idle


def test_a_line_break_in_a_reason_smuggles_no_field_in(talk):
    talk.peer.agent.hang_up(talk.call_id, talk.peer.now, "bye\r\nRoute: <sip:evil>")
    (bye,) = talk.peer.sent()
    assert bye.headers.get("Route") is None
    assert bye.headers.get("Reason") == 'Q.850;cause=16;text="bye Route: <sip:evil>"'


def test_a_forged_bye_with_another_tag_is_refused(talk):
    assert talk.request("BYE", tag="mallory").status == 481
    assert talk.peer.events() == []


def test_a_retransmitted_bye_gets_the_same_answer(talk):
    bye = request(
        "BYE",
        call_id=talk.call_id,
        to=f"<sip:us@x>;tag={talk.invite.from_.tag}",
        sender="<sip:them@x>;tag=callee",
    )
    talk.peer.receive(bye)
    talk.peer.receive(bye)
    first, second = talk.peer.sent()
    assert first == second
    assert len(talk.peer.events()) == 1


def test_a_bye_that_crosses_ours_is_answered_200(talk):
    talk.peer.agent.hang_up(talk.call_id, talk.peer.now)
    talk.peer.sent()
    assert talk.request("BYE").status == 200
    assert len(talk.peer.events()) == 1


def test_a_refresh_of_the_same_media_is_answered_with_our_description(talk):
    ok = talk.request("INVITE", body=ANSWER.replace(b"1 1 IN", b"1 2 IN"))
    assert (ok.status, ok.body) == (200, OFFER)
    assert ok.contact is not None
    ack = request(
        "ACK",
        branch="z9hG4bKa",
        call_id=talk.call_id,
        to=str(ok.to),
        sender=str(ok.from_),
        cseq=ok.cseq.number,
    )
    talk.peer.receive(ack)
    talk.peer.advance(60.0)
    assert talk.peer.sent() == []
    assert talk.peer.events() == []


def test_a_refresh_whose_ack_never_comes_ends_the_call(talk):
    talk.request("INVITE", body=ANSWER)
    talk.peer.advance(32.0)
    assert talk.peer.sent()[-1].method == "BYE"
    assert talk.peer.events() == [Ended(talk.call_id, "local", "No ACK", 408)]


def test_other_media_is_refused_and_the_call_goes_on(talk):
    assert talk.request("INVITE", body=ANSWER + b"a=sendonly\r\n").status == 488
    assert talk.request("UPDATE", body=ANSWER.replace(b"4000", b"5000")).status == 488
    assert talk.peer.events() == []


def test_an_invite_during_another_is_told_to_come_back(talk):
    talk.request("INVITE", body=ANSWER)
    reply = talk.request("INVITE", body=ANSWER)
    assert reply.status == 500
    assert reply.headers.get("Retry-After") is not None


def test_an_update_without_body_is_a_refresh(talk):
    reply = talk.request("UPDATE")
    assert (reply.status, reply.body) == (200, b"")


def test_a_refresh_moves_the_target_of_our_bye(talk):
    talk.request("UPDATE", fields=(("Contact", "<sip:second@192.0.2.2>"),))
    talk.peer.agent.hang_up(talk.call_id, talk.peer.now)
    assert talk.peer.sent()[0].uri == "sip:bob@192.0.2.2"


def test_a_digit_in_info_is_reported(talk):
    body = {"body": b"Signal=7\r\nDuration=100", "content_type": "application/dtmf-relay"}
    assert talk.request("INFO", **body).status == 200
    assert talk.peer.events() == [DtmfInfo(talk.call_id, "7")]


def test_other_info_is_refused_but_an_empty_one_is_not(talk):
    assert talk.request("INFO").status == 200
    assert talk.request("INFO", body=b"<x/>", content_type="text/xml").status == 415


@pytest.mark.parametrize(
    ("method", "status"), [("OPTIONS", 200), ("MESSAGE", 405), ("REFER", 405), ("FROBNICATE", 501)]
)
def test_every_other_method_is_answered_with_what_we_allow(talk, method, status):
    reply = talk.request(method)
    assert reply.status == status
    assert "BYE" in reply.headers.get("Allow")


def test_a_request_out_of_order_is_refused(talk):
    talk.request("INFO", cseq=10)
    assert talk.request("INFO", cseq=9).status == 500


def test_a_challenged_bye_is_answered_for_the_realm_of_the_invite():
    talk = Talk(credentials=Credentials("user", "secret"))
    name, value = REALM
    talk.peer.receive(response(talk.invite, 401, fields=((name, value.format("trunk")),)))
    talk.answered(talk.peer.sent()[1])
    talk.peer.agent.hang_up(talk.call_id, talk.peer.now)
    (bye,) = talk.peer.sent()
    talk.peer.receive(response(bye, 401, fields=((name, value.format("trunk")),)))
    (retry,) = talk.peer.sent()
    assert retry.method == "BYE"
    assert retry.cseq.number == bye.cseq.number + 1
    assert "nc=00000002" in retry.headers.get("Authorization")


def test_a_callee_that_challenges_our_bye_learns_no_digest():
    talk = Talk(credentials=Credentials("user", "secret")).answered()
    talk.peer.agent.hang_up(talk.call_id, talk.peer.now)
    (bye,) = talk.peer.sent()
    name, value = REALM
    talk.peer.receive(response(bye, 401, fields=((name, value.format("evil")),)))
    assert talk.peer.sent() == []


def test_a_cause_that_is_no_utf_8_is_reported_as_far_as_it_can_be_read():
    talk = Talk().answered()
    talk.request("BYE", fields=(("Reason", 'SIP;text="f\udcfcr"'),))
    assert talk.peer.events() == [Ended(talk.call_id, "remote", 'SIP;text="f\ufffdr"')]
