"""Every row of the four machines, driven on a real transaction."""

import pytest

from server.sip.timers import Timers
from server.sip.transaction import (
    ClientTransaction,
    NoResponse,
    ServerTransaction,
    Surroundings,
)
from server.sip.transaction_tables import (
    INVITE_CLIENT,
    INVITE_SERVER,
    NON_INVITE_CLIENT,
    NON_INVITE_SERVER,
    Command,
    Do,
    State,
    Timer,
    Wire,
)
from tests.server.sip.wire import BOB, request, response

# machine, states to pass through by these stimuli, the stimulus, then what must follow:
# state, datagrams sent, what the user hears.
S, W, C, T = State, Wire, Command, Timer
TO_ACCEPTED, TO_COMPLETED = (W.SUCCESS,), (W.FAILURE,)
CLIENT_ROWS = [
    ("INVITE", (), T.A, S.TRYING, ["INVITE"], []),
    ("INVITE", (), T.B, S.TERMINATED, [], [NoResponse.TIMEOUT]),
    ("INVITE", (), W.TRANSPORT_ERROR, S.TERMINATED, [], [NoResponse.UNREACHABLE]),
    ("INVITE", (), W.PROVISIONAL, S.PROCEEDING, [], [180]),
    ("INVITE", (), W.SUCCESS, S.ACCEPTED, [], [200]),
    ("INVITE", (), W.FAILURE, S.COMPLETED, ["ACK"], [486]),
    ("INVITE", (W.PROVISIONAL,), W.PROVISIONAL, S.PROCEEDING, [], [180]),
    ("INVITE", (W.PROVISIONAL,), W.SUCCESS, S.ACCEPTED, [], [200]),
    ("INVITE", (W.PROVISIONAL,), W.FAILURE, S.COMPLETED, ["ACK"], [486]),
    ("INVITE", (W.PROVISIONAL,), C.ABANDON, S.TERMINATED, [], [NoResponse.TIMEOUT]),
    ("INVITE", TO_ACCEPTED, W.SUCCESS, S.ACCEPTED, [], [200]),
    ("INVITE", TO_ACCEPTED, T.M, S.TERMINATED, [], []),
    ("INVITE", TO_COMPLETED, W.FAILURE, S.COMPLETED, ["ACK"], []),
    ("INVITE", TO_COMPLETED, T.D, S.TERMINATED, [], []),
    ("BYE", (), T.E, S.TRYING, ["BYE"], []),
    ("BYE", (), T.F, S.TERMINATED, [], [NoResponse.TIMEOUT]),
    ("BYE", (), W.TRANSPORT_ERROR, S.TERMINATED, [], [NoResponse.UNREACHABLE]),
    ("BYE", (), W.PROVISIONAL, S.PROCEEDING, [], [180]),
    ("BYE", (), W.SUCCESS, S.COMPLETED, [], [200]),
    ("BYE", (), W.FAILURE, S.COMPLETED, [], [486]),
    ("BYE", (W.PROVISIONAL,), T.E_PROCEEDING, S.PROCEEDING, ["BYE"], []),
    ("BYE", (W.PROVISIONAL,), T.F, S.TERMINATED, [], [NoResponse.TIMEOUT]),
    ("BYE", (W.PROVISIONAL,), W.TRANSPORT_ERROR, S.TERMINATED, [], [NoResponse.UNREACHABLE]),
    ("BYE", (W.PROVISIONAL,), W.PROVISIONAL, S.PROCEEDING, [], [180]),
    ("BYE", (W.PROVISIONAL,), W.SUCCESS, S.COMPLETED, [], [200]),
    ("BYE", (W.PROVISIONAL,), W.FAILURE, S.COMPLETED, [], [486]),
    ("BYE", TO_ACCEPTED, T.K, S.TERMINATED, [], []),
]
PROVISIONAL, ACCEPTED = (C.PROVISIONAL,), (C.SUCCESS,)
COMPLETED, CONFIRMED = (C.FAILURE,), (C.FAILURE, W.ACK)
SERVER_ROWS = [
    ("INVITE", (), W.CANCEL, S.PROCEEDING, [], ["CANCEL"]),
    ("INVITE", (), C.PROVISIONAL, S.PROCEEDING, [180], []),
    ("INVITE", (), C.SUCCESS, S.ACCEPTED, [200], []),
    ("INVITE", (), C.FAILURE, S.COMPLETED, [486], []),
    ("INVITE", PROVISIONAL, W.REQUEST, S.PROCEEDING, [180], []),
    ("INVITE", ACCEPTED, C.SUCCESS, S.ACCEPTED, [200], []),
    ("INVITE", ACCEPTED, W.ACK, S.ACCEPTED, [], ["ACK"]),
    ("INVITE", ACCEPTED, T.L, S.TERMINATED, [], []),
    ("INVITE", COMPLETED, W.REQUEST, S.COMPLETED, [486], []),
    ("INVITE", COMPLETED, T.G, S.COMPLETED, [486], []),
    ("INVITE", COMPLETED, T.H, S.TERMINATED, [], []),
    ("INVITE", COMPLETED, W.ACK, S.CONFIRMED, [], []),
    ("INVITE", CONFIRMED, T.I, S.TERMINATED, [], []),
    ("INFO", (), C.PROVISIONAL, S.PROCEEDING, [180], []),
    ("INFO", (), C.SUCCESS, S.COMPLETED, [200], []),
    ("INFO", (), C.FAILURE, S.COMPLETED, [486], []),
    ("INFO", PROVISIONAL, W.REQUEST, S.PROCEEDING, [180], []),
    ("INFO", PROVISIONAL, C.PROVISIONAL, S.PROCEEDING, [180], []),
    ("INFO", PROVISIONAL, C.SUCCESS, S.COMPLETED, [200], []),
    ("INFO", PROVISIONAL, C.FAILURE, S.COMPLETED, [486], []),
    ("INFO", ACCEPTED, W.REQUEST, S.COMPLETED, [200], []),
    ("INFO", ACCEPTED, T.J, S.TERMINATED, [], []),
]
STATUS = {W.PROVISIONAL: 180, W.SUCCESS: 200, W.FAILURE: 486}
STATUS |= {C.PROVISIONAL: 180, C.SUCCESS: 200, C.FAILURE: 486}


class Rig:
    """One transaction with its datagrams and upcalls recorded."""

    def __init__(self, method):
        self.sent, self.heard = [], []
        self.ended = False
        self.method = method
        self.timers = Timers()
        self.surroundings = Surroundings(self.timers, self._send, self._end)

    def client(self):
        self.request = request(self.method)
        self.transaction = ClientTransaction(self.request, BOB, self.surroundings, self._hear)
        self.transaction.start(0.0)
        return self

    def server(self):
        self.request = request(self.method)
        self.transaction = ServerTransaction(
            self.request,
            self.surroundings,
            lambda ack, now: self.heard.append("ACK"),
            lambda now: self.heard.append("CANCEL"),
        )
        return self

    def apply(self, stimulus):
        if stimulus in STATUS and isinstance(self.transaction, ClientTransaction):
            self.transaction.receive(response(self.request, STATUS[stimulus]), 0.0)
        elif stimulus in STATUS:
            self.transaction.respond(response(self.request, STATUS[stimulus]), 0.0)
        elif stimulus is W.ACK:
            self.transaction.receive(request("ACK"), 0.0)
        else:
            self.transaction.step(stimulus, 0.0)

    def _send(self, data, destination):
        first, second = data.decode().split(" ")[:2]
        self.sent.append(int(second) if first == "SIP/2.0" else first)

    def _hear(self, outcome, now):
        self.heard.append(outcome if isinstance(outcome, NoResponse) else outcome.status)

    def _end(self):
        self.ended = True


@pytest.mark.parametrize(("method", "path", "stimulus", "state", "sent", "heard"), CLIENT_ROWS)
def test_a_client_row(method, path, stimulus, state, sent, heard):
    check(Rig(method).client(), path, stimulus, state, sent, heard)


@pytest.mark.parametrize(("method", "path", "stimulus", "state", "sent", "heard"), SERVER_ROWS)
def test_a_server_row(method, path, stimulus, state, sent, heard):
    check(Rig(method).server(), path, stimulus, state, sent, heard)


def check(rig, path, stimulus, state, sent, heard):
    for step in path:
        rig.apply(step)
    rig.sent.clear()
    rig.heard.clear()
    rig.apply(stimulus)
    assert rig.transaction.state is state
    assert rig.sent == sent
    assert rig.heard == heard
    assert rig.ended == (state is State.TERMINATED)
    assert (rig.timers.next() is None) == (
        state is State.TERMINATED or not timers_of(rig.transaction)
    )


def timers_of(transaction):
    return [s for state, s in transaction._rows if state is transaction.state and s in set(Timer)]


def test_the_rows_above_and_those_without_effect_are_all_rows():
    """PROCEEDING repeats rows of TRYING; a repeated 1xx to INVITE needs an earlier one."""
    counted = [len(INVITE_CLIENT.rows) + len(NON_INVITE_CLIENT.rows)]
    counted += [len(INVITE_SERVER.rows) + len(NON_INVITE_SERVER.rows)]
    assert counted == [len(CLIENT_ROWS), len(SERVER_ROWS)]


@pytest.mark.parametrize(
    "machine", [INVITE_CLIENT, NON_INVITE_CLIENT, INVITE_SERVER, NON_INVITE_SERVER]
)
def test_every_armed_timer_has_a_row_in_the_state_it_is_armed_in(machine):
    for row in [machine.start, *machine.rows.values()]:
        for action in row.actions:
            assert isinstance(action, Do) or (row.state, action) in machine.rows


@pytest.mark.parametrize(
    "machine", [INVITE_CLIENT, NON_INVITE_CLIENT, INVITE_SERVER, NON_INVITE_SERVER]
)
def test_nothing_leaves_the_terminated_state(machine):
    assert all(state is not State.TERMINATED for state, _ in machine.rows)
