"""A network in virtual time: user agents exchange datagrams with seeded loss and disorder."""

import heapq
import random
from collections.abc import Callable
from dataclasses import replace

from server.sip.agent import UserAgent
from server.sip.events import Address, Event
from server.sip.headers import Headers
from server.sip.message import Request, Response, parse_message

ALICE = Address("192.0.2.1", 5060)
BOB = Address("192.0.2.2", 5060)
OFFER = (
    b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
    b"m=audio 4000 RTP/AVP 0\r\n"
)
ANSWER = OFFER.replace(b"192.0.2.1", b"192.0.2.2")

Script = Callable[[Event], None]


class Wire:
    """Agents by address, datagrams in flight, and the clock they share."""

    def __init__(
        self,
        *,
        seed: int = 0,
        loss: float = 0.0,
        duplication: float = 0.0,
        delay_s: float = 0.02,
        jitter_s: float = 0.0,
    ) -> None:
        self.now = 1000.0
        self.events: dict[Address, list[Event]] = {}
        self.sent: list[tuple[float, Request | Response, Address]] = []
        self.drop: Callable[[Request | Response], bool] = lambda message: False
        self._agents: dict[Address, UserAgent] = {}
        self._scripts: dict[Address, Script] = {}
        self._flying: list[tuple[float, int, bytes, Address, Address]] = []
        self._rng = random.Random(seed)
        self._order = 0
        self._loss, self._duplication = loss, duplication
        self._delay_s, self._jitter_s = delay_s, jitter_s

    def agent(self, address: Address, *, seed: int = 1, inbound: bool = True) -> UserAgent:
        agent = UserAgent(local=address, allow_inbound=inbound, seed=seed)
        self._agents[address] = agent
        self.events[address] = []
        return agent

    def script(self, address: Address, script: Script) -> None:
        """Have `script` called with every event of an agent."""
        self._scripts[address] = script

    def run(self, seconds: float) -> None:
        """Let virtual time pass."""
        end = self.now + seconds
        self._collect()
        while (when := self._next()) is not None and when <= end:
            self.now = max(self.now, when)
            while self._flying and self._flying[0][0] <= self.now:
                _, _, data, source, destination = heapq.heappop(self._flying)
                if destination in self._agents:
                    self._agents[destination].receive_datagram(data, source, self.now)
            for agent in self._agents.values():
                agent.handle_timer(self.now)
            self._collect()
        self.now = end

    def settle(self) -> None:
        """Let time pass until nothing flies and no timer is armed."""
        while self._next() is not None:
            self.run(60.0)

    def requests(self, method: str) -> list[Request]:
        """Every request of a method put on the wire, retransmissions included."""
        return [m for _, m, _ in self.sent if isinstance(m, Request) and m.method == method]

    def responses(self, method: str, status: int) -> list[Response]:
        """Every response to a method with this status put on the wire."""
        return [
            m
            for _, m, _ in self.sent
            if isinstance(m, Response) and m.status == status and m.cseq.method == method
        ]

    def _next(self) -> float | None:
        moments = [agent.get_timer() for agent in self._agents.values()]
        moments += [self._flying[0][0]] if self._flying else []
        return min((moment for moment in moments if moment is not None), default=None)

    def _collect(self) -> None:
        busy = True
        while busy:
            busy = False
            for address, agent in self._agents.items():
                for data, destination in agent.datagrams_to_send():
                    busy = True
                    self._launch(data, address, destination)
                while (event := agent.next_event()) is not None:
                    busy = True
                    self.events[address].append(event)
                    self._scripts.get(address, lambda event: None)(event)

    def _launch(self, data: bytes, source: Address, destination: Address) -> None:
        message = parse_message(data)
        self.sent.append((self.now, message, destination))
        copies = 2 if self._rng.random() < self._duplication else 1
        for _ in range(copies):
            if self._rng.random() < self._loss or self.drop(message):
                continue
            self._order += 1
            arrival = self.now + self._delay_s + self._rng.random() * self._jitter_s
            heapq.heappush(self._flying, (arrival, self._order, data, source, destination))


class Peer:
    """One agent against a scripted far end that writes its messages by hand."""

    def __init__(self, *, inbound: bool = True) -> None:
        self.agent = UserAgent(local=ALICE, allow_inbound=inbound, seed=7)
        self.now = 0.0

    def receive(self, message: Request | Response | bytes, source: Address = BOB) -> None:
        data = message if isinstance(message, bytes) else bytes(message)
        self.agent.receive_datagram(data, source, self.now)

    def advance(self, seconds: float) -> None:
        """Let time pass, timer by timer."""
        end = self.now + seconds
        while (when := self.agent.get_timer()) is not None and when <= end:
            self.now = when
            self.agent.handle_timer(when)
        self.now = end

    def sent(self) -> list[Request | Response]:
        return [parse_message(data) for data, _ in self.agent.datagrams_to_send()]

    def destinations(self) -> list[Address]:
        return [destination for _, destination in self.agent.datagrams_to_send()]

    def events(self) -> list[Event]:
        events = []
        while (event := self.agent.next_event()) is not None:
            events.append(event)
        return events

    def invite(self, **options: object) -> str:
        arguments: dict[str, object] = {
            "target": "sip:+16475551234@trunk.example",
            "destination": BOB,
            "from_uri": "sip:+16475550000@trunk.example",
            "sdp": OFFER,
            "credentials": None,
            "now": self.now,
        }
        return self.agent.invite(**(arguments | options))  # type: ignore[arg-type]


def response(
    request: Request,
    status: int,
    *,
    tag: str = "callee",
    fields: tuple[tuple[str, str], ...] = (("Contact", "<sip:bob@192.0.2.2>"),),
    sdp: bytes = b"",
) -> Response:
    """Answer a request as the far end would."""
    copied = [(k, v) for k, v in request.headers if k in ("Via", "From", "Call-ID", "CSeq")]
    to = str(request.to if status == 100 or request.to.tag else request.to.with_tag(tag))
    content = [("Content-Type", "application/sdp")] if sdp else []
    headers = Headers([*copied, ("To", to), *fields, *content])
    return Response(headers, sdp, status, "Reason")


def request(
    method: str,
    *,
    branch: str = "z9hG4bKone",
    to: str = "<sip:alice@192.0.2.1>",
    sender: str = "<sip:bob@192.0.2.2>;tag=caller",
    cseq: int = 1,
    fields: tuple[tuple[str, str], ...] = (),
    body: bytes = b"",
    content_type: str = "application/sdp",
    call_id: str = "call-1",
) -> Request:
    """Write a request as the far end would."""
    headers = Headers(
        [
            ("Via", f"SIP/2.0/UDP 192.0.2.2:5060;branch={branch}"),
            ("Max-Forwards", "70"),
            ("From", sender),
            ("To", to),
            ("Call-ID", call_id),
            ("CSeq", f"{cseq} {method}"),
            ("Contact", "<sip:bob@192.0.2.2>"),
            *fields,
            *([("Content-Type", content_type)] if body else []),
        ]
    )
    return Request(headers, body, method, "sip:alice@192.0.2.1")


def retransmitted(message: Request, branch: str) -> Request:
    """The same request on another branch."""
    via = f"SIP/2.0/UDP 192.0.2.2:5060;branch={branch}"
    return replace(message, headers=message.headers.replaced("Via", via))
