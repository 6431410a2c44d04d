"""A text message of ours, from MESSAGE to its final response (RFC 3428)."""

from collections import Counter

from server.sip.authentication import ANSWER_FIELDS, Authenticator, with_cseq
from server.sip.core import Core, phrase
from server.sip.events import Address, MessageResult
from server.sip.message import Request, Response
from server.sip.transaction import NoResponse


class OutgoingMessage:
    """One MESSAGE outside any dialog; challenges are answered, and then it ends."""

    def __init__(
        self,
        core: Core,
        message: Request,
        destination: Address,
        authenticator: Authenticator,
        now: float,
    ) -> None:
        self._core = core
        self._destination = destination
        self._authenticator = authenticator
        self._tries: Counter[str] = Counter()
        self._send(message, now)

    def _send(self, message: Request, now: float) -> None:
        self._message = message
        self._core.transactions.request(message, self._destination, now, self._on_response)

    def _on_response(self, response: Response | NoResponse, now: float) -> None:
        if isinstance(response, NoResponse):
            self._end(response.value, phrase(response.value), local=True)
        elif response.status in ANSWER_FIELDS:
            self._challenged(response, now)
        elif response.status >= 200:
            self._end(response.status, response.reason)

    def _challenged(self, response: Response, now: float) -> None:
        headers = self._authenticator.answer(self._message, response, self._tries)
        if headers is None:
            self._end(response.status, response.reason)
            return
        number = self._message.cseq.number + 1
        self._send(with_cseq(self._message, headers, number, self._core.via()), now)

    def _end(self, status: int, reason: str, *, local: bool = False) -> None:
        result = MessageResult(self._message.call_id, status, reason, local)
        self._core.events.append(result)
