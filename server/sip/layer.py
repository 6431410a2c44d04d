"""The transaction layer: which transaction a message belongs to (RFC 3261 §17.1.3, §17.2.3)."""

from functools import partial

from server.sip.events import Address
from server.sip.message import Request, Response
from server.sip.timers import Timers
from server.sip.transaction import (
    AckHandler,
    CancelHandler,
    ClientTransaction,
    ResponseHandler,
    ServerTransaction,
    Surroundings,
)
from server.sip.transaction_tables import State, Wire

ServerKey = tuple[str, ...]
ClientKey = tuple[str, str]


class TransactionLayer:
    """Every live transaction of one user agent, and what they want sent."""

    def __init__(self, timers: Timers) -> None:
        self.outbox: list[tuple[bytes, Address]] = []
        self._timers = timers
        self._clients: dict[ClientKey, ClientTransaction] = {}
        self._servers: dict[ServerKey, ServerTransaction] = {}

    def __len__(self) -> int:
        return len(self._clients) + len(self._servers)

    @property
    def is_pending(self) -> bool:
        """Whether a request of ours still waits for its final response."""
        waiting = (State.TRYING, State.PROCEEDING)
        return any(transaction.state in waiting for transaction in self._clients.values())

    def send(self, datagram: bytes, destination: Address) -> None:
        """Queue a datagram that belongs to no transaction."""
        self.outbox.append((datagram, destination))

    def request(
        self, request: Request, destination: Address, now: float, user: ResponseHandler
    ) -> ClientTransaction:
        """Send `request` in a transaction of its own; `user` hears of every new response."""
        key = (request.via.branch or "", request.method)
        ended = partial(self._clients.pop, key, None)
        surroundings = Surroundings(self._timers, self.send, ended)
        transaction = ClientTransaction(request, destination, surroundings, user)
        self._clients[key] = transaction
        transaction.start(now)
        return transaction

    def serve(
        self,
        request: Request,
        on_ack: AckHandler | None = None,
        on_cancel: CancelHandler | None = None,
    ) -> ServerTransaction:
        """Open a transaction for a request that `find` knows nothing of."""
        key = _server_key(request, request.method)
        ended = partial(self._servers.pop, key, None)
        surroundings = Surroundings(self._timers, self.send, ended)
        transaction = ServerTransaction(request, surroundings, on_ack, on_cancel)
        self._servers[key] = transaction
        return transaction

    def find(self, request: Request) -> ServerTransaction | None:
        """Return the transaction that a retransmission, or an ACK, belongs to."""
        method = "INVITE" if request.method == "ACK" else request.method
        return self._servers.get(_server_key(request, method))

    def find_invite(self, cancel: Request) -> ServerTransaction | None:
        """Return the INVITE transaction that a CANCEL aims at (§9.2)."""
        return self._servers.get(_server_key(cancel, "INVITE"))

    def is_merged(self, request: Request) -> bool:
        """Tell whether a pending INVITE reached us once more by another path (§8.2.2.2).

        Once it was answered, the same INVITE on a new branch is a proxy trying again.
        """
        return any(
            transaction.state is State.PROCEEDING
            and transaction.request.call_id == request.call_id
            and transaction.request.cseq == request.cseq
            and transaction.request.from_.tag == request.from_.tag
            for transaction in self._servers.values()
        )

    def receive(self, response: Response, now: float) -> bool:
        """Hand a response to its transaction; False when there is none."""
        key = (response.via.branch or "", response.cseq.method)
        transaction = self._clients.get(key)
        if transaction is None:
            return False
        transaction.receive(response, now)
        return True

    def unreachable(self, destination: Address, now: float) -> None:
        """Fail the unanswered requests to a destination that the network refuses."""
        for transaction in list(self._clients.values()):
            if transaction.destination == destination:
                transaction.step(Wire.TRANSPORT_ERROR, now)


def _server_key(request: Request, method: str) -> ServerKey:
    via = request.via
    if via.branch is not None:
        return (via.branch, via.sent_by, method)
    # Elements of RFC 2543 send no unique branch. Their To tag changes between INVITE and ACK.
    cseq, tag = str(request.cseq.number), request.from_.tag or ""
    return (request.uri, tag, request.call_id, cseq, str(via), method)
