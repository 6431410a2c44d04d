"""A 2xx to INVITE, repeated until its ACK (RFC 3261 §13.3.1.4).

Stands above the server transaction, which sends a 2xx only once.
"""

from collections.abc import Callable

from server.sip.message import Response
from server.sip.timers import Timers
from server.sip.transaction import ServerTransaction
from server.sip.transaction_tables import T1, T2


class RepeatedAnswer:
    """One 2xx on its way."""

    def __init__(
        self,
        timers: Timers,
        transaction: ServerTransaction,
        response: Response,
        now: float,
        on_silence: Callable[[float], None],
    ) -> None:
        """on_silence: called once after 64*T1 without ACK."""
        self.cseq = response.cseq.number
        self._timers = timers
        self._transaction = transaction
        self._response = response
        self._interval = T1
        self._on_silence = on_silence
        self._give_up = timers.call_at(now + 64 * T1, self._silent)
        self._repeat = timers.call_at(now + T1, self._send_again)
        transaction.respond(response, now)

    def stop(self) -> None:
        """The ACK came, or nobody waits for it any more."""
        self._give_up.cancel()
        self._repeat.cancel()

    def _send_again(self, now: float) -> None:
        self._transaction.respond(self._response, now)
        self._interval = min(2 * self._interval, T2)
        self._repeat = self._timers.call_at(now + self._interval, self._send_again)

    def _silent(self, now: float) -> None:
        self.stop()
        self._on_silence(now)
