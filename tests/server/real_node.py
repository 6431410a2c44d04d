"""A whole node over loopback sockets, and the scripted telephone that it calls."""

import asyncio
import re
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from bench.client import BenchClient
from media.audio import Pcm, rms_dbfs, silence
from media.codecs import PCMU
from media.rtp import RtpPacket, RtpSource
from pipeline.ports import SpokenWord, Transcriber, Voice
from pipeline.session import Engines
from server.api.keys import KeyRing
from server.app import Application, EngineSet
from server.calls.database import Place, open_database
from server.sections import HoursSettings, PolicySettings
from server.settings import (
    DataSettings,
    HttpSettings,
    LimitSettings,
    Settings,
    SipSettings,
    TrunkSettings,
)
from server.sip.agent import UserAgent
from server.sip.events import Address, Ended, Established, Event, IncomingInvite
from server.sip.transport import SipEndpoint
from tests.pipeline.stage import EchoBrain, LevelDetector, ListTranscriber, ToneVoice

HOST = "127.0.0.1"
NUMBER = "+14165550123"
POLICY = PolicySettings(
    home_region="CA", allowed_regions=("CA", "US"), hours=HoursSettings(outside="allow")
)
FRAME = 160
TELEPHONE_EVENT = 101
PATIENCE_S = 20.0
"""No condition of these tests is waited for longer."""

E = TypeVar("E")


async def until(condition: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
    """Wait for what other tasks, threads or processes bring about. Raises TimeoutError."""
    async with asyncio.timeout(patience_s):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def tone(hz: float, seconds: float, amplitude: int = 8000) -> Pcm:
    """A sine at 8 kHz."""
    at = np.arange(int(seconds * 8000)) / 8000
    return (amplitude * np.sin(2 * np.pi * hz * at)).astype(np.int16)


def is_audible(pcm: Pcm, dbfs: float = -40.0) -> bool:
    """Whether some 100 ms of a signal are loud."""
    return any(rms_dbfs(pcm[at : at + 800]) > dbfs for at in range(0, len(pcm), 800))


def level_of(pcm: Pcm, hz: float) -> float:
    """The share of the signal's energy, 0 to 1, that lies within 20 Hz of a frequency."""
    spectrum = np.abs(np.fft.rfft(pcm.astype(np.float64))) ** 2
    frequencies = np.fft.rfftfreq(len(pcm), 1 / 8000)
    return float(spectrum[np.abs(frequencies - hz) < 20].sum() / max(spectrum.sum(), 1.0))


class Phone(asyncio.DatagramProtocol):
    """The media of one answered call: a frame of PCMU every 20 ms, and all that it hears."""

    def __init__(self) -> None:
        self.remote = (HOST, 9)
        self.heard = bytearray()
        self.pressed: list[RtpPacket] = []
        """The telephone-events that came."""
        self.sources: set[tuple[str, int]] = set()
        self.muted = False
        self._source = RtpSource()
        self._queue: deque[Pcm] = deque()
        self._task: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls) -> "Phone":
        """Bind a port; nothing is sent yet."""
        loop = asyncio.get_running_loop()
        _, phone = await loop.create_datagram_endpoint(cls, local_addr=(HOST, 0))
        return phone

    @property
    def port(self) -> int:
        """Where it hears."""
        return int(self._transport.get_extra_info("sockname")[1])

    @property
    def audio(self) -> Pcm:
        """What it has heard so far."""
        return PCMU.decode(bytes(self.heard))

    def sdp(self) -> bytes:
        """Its answer to an offer."""
        return sdp(self.port)

    def start(self, remote: tuple[str, int]) -> None:
        """Send to an address from now on."""
        self.remote = remote
        if not self.muted:
            self._task = asyncio.get_running_loop().create_task(self._run())

    def say(self, pcm: Pcm) -> None:
        """Speak, after what is still to be said."""
        padded = np.concatenate([pcm, silence(-len(pcm) % FRAME)])
        self._queue.extend(padded[at : at + FRAME] for at in range(0, len(padded), FRAME))

    async def said(self) -> None:
        """Wait until everything has been sent."""
        await until(lambda: not self._queue)

    def press(self, code: int) -> None:
        """Send one telephone-event: three packets of tone, three of its end."""
        started = self._source.rtp_ts
        for step in range(6):
            self._source.advance(FRAME)
            end = 0x80 if step >= 3 else 0
            payload = bytes([code, end | 10, 0, FRAME]) if step < 3 else bytes([code, 0x8A, 2, 128])
            packet = self._source.packet(TELEPHONE_EVENT, payload, marker=step == 0, rtp_ts=started)
            self.send(packet)

    def send(self, datagram: bytes) -> None:
        """Send anything from its port."""
        self._transport.sendto(datagram, self.remote)

    async def hears(self, dbfs: float = -40.0, after: int = 0) -> None:
        """Wait for sound, in what comes after so many samples."""
        await until(lambda: rms_dbfs(self.audio[max(after, len(self.heard) - 1600) :]) > dbfs)

    async def hears_silence(self, seconds: float = 0.3) -> None:
        """Wait until it has heard nothing for so long."""
        length = int(seconds * 8000)
        await until(lambda: rms_dbfs(self.audio[-length:]) < -60)

    def falls_silent(self) -> None:
        """Send nothing more, not even silence."""
        if self._task is not None:
            self._task.cancel()

    def close(self) -> None:
        """Put the phone away."""
        self.falls_silent()
        self._transport.close()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            frame = self._queue.popleft() if self._queue else silence(FRAME)
            self._source.advance(FRAME)
            self.send(self._source.packet(0, PCMU.encode(frame)))
            due += 0.02
            await asyncio.sleep(due - loop.time())

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.sources.add(addr)
        with suppress(ValueError):
            packet = RtpPacket.parse(data)
            if packet.payload_type == 0:
                self.heard += packet.payload
            elif packet.payload_type == TELEPHONE_EVENT:
                self.pressed.append(packet)


def sdp(port: int, formats: str = "0 101", address: str = f"IN IP4 {HOST}") -> bytes:
    """An answer with one line of audio."""
    return (
        f"v=0\r\no=- 1 1 IN IP4 {HOST}\r\ns=-\r\nc={address}\r\nt=0 0\r\n"
        f"m=audio {port} RTP/AVP {formats}\r\na=rtpmap:101 telephone-event/8000\r\n"
    ).encode()


def media_address(description: bytes) -> tuple[str, int]:
    """Where a description wants its audio."""
    host = re.search(rb"c=IN IP4 (\S+)", description)
    port = re.search(rb"m=audio (\d+)", description)
    assert host
    assert port
    return host[1].decode(), int(port[1])


class Wire(SipEndpoint):
    """An endpoint that keeps the first line of every message it receives."""

    received: list[str]
    requests: set[tuple[bytes, bytes]]
    """Method and Via of each; a message that is repeated is one."""

    def datagram_received(self, data: bytes, addr: tuple[str | int, ...]) -> None:
        """Keep, and go on."""
        self.received.append(data.split(b"\r\n", 1)[0].decode("utf-8", "replace"))
        if request := re.match(rb"(\w+) .*?\r\nVia:([^\r]*)", data, re.DOTALL):
            self.requests.add((request[1], request[2]))
        super().datagram_received(data, addr)


@dataclass
class Peer:
    """The other end of the trunk: does only what the test tells it to."""

    endpoint: Wire
    events: "asyncio.Queue[Event]"
    phones: list[Phone] = field(default_factory=list)

    @property
    def port(self) -> int:
        """Its SIP port."""
        return self.endpoint.agent.local.port

    @property
    def methods(self) -> list[str]:
        """The requests that came, in order, without repetitions."""
        names = [line.split(" ")[0] for line in self.endpoint.received]
        return list(dict.fromkeys(name for name in names if not name.startswith("SIP/")))

    async def event(self, kind: type[E]) -> E:
        """Wait for the next event of a kind."""
        async with asyncio.timeout(PATIENCE_S):
            while not isinstance(event := await self.events.get(), kind):
                pass
        return event

    async def rings(self) -> IncomingInvite:
        """Wait for a call, and let it ring."""
        invite = await self.event(IncomingInvite)
        self.do(lambda agent, now: agent.ring(invite.call_id, now))
        return invite

    async def answers(self, invite: IncomingInvite, *, muted: bool = False) -> Phone:
        """Take a call. The phone sends silence unless it is muted."""
        phone = await Phone.open()
        phone.muted = muted
        self.phones.append(phone)
        self.do(lambda agent, now: agent.answer(invite.call_id, phone.sdp(), now))
        await self.event(Established)
        phone.start(media_address(invite.sdp))
        return phone

    async def picks_up(self) -> tuple[IncomingInvite, Phone]:
        """Wait for a call, and take it."""
        invite = await self.rings()
        return invite, await self.answers(invite)

    def hangs_up(self, invite: IncomingInvite) -> None:
        """Send a BYE."""
        self.do(lambda agent, now: agent.hang_up(invite.call_id, now))

    async def hung_up_on(self) -> None:
        """Wait for a BYE."""
        assert (await self.event(Ended)).by == "remote"

    def do(self, command: Callable[[UserAgent, float], None]) -> None:
        """Give the agent a command."""
        command(self.endpoint.agent, self.endpoint.now())
        self.endpoint.flush()


@asynccontextmanager
async def scripted_peer() -> AsyncIterator[Peer]:
    """Listen on a port of its own."""
    events: asyncio.Queue[Event] = asyncio.Queue()
    agent = UserAgent(local=Address(HOST, 0), allow_inbound=True)
    endpoint = await Wire.bind(agent, HOST, 0, events.put_nowait)
    assert isinstance(endpoint, Wire)
    endpoint.received, endpoint.requests = [], set()
    peer = Peer(endpoint, events)
    try:
        yield peer
    finally:
        for phone in peer.phones:
            phone.close()
        endpoint.close()
        await asyncio.sleep(0)


class PitchVoice:
    """Says every word in 200 ms of a tone as high as the first word says, in Hz."""

    async def speak(
        self, text: str, rate_hz: int
    ) -> AsyncIterator[tuple[Pcm, Sequence[SpokenWord]]]:
        """One chunk a clause."""
        words = text.split()
        marks = [(word, (index + 1) * 1600) for index, word in enumerate(words)]
        yield tone(float(words[0]), 0.2 * len(words)), marks

    async def open(self, voice_id: str = "", speed: float = 1.0) -> "PitchVoice":
        """All calls sound alike."""
        return self


def played(voice: Voice | None = None, transcriber: Transcriber | None = None) -> EngineSet:
    """Engines without processes; the agent opens with the words of the objective."""
    engines = Engines(LevelDetector(), transcriber or ListTranscriber(), voice or ToneVoice())
    return EngineSet(engines, lambda task, call_id: EchoBrain(task.goal))


def settings(folder: Path, trunk_port: int | None, **sections: Any) -> Settings:
    """A node on loopback whose one trunk is the peer."""
    trunks = () if trunk_port is None else (TrunkSettings(name="peer", host=HOST, port=trunk_port),)
    sections.setdefault("policy", POLICY)
    sections.setdefault("limits", LimitSettings(calls_per_number=1000))
    return Settings(
        http=HttpSettings(port=0),
        sip=SipSettings(port=0),
        trunks=trunks,
        data=DataSettings(dir=folder / "data"),
        **sections,
    )


@dataclass
class Running:
    """A started node."""

    application: Application
    key: str
    client: BenchClient
    recordings: Path

    async def place(self, objective: str = "good morning", **fields: Any) -> str:
        """Place a call; returns its id."""
        placed = await self.client.place({"to": NUMBER, "objective": objective, **fields})
        return str(placed["id"])

    async def record(self, call_id: str) -> dict[str, Any]:
        """The record, once the call has ended."""
        return await self.client.finished(call_id, PATIENCE_S)

    async def happens(self, call_id: str, kind: str) -> AsyncGenerator[dict[str, Any]]:
        """The events of a kind, as they come."""
        async with asyncio.timeout(PATIENCE_S):
            async for event in self.client.events(call_id):
                if event["type"] == kind:
                    yield event

    def recording(self, call_id: str) -> Path:
        """Where its audio is."""
        return self.recordings / f"{call_id}.wav"


async def new_key(database: Place) -> str:
    """Make a key of the API, as `offhook keys create` does."""
    engine = await open_database(database)
    try:
        return await KeyRing(engine).create("test")
    finally:
        await engine.dispose()


@asynccontextmanager
async def real_node(
    folder: Path, trunk_port: int | None, engines: EngineSet | None = None, **sections: Any
) -> AsyncIterator[Running]:
    """Run a node; without `engines`, those that the settings choose."""
    configured = settings(folder, trunk_port, **sections)
    key = await new_key(configured.data.database)
    application = Application(configured, engines)
    await application.start()
    try:
        async with BenchClient(application.url, key) as client:
            yield Running(application, key, client, configured.data.recordings)
    finally:
        await application.stop()
