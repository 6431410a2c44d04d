"""The four transaction machines as tables (RFC 3261 §17 with the corrections of RFC 6026).

A row says: in this state, on this stimulus, go to that state and do these things. A stimulus
without a row is ignored. A timer among the actions is armed; one that the new state has no row
for is disarmed.
"""

from enum import Enum, auto
from typing import NamedTuple

T1 = 0.5
"""Seconds: round-trip estimate (§17.1.1.1)."""
T2 = 4.0
"""Seconds: longest interval between retransmissions."""
T4 = 5.0
"""Seconds: how long a message may linger in the network."""


class State(Enum):
    """CALLING of the INVITE client and TRYING of the others share one name."""

    TRYING = auto()
    PROCEEDING = auto()
    ACCEPTED = auto()
    COMPLETED = auto()
    CONFIRMED = auto()
    TERMINATED = auto()


class Wire(Enum):
    """A message from the peer, or the network refusing ours."""

    REQUEST = auto()
    ACK = auto()
    CANCEL = auto()
    PROVISIONAL = auto()
    SUCCESS = auto()
    FAILURE = auto()
    TRANSPORT_ERROR = auto()


class Command(Enum):
    """What the transaction user asks for."""

    PROVISIONAL = auto()
    SUCCESS = auto()
    FAILURE = auto()
    ABANDON = auto()


class Timer(Enum):
    """Timers by their letter in the RFCs."""

    A = auto()
    B = auto()
    D = auto()
    E = auto()
    E_PROCEEDING = auto()
    F = auto()
    G = auto()
    H = auto()
    I = auto()  # noqa: E741
    J = auto()
    K = auto()
    L = auto()
    M = auto()


class Do(Enum):
    """What a row has done besides arming timers."""

    SEND = auto()
    """Transmit the request, or the last response if there is one."""
    ACK = auto()
    """Acknowledge a non-2xx final response."""
    DELIVER = auto()
    """Hand the message to the transaction user."""
    CANCEL = auto()
    """Tell the user that the peer wants no answer any more."""
    TIMEOUT = auto()
    """Tell the user that no final response, or no ACK, came."""
    UNREACHABLE = auto()
    """Tell the user that the network refused the request."""


DURATION_S = {
    Timer.A: T1,
    Timer.B: 64 * T1,
    Timer.D: 64 * T1,
    Timer.E: T1,
    Timer.E_PROCEEDING: T2,
    Timer.F: 64 * T1,
    Timer.G: T1,
    Timer.H: 64 * T1,
    Timer.I: T4,
    Timer.J: 64 * T1,
    Timer.K: T4,
    Timer.L: 64 * T1,
    Timer.M: 64 * T1,
}
"""First interval of each timer over an unreliable transport (§17, table 4; RFC 6026 §8.7)."""

LONGEST_S = {Timer.A: 64 * T1, Timer.E: T2, Timer.G: T2}
"""Timers that double each time they are armed again, and their ceiling."""

Stimulus = Wire | Command | Timer
Action = Do | Timer


class Row(NamedTuple):
    """The outcome of a stimulus in a state."""

    state: State
    actions: tuple[Action, ...] = ()


class Machine(NamedTuple):
    """A transaction type: what it does on creation, and its rows."""

    start: Row
    rows: dict[tuple[State, Stimulus], Row]


INVITE_CLIENT = Machine(
    start=Row(State.TRYING, (Timer.A, Timer.B, Do.SEND)),
    rows={
        (State.TRYING, Timer.A): Row(State.TRYING, (Timer.A, Do.SEND)),
        (State.TRYING, Timer.B): Row(State.TERMINATED, (Do.TIMEOUT,)),
        (State.TRYING, Wire.TRANSPORT_ERROR): Row(State.TERMINATED, (Do.UNREACHABLE,)),
        (State.TRYING, Wire.PROVISIONAL): Row(State.PROCEEDING, (Do.DELIVER,)),
        (State.TRYING, Wire.SUCCESS): Row(State.ACCEPTED, (Timer.M, Do.DELIVER)),
        (State.TRYING, Wire.FAILURE): Row(State.COMPLETED, (Timer.D, Do.ACK, Do.DELIVER)),
        (State.PROCEEDING, Wire.PROVISIONAL): Row(State.PROCEEDING, (Do.DELIVER,)),
        (State.PROCEEDING, Wire.SUCCESS): Row(State.ACCEPTED, (Timer.M, Do.DELIVER)),
        (State.PROCEEDING, Wire.FAILURE): Row(State.COMPLETED, (Timer.D, Do.ACK, Do.DELIVER)),
        (State.PROCEEDING, Command.ABANDON): Row(State.TERMINATED, (Do.TIMEOUT,)),
        (State.ACCEPTED, Wire.SUCCESS): Row(State.ACCEPTED, (Do.DELIVER,)),
        (State.ACCEPTED, Timer.M): Row(State.TERMINATED),
        (State.COMPLETED, Wire.FAILURE): Row(State.COMPLETED, (Do.ACK,)),
        (State.COMPLETED, Timer.D): Row(State.TERMINATED),
    },
)
"""§17.1.1, figure 5; RFC 6026 §7.2."""

NON_INVITE_CLIENT = Machine(
    start=Row(State.TRYING, (Timer.E, Timer.F, Do.SEND)),
    rows={
        (State.TRYING, Timer.E): Row(State.TRYING, (Timer.E, Do.SEND)),
        (State.TRYING, Timer.F): Row(State.TERMINATED, (Do.TIMEOUT,)),
        (State.TRYING, Wire.TRANSPORT_ERROR): Row(State.TERMINATED, (Do.UNREACHABLE,)),
        (State.TRYING, Wire.PROVISIONAL): Row(State.PROCEEDING, (Timer.E_PROCEEDING, Do.DELIVER)),
        (State.TRYING, Wire.SUCCESS): Row(State.COMPLETED, (Timer.K, Do.DELIVER)),
        (State.TRYING, Wire.FAILURE): Row(State.COMPLETED, (Timer.K, Do.DELIVER)),
        (State.PROCEEDING, Timer.E_PROCEEDING): Row(
            State.PROCEEDING, (Timer.E_PROCEEDING, Do.SEND)
        ),
        (State.PROCEEDING, Timer.F): Row(State.TERMINATED, (Do.TIMEOUT,)),
        (State.PROCEEDING, Wire.TRANSPORT_ERROR): Row(State.TERMINATED, (Do.UNREACHABLE,)),
        (State.PROCEEDING, Wire.PROVISIONAL): Row(State.PROCEEDING, (Do.DELIVER,)),
        (State.PROCEEDING, Wire.SUCCESS): Row(State.COMPLETED, (Timer.K, Do.DELIVER)),
        (State.PROCEEDING, Wire.FAILURE): Row(State.COMPLETED, (Timer.K, Do.DELIVER)),
        (State.COMPLETED, Timer.K): Row(State.TERMINATED),
    },
)
"""§17.1.2, figure 6."""

INVITE_SERVER = Machine(
    start=Row(State.PROCEEDING),
    rows={
        (State.PROCEEDING, Wire.REQUEST): Row(State.PROCEEDING, (Do.SEND,)),
        (State.PROCEEDING, Wire.CANCEL): Row(State.PROCEEDING, (Do.CANCEL,)),
        (State.PROCEEDING, Command.PROVISIONAL): Row(State.PROCEEDING, (Do.SEND,)),
        (State.PROCEEDING, Command.SUCCESS): Row(State.ACCEPTED, (Timer.L, Do.SEND)),
        (State.PROCEEDING, Command.FAILURE): Row(State.COMPLETED, (Timer.G, Timer.H, Do.SEND)),
        (State.ACCEPTED, Command.SUCCESS): Row(State.ACCEPTED, (Do.SEND,)),
        (State.ACCEPTED, Wire.ACK): Row(State.ACCEPTED, (Do.DELIVER,)),
        (State.ACCEPTED, Timer.L): Row(State.TERMINATED),
        (State.COMPLETED, Wire.REQUEST): Row(State.COMPLETED, (Do.SEND,)),
        (State.COMPLETED, Timer.G): Row(State.COMPLETED, (Timer.G, Do.SEND)),
        (State.COMPLETED, Timer.H): Row(State.TERMINATED),
        (State.COMPLETED, Wire.ACK): Row(State.CONFIRMED, (Timer.I,)),
        (State.CONFIRMED, Timer.I): Row(State.TERMINATED),
    },
)
"""§17.2.1, figure 7; RFC 6026 §7.1. The user itself repeats a 2xx (§13.3.1.4)."""

NON_INVITE_SERVER = Machine(
    start=Row(State.TRYING),
    rows={
        (State.TRYING, Command.PROVISIONAL): Row(State.PROCEEDING, (Do.SEND,)),
        (State.TRYING, Command.SUCCESS): Row(State.COMPLETED, (Timer.J, Do.SEND)),
        (State.TRYING, Command.FAILURE): Row(State.COMPLETED, (Timer.J, Do.SEND)),
        (State.PROCEEDING, Wire.REQUEST): Row(State.PROCEEDING, (Do.SEND,)),
        (State.PROCEEDING, Command.PROVISIONAL): Row(State.PROCEEDING, (Do.SEND,)),
        (State.PROCEEDING, Command.SUCCESS): Row(State.COMPLETED, (Timer.J, Do.SEND)),
        (State.PROCEEDING, Command.FAILURE): Row(State.COMPLETED, (Timer.J, Do.SEND)),
        (State.COMPLETED, Wire.REQUEST): Row(State.COMPLETED, (Do.SEND,)),
        (State.COMPLETED, Timer.J): Row(State.TERMINATED),
    },
)
"""§17.2.2, figure 8."""
