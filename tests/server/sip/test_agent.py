"""Two agents over a network that loses, repeats and reorders."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.sip.events import (
    Answered,
    Canceled,
    Ended,
    Established,
    Failed,
    IncomingInvite,
    Ringing,
    Trying,
)
from tests.server.sip.wire import ALICE, ANSWER, BOB, OFFER, Wire

FINAL = (Failed, Canceled, Ended)


def place(wire, alice):
    return alice.invite(
        target="sip:bob@192.0.2.2",
        destination=BOB,
        from_uri="sip:alice@192.0.2.1",
        sdp=OFFER,
        credentials=None,
        now=wire.now,
    )


def network(**options):
    wire = Wire(**options)
    alice, bob = wire.agent(ALICE, seed=1), wire.agent(BOB, seed=2)

    def pick_up(event):
        if isinstance(event, IncomingInvite):
            bob.ring(event.call_id, wire.now)
            bob.answer(event.call_id, ANSWER, wire.now)

    wire.script(BOB, pick_up)
    return wire, alice, bob


def kinds(events):
    return [type(event) for event in events]


def test_a_call_is_placed_answered_and_hung_up():
    wire, alice, bob = network()
    call_id = place(wire, alice)
    wire.run(1.0)
    assert kinds(wire.events[ALICE]) == [Trying, Ringing, Answered]
    assert kinds(wire.events[BOB]) == [IncomingInvite, Established]
    alice.hang_up(call_id, wire.now)
    wire.run(1.0)
    assert wire.events[ALICE][-1] == Ended(call_id, "local")
    assert wire.events[BOB][-1] == Ended(call_id, "remote")
    wire.settle()
    assert alice.is_idle
    assert bob.is_idle


def test_the_callee_may_hang_up():
    wire, alice, bob = network()
    call_id = place(wire, alice)
    wire.run(1.0)
    bob.hang_up(call_id, wire.now, "done")
    wire.run(1.0)
    assert wire.events[ALICE][-1] == Ended(call_id, "remote", 'Q.850;cause=16;text="done"')


def test_a_ringing_call_is_canceled_on_both_sides():
    wire, alice, bob = network()
    wire.script(BOB, lambda event: None)
    call_id = place(wire, alice)
    wire.run(1.0)
    bob.ring(call_id, wire.now)
    wire.run(1.0)
    alice.hang_up(call_id, wire.now)
    wire.settle()
    assert wire.events[ALICE][-1] == Failed(call_id, 487, "Request Terminated")
    assert wire.events[BOB][-1] == Canceled(call_id)
    assert alice.is_idle
    assert bob.is_idle


@pytest.mark.parametrize("lost", ["ACK", "BYE"])
def test_a_lost_request_is_made_good(lost):
    wire, alice, _ = network()
    remaining = Counter({lost: 3})

    def drop(message):
        method = getattr(message, "method", None)
        remaining[method] -= 1
        return remaining[method] >= 0

    wire.drop = drop
    call_id = place(wire, alice)
    wire.run(10.0)
    assert wire.events[BOB][-1] == Established(call_id)
    alice.hang_up(call_id, wire.now)
    wire.settle()
    assert wire.events[BOB][-1] == Ended(call_id, "remote")


def test_two_calls_at_once_do_not_mix():
    wire, alice, bob = network()
    first, second = place(wire, alice), place(wire, alice)
    wire.run(1.0)
    alice.hang_up(first, wire.now)
    wire.run(1.0)
    ended = [event for event in wire.events[BOB] if isinstance(event, Ended)]
    assert [event.call_id for event in ended] == [first]
    alice.hang_up(second, wire.now)
    wire.settle()
    assert alice.is_idle
    assert bob.is_idle


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    hang_up_after=st.sampled_from([0.0, 0.05, 0.3, 2.0, 40.0]),
    by_callee=st.booleans(),
)
def test_under_heavy_loss_a_call_ends_once_on_both_sides_and_leaves_nothing(
    seed, hang_up_after, by_callee
):
    wire, alice, bob = network(seed=seed, loss=0.3, duplication=0.2, delay_s=0.05, jitter_s=0.4)
    call_id = place(wire, alice)
    wire.run(hang_up_after)
    (bob if by_callee else alice).hang_up(call_id, wire.now)
    wire.run(5.0)
    alice.hang_up(call_id, wire.now)
    wire.settle()
    announced = {event.call_id for event in wire.events[BOB] if isinstance(event, IncomingInvite)}
    ends = {side: [e for e in wire.events[side] if isinstance(e, FINAL)] for side in (ALICE, BOB)}
    assert len(ends[ALICE]) == 1
    assert Counter(event.call_id for event in ends[BOB]) == Counter(announced)
    assert kinds(wire.events[ALICE]).count(Answered) <= 1
    assert alice.is_idle
    assert bob.is_idle
    assert alice.get_timer() is None
    assert bob.get_timer() is None


def test_most_calls_get_through_thirty_percent_loss():
    connected = 0
    for seed in range(100):
        wire, alice, _ = network(seed=seed, loss=0.3, duplication=0.1, jitter_s=0.3)
        place(wire, alice)
        wire.run(30.0)
        is_up = Answered in kinds(wire.events[ALICE]) and Established in kinds(wire.events[BOB])
        connected += is_up
    assert connected >= 97
