"""Mutated messages: never an exception, never state that stays."""

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from server.sip.digest import Credentials
from tests.server.sip.wire import ALICE, ANSWER, BOB, OFFER, Peer, Wire, request, response

VECTORS = sorted((Path(__file__).parents[2] / "vectors/sip").glob("*.sip"))
SEEDS = [path.read_bytes() for path in VECTORS]
PIECES = [b"\r\n", b";", b",", b'"', b"<", b">", b"=", b":", b"@", b"\0", b"\xff", b" ", b"tag="]
PIECES += [b"9" * 30, b"-1", b"sip:", b"[", b"]", b"%00", b"z9hG4bK", b"Via: ", b"v=0"]

edits = st.lists(
    st.tuples(
        st.floats(0, 1, exclude_max=True),
        st.integers(0, 12),
        st.one_of(st.sampled_from(PIECES), st.binary(max_size=6)),
    ),
    min_size=1,
    max_size=6,
)


def mutated(data, changes):
    for where, removed, inserted in changes:
        position = int(where * len(data))
        data = data[:position] + inserted + data[position + removed :]
    return data


def conversation():
    """A peer in the midst of two calls, and messages that fit them."""
    peer = Peer()
    peer.invite(credentials=Credentials("user", "secret"))
    (invite,) = peer.sent()
    incoming = request("INVITE", body=OFFER)
    peer.receive(incoming)
    peer.agent.answer("call-1", ANSWER, peer.now)
    ok = peer.sent()[-1]
    challenge = ("WWW-Authenticate", 'Digest realm="r", nonce="n", qop="auth", algorithm=MD5')
    inside = {"to": str(ok.to), "cseq": 2}
    return peer, [
        bytes(response(invite, 183, sdp=ANSWER)),
        bytes(response(invite, 401, fields=(challenge,))),
        bytes(response(invite, 200, sdp=ANSWER)),
        bytes(request("ACK", to=str(ok.to), branch="z9hG4bKack")),
        bytes(request("CANCEL")),
        bytes(request("UPDATE", branch="z9hG4bKu", body=OFFER, **inside)),
        bytes(request("INFO", branch="z9hG4bKi", body=b"Signal=1", **inside)),
        bytes(request("BYE", branch="z9hG4bKb", **inside)),
    ]


@settings(max_examples=250, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 99), edits), min_size=1, max_size=8))
def test_mutated_messages_never_raise_and_leave_no_state(plan):
    peer, fitting = conversation()
    seeds = SEEDS + fitting * 3
    for choice, changes in plan:
        peer.receive(mutated(seeds[choice % len(seeds)], changes))
        peer.destinations()
        assert len(peer.agent._core.transactions) <= 2 + len(plan) * 2
    for event in peer.events():
        if hasattr(event, "call_id"):
            peer.agent.hang_up(event.call_id, peer.now)
    peer.advance(200.0)
    for event in peer.events():
        peer.agent.hang_up(event.call_id, peer.now)
    peer.advance(200.0)
    assert peer.agent.is_idle
    assert peer.agent.get_timer() is None


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_noise_never_raises(data):
    peer = Peer()
    peer.receive(data)
    assert peer.agent.is_idle


def test_a_flood_of_scans_leaves_nothing_behind():
    wire = Wire()
    agent = wire.agent(ALICE, inbound=False)
    for number in range(500):
        for method in ("INVITE", "REGISTER", "OPTIONS", "BYE"):
            scan = request(method, branch=f"z9hG4bK{number}", call_id=f"scan-{number}")
            agent.receive_datagram(bytes(scan), BOB, 0.0)
    assert len(agent.datagrams_to_send()) == 2000
    assert agent.is_idle
    assert agent.get_timer() is None
