"""The simulated callee: a process with its own SIP agent, ears, voice and will.

    python -m bench.callee --persona agrees --port 5070

It knows nothing of the node that calls it: what it answers follows from what it hears.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from functools import partial

import typer
import uvloop

from bench.engines import open_engines
from bench.noise import SPEECH_DBFS, NoisyPacer, noise, tones
from bench.persona import Persona
from bench.persona_brain import PersonaBrain
from media import sdp
from media.audio import TELEPHONE_HZ, Pcm
from media.clock import Clock
from media.errors import MediaError
from media.pacer import Pacer
from media.stream import MediaStream
from media.udp import PortPool, RtpSocket
from pipeline import events as heard
from pipeline.session import Engines, Session, SessionSettings
from pipeline.turn import TurnSettings
from server.sip.agent import UserAgent
from server.sip.events import (
    Address,
    Canceled,
    Ended,
    Established,
    Event,
    Failed,
    IncomingInvite,
)
from server.sip.transport import SipEndpoint

_log = logging.getLogger("callee")

PATIENCE = SessionSettings(turn=TurnSettings(patience_factor=2.2, quiet_s=10.0))
"""A person who picks up lets the caller finish."""
_REFUSALS = {"busy": 486, "decline": 603}
_BEEP = tones((1000.0,), 0.4)


@dataclass(slots=True)
class _Leg:
    """One call that rings or talks."""

    call_id: str
    session: Session
    pacer: Pacer
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    stream: MediaStream | None = None
    socket: RtpSocket | None = None
    barge_in: asyncio.TimerHandle | None = None
    barged_in: bool = False
    beeped: bool = False


class Callee:
    """Picks up as a persona does, one call after another, several at once if need be."""

    def __init__(self, persona: Persona, engines: Engines, ports: PortPool, seed: int) -> None:
        self._persona, self._engines, self._ports, self._seed = persona, engines, ports, seed
        self._loop = asyncio.get_running_loop()
        self._clock = Clock(self._loop)
        self._legs: dict[str, _Leg] = {}
        self._endpoint: SipEndpoint | None = None
        self._host = ""

    async def listen(self, host: str, port: int) -> None:
        """Take calls at this address from now on."""
        agent = UserAgent(local=Address(host, port), allow_inbound=True, seed=self._seed)
        self._host = host
        self._endpoint = await SipEndpoint.bind(agent, host, port, self._on_sip)

    async def close(self) -> None:
        """Hang up every call and leave the line."""
        for leg in list(self._legs.values()):
            self._hang_up(leg)
        await asyncio.sleep(0)
        if self._endpoint is not None:
            self._endpoint.close()

    # Signalling

    def _command(self, command: Callable[[UserAgent, float], None]) -> None:
        if self._endpoint is not None:
            command(self._endpoint.agent, self._endpoint.now())
            self._endpoint.flush()

    def _on_sip(self, event: Event) -> None:
        match event:
            case IncomingInvite():
                self._ring(event)
            case Established(call_id=call_id):
                if leg := self._legs.get(call_id):
                    leg.session.answered(self._loop.time())
            case Ended(call_id=call_id) | Canceled(call_id=call_id) | Failed(call_id=call_id):
                if leg := self._legs.get(call_id):
                    self._end(leg)
            case _:
                pass

    def _ring(self, invite: IncomingInvite) -> None:
        _log.info("call from %s", invite.from_uri)
        status = _REFUSALS.get(self._persona.answer)
        if status is not None:
            self._command(lambda agent, now: agent.reject(invite.call_id, status, now))
            return
        self._command(lambda agent, now: agent.ring(invite.call_id, now))
        leg = self._pick_up_ready(invite.call_id)
        self._legs[invite.call_id] = leg
        if self._persona.answer == "answer":
            self._spawn(leg, self._answer(leg, invite.sdp))

    def _pick_up_ready(self, call_id: str) -> _Leg:
        pacer = self._pacer()
        session = Session(
            engines=self._engines,
            brain=PersonaBrain(self._persona),
            playout=pacer,
            on_event=lambda event: self._on_heard(call_id, event),
            settings=PATIENCE,
        )
        return _Leg(call_id, session, pacer)

    def _pacer(self) -> Pacer:
        background = self._persona.noise
        if background is None:
            return Pacer(TELEPHONE_HZ)
        level = SPEECH_DBFS - background.snr_db
        return NoisyPacer(
            TELEPHONE_HZ, noise(background.kind, 10 * TELEPHONE_HZ, level, self._seed)
        )

    async def _answer(self, leg: _Leg, offer: bytes) -> None:
        """Ring for as long as the persona lets it, then pick up."""
        leg.socket = rtp = await self._ports.bind()
        await asyncio.gather(asyncio.sleep(self._persona.ring_s), leg.session.prepare())
        try:
            ours, negotiated = sdp.answer(offer, self._host, rtp.address[1])
        except MediaError as error:
            _log.warning("cannot take the call: %s", error)
            self._command(lambda agent, now: agent.reject(leg.call_id, 488, now))
            self._end(leg)
            return
        leg.stream = MediaStream(
            socket=rtp,
            negotiated=negotiated,
            sink=_Deaf() if self._persona.beep else leg.session,
            pacer=leg.pacer,
            clock=self._clock,
        )
        leg.stream.start(self._loop.time())
        self._command(lambda agent, now: agent.answer(leg.call_id, ours, now))

    def _hang_up(self, leg: _Leg) -> None:
        self._command(lambda agent, now: agent.hang_up(leg.call_id, now))
        self._end(leg)

    def _end(self, leg: _Leg) -> None:
        self._legs.pop(leg.call_id, None)
        if leg.barge_in is not None:
            leg.barge_in.cancel()
        for task in leg.tasks:
            if task is not asyncio.current_task():
                task.cancel()
        leg.session.stop(self._loop.time())
        if leg.stream is not None:
            leg.stream.stop()
        if leg.socket is not None:
            leg.socket.close()
        _log.info("call over")

    def _spawn(self, leg: _Leg, work: Coroutine[None, None, None]) -> None:
        task = self._loop.create_task(work)
        leg.tasks.add(task)
        task.add_done_callback(partial(_finished, leg))

    # Conversation

    def _on_heard(self, call_id: str, event: heard.Event) -> None:
        leg = self._legs.get(call_id)
        if leg is None:
            return
        match event:
            case heard.SpeechStarted():
                self._arm_barge_in(leg)
            case heard.TurnEnded(message=message):
                _log.info("heard: %s", message.content)
                if leg.barge_in is not None:
                    leg.barge_in.cancel()
                    leg.barge_in = None
            case heard.Spoken(message=message):
                _log.info("said: %s", message.content)
                self._beep(leg)
            case heard.ToolRequested(name="end_call"):
                self._hang_up(leg)
            case heard.EngineFailed(engine=engine, reason=reason):
                _log.error("%s failed: %s", engine, reason)
            case _:
                pass

    def _arm_barge_in(self, leg: _Leg) -> None:
        plan = self._persona.barge_in
        if plan is not None and not leg.barged_in and leg.barge_in is None:
            leg.barge_in = self._loop.call_later(plan.after_s, self._barge_in, leg, plan.say)

    def _barge_in(self, leg: _Leg, words: str) -> None:
        leg.barge_in, leg.barged_in = None, True
        leg.session.say(words)

    def _beep(self, leg: _Leg) -> None:
        """What was just said was the machine's greeting: now the tone."""
        if self._persona.beep and not leg.beeped:
            leg.beeped = True
            leg.pacer.push(_BEEP)


class _Deaf:
    """The ear of a machine: its greeting plays on, whatever is said into it."""

    def feed(self, pcm: Pcm, now: float) -> None:
        """Hear nothing."""

    def digit(self, digit: str, now: float) -> None:
        """Hear nothing."""


def _finished(leg: _Leg, task: asyncio.Task[None]) -> None:
    leg.tasks.discard(task)
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("call %s", leg.call_id, exc_info=error)


async def serve(persona: Persona, host: str, port: int, seed: int) -> None:
    """Take calls until told to stop. Prints `ready` once the line is open."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    async with open_engines(persona) as engines:
        callee = Callee(persona, engines, PortPool(host, 40000, 41998), seed)
        await callee.listen(host, port)
        print("ready", flush=True)
        try:
            await stopped.wait()
        finally:
            await callee.close()


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    persona: str = typer.Option("agrees", help="A scenario's name, or a YAML file."),
    host: str = "127.0.0.1",
    port: int = 5070,
    seed: int = 1,
) -> None:
    """Take calls as a persona until interrupted."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(serve(Persona.load(persona), host, port, seed))


if __name__ == "__main__":
    app()
