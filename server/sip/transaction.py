"""Running one transaction by its table (RFC 3261 §17)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import partial

from server.sip.events import Address
from server.sip.headers import Headers
from server.sip.message import Request, Response
from server.sip.timers import Deadline, Timers
from server.sip.transaction_tables import (
    DURATION_S,
    INVITE_CLIENT,
    INVITE_SERVER,
    LONGEST_S,
    NON_INVITE_CLIENT,
    NON_INVITE_SERVER,
    Command,
    Do,
    Machine,
    Row,
    State,
    Stimulus,
    Timer,
    Wire,
)


class NoResponse(Enum):
    """Why no final response came, by the status it counts as (§8.1.3.1)."""

    TIMEOUT = 408
    UNREACHABLE = 503


ResponseHandler = Callable[[Response | NoResponse, float], None]
AckHandler = Callable[[Request, float], None]
CancelHandler = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a transaction needs from outside."""

    timers: Timers
    send: Callable[[bytes, Address], None]
    ended: Callable[[], object]
    """Called once the transaction is TERMINATED."""


class Transaction:
    """A machine in a state, with its timers."""

    def __init__(self, machine: Machine, surroundings: Surroundings) -> None:
        self.state = machine.start.state
        self._rows: Mapping[tuple[State, Stimulus], Row] = machine.rows
        self._surroundings = surroundings
        self._armed: dict[Timer, Deadline] = {}
        self._intervals: dict[Timer, float] = {}

    def step(self, stimulus: Stimulus, now: float) -> None:
        """Follow the row for `stimulus`, if the present state has one."""
        row = self._rows.get((self.state, stimulus))
        if row is not None:
            self._follow(row, now)

    def _follow(self, row: Row, now: float) -> None:
        self.state = row.state
        for timer in [timer for timer in self._armed if (self.state, timer) not in self._rows]:
            self._armed.pop(timer).cancel()
        for action in row.actions:
            if isinstance(action, Timer):
                self._arm(action, now)
            else:
                self._perform(action, now)
        if row.state is State.TERMINATED:
            self._surroundings.ended()

    def _arm(self, timer: Timer, now: float) -> None:
        last = self._intervals.get(timer)
        interval = DURATION_S[timer]
        if last is not None and timer in LONGEST_S:
            interval = min(2 * last, LONGEST_S[timer])
        self._intervals[timer] = interval
        when = now + interval
        self._armed[timer] = self._surroundings.timers.call_at(when, partial(self.step, timer))

    def _perform(self, action: Do, now: float) -> None:
        raise NotImplementedError


class ClientTransaction(Transaction):
    """A request of ours on its way to a final response."""

    def __init__(
        self,
        request: Request,
        destination: Address,
        surroundings: Surroundings,
        user: ResponseHandler,
    ) -> None:
        self._machine = INVITE_CLIENT if request.method == "INVITE" else NON_INVITE_CLIENT
        super().__init__(self._machine, surroundings)
        self.request = request
        self.destination = destination
        self._datagram = bytes(request)
        self._user = user
        self._response: Response | None = None

    def start(self, now: float) -> None:
        """Send the request for the first time."""
        self._follow(self._machine.start, now)

    def receive(self, response: Response, now: float) -> None:
        """Take a response that matches this transaction."""
        self._response = response
        if response.status < 200:
            self.step(Wire.PROVISIONAL, now)
        elif response.status < 300:
            self.step(Wire.SUCCESS, now)
        else:
            self.step(Wire.FAILURE, now)

    def _perform(self, action: Do, now: float) -> None:
        match action:
            case Do.SEND:
                self._surroundings.send(self._datagram, self.destination)
            case Do.ACK if self._response is not None:
                ack = acknowledge_failure(self.request, self._response)
                self._surroundings.send(bytes(ack), self.destination)
            case Do.DELIVER if self._response is not None:
                self._user(self._response, now)
            case Do.TIMEOUT:
                self._user(NoResponse.TIMEOUT, now)
            case Do.UNREACHABLE:
                self._user(NoResponse.UNREACHABLE, now)


class ServerTransaction(Transaction):
    """A request of the peer's on its way to our final response."""

    def __init__(
        self,
        request: Request,
        surroundings: Surroundings,
        on_ack: AckHandler | None = None,
        on_cancel: CancelHandler | None = None,
    ) -> None:
        machine = INVITE_SERVER if request.method == "INVITE" else NON_INVITE_SERVER
        super().__init__(machine, surroundings)
        self.request = request
        self.response: Response | None = None
        """The last one sent."""
        self._reply_to = request.via.reply_address()
        self._on_ack = on_ack
        self._on_cancel = on_cancel
        self._ack: Request | None = None

    def receive(self, request: Request, now: float) -> None:
        """Take a retransmission, the ACK to our final response, or a CANCEL."""
        match request.method:
            case "ACK":
                self._ack = request
                self.step(Wire.ACK, now)
            case "CANCEL":
                self.step(Wire.CANCEL, now)
            case _:
                self.step(Wire.REQUEST, now)

    def respond(self, response: Response, now: float) -> None:
        """Send a response; one that the state does not allow any more is dropped."""
        if response.status < 200:
            command = Command.PROVISIONAL
        else:
            command = Command.SUCCESS if response.status < 300 else Command.FAILURE
        if (self.state, command) in self._rows:
            self.response = response
            self.step(command, now)

    def _perform(self, action: Do, now: float) -> None:
        match action:
            case Do.SEND if self.response is not None:
                self._surroundings.send(bytes(self.response), self._reply_to)
            case Do.DELIVER if self._on_ack is not None and self._ack is not None:
                self._on_ack(self._ack, now)
            case Do.CANCEL if self._on_cancel is not None:
                self._on_cancel(now)


def acknowledge_failure(request: Request, response: Response) -> Request:
    """Return the ACK to a non-2xx final response: same branch, same target (§17.1.1.3)."""
    fields = [
        ("Via", request.headers.get("Via") or ""),
        ("Max-Forwards", "70"),
        *(("Route", value) for value in request.headers.all("Route")),
        ("From", request.headers.get("From") or ""),
        ("To", response.headers.get("To") or ""),
        ("Call-ID", request.call_id),
        ("CSeq", f"{request.cseq.number} ACK"),
    ]
    return Request(Headers(fields), b"", "ACK", request.uri)
