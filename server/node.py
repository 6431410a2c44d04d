"""One node: SIP agent, media clock, RTP ports and the calls that are live on them.

Where the workflow meets the live call: it awaits `converse`, once per call.
"""

import asyncio
import logging
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

from media.clock import Clock
from media.codecs import PCMA, PCMU
from media.errors import MediaError
from media.udp import PortPool, RtpSocket
from pipeline.ports import Brain
from pipeline.session import Engines, Session
from pipeline.task import Task
from server.calls.conversation import Conversation, Report
from server.calls.model import EndedReason
from server.calls.terms import CallTerms
from server.live_actions import Arguments, Refusal
from server.live_call import Attached, Dial, LiveCall
from server.live_limits import Limits
from server.metered import MeteredVoice
from server.private import make_folder
from server.settings import Settings, TrunkSettings
from server.sip import events as sip
from server.sip.agent import UserAgent
from server.sip.digest import Credentials
from server.sip.errors import SipError
from server.sip.transport import SipEndpoint
from server.tools.errors import ToolFailed, ToolUnavailable

log = logging.getLogger(__name__)

MakeBrain = Callable[[Task, str], Brain]
"""From what a call is about, and the call's id, to its brain."""

Equip = Callable[[str, CallTerms], Attached]
"""From a call's id and terms to its tools and hooks."""

_LINGER_S = 2.0
"""How long a stopping node repeats its BYEs to peers that do not confirm them."""

_CODECS = {"PCMU": PCMU, "PCMA": PCMA}


class Node:
    """Dials and converses. Everything runs on the event loop it was started on."""

    def __init__(
        self,
        settings: Settings,
        engines: Engines,
        make_brain: MakeBrain,
        equip: Equip = lambda _call_id, _terms: Attached(),
    ) -> None:
        self._settings = settings
        self._engines = engines
        self._make_brain = make_brain
        self._equip = equip
        self._endpoint: SipEndpoint | None = None
        self._live: dict[str, LiveCall] = {}
        self._dialling: dict[str, bool] = {}
        """Calls on their way to an INVITE; True once they were hung up."""
        self._by_leg: dict[str, LiveCall] = {}
        self._texts: dict[str, asyncio.Future[sip.MessageResult]] = {}

    async def start(self) -> None:
        """Bind the SIP port. Raises `OSError` when it is taken."""
        settings = self._settings
        agent = UserAgent(local=sip.Address(settings.sip.host, settings.sip.port))
        self._endpoint = await SipEndpoint.bind(
            agent, settings.sip.host, settings.sip.port, self._on_sip
        )
        with suppress(OSError):  # the recorder will tell, and calls go on without it
            make_folder(settings.data.recordings)
        media = settings.media
        self._clock = Clock(asyncio.get_running_loop())
        self._ports = PortPool(media.host, media.port_first, media.port_last)

    async def stop(self) -> None:
        """End the live calls and close the SIP port."""
        for call in self._live.values():
            call.hang_up()
        endpoint = self._endpoint
        if endpoint is None:
            return
        deadline = endpoint.now() + _LINGER_S
        while (self._live or not endpoint.agent.is_settled) and endpoint.now() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        endpoint.close()

    async def converse(
        self,
        call_id: str,
        request: CallTerms,
        task: Task,
        report: Report,
    ) -> Conversation:
        """Dial and hold one conversation; what cannot be dialled ends as `dial_failed`.

        A call whose engine is down is not dialled and ends as `engine_error`.
        """
        begun = datetime.now(UTC)
        self._dialling[call_id] = False
        try:
            engines = await self.engines_for(request)
            dial = await self._dial_of(request)
            rtp = await self._ports.bind()
        except (OSError, MediaError, ValueError) as error:
            return _not_dialled(call_id, begun, error)
        except RuntimeError as error:
            return _not_dialled(call_id, begun, error, "engine_error")
        finally:
            withdrawn = self._dialling.pop(call_id)
        try:
            if withdrawn:
                return Conversation("canceled", begun, datetime.now(UTC))
            live = self._live_call(call_id, request, task, rtp, report)
            voice = MeteredVoice(engines.voice)
            session = Session(
                engines=replace(engines, voice=voice),
                brain=self._make_brain(task, call_id),
                playout=live.pacer,
                on_event=live.on_talk,
            )
            held = await self._hold(call_id, live, session, dial)
            counted = voice.characters if held.answered_at is not None else None
            return replace(held, spoken_characters=counted)
        except SipError as error:
            return _not_dialled(call_id, begun, error)
        finally:
            rtp.close()

    async def _hold(
        self, call_id: str, live: LiveCall, session: Session, dial: Dial
    ) -> Conversation:
        """Put the INVITE on the wire and see the call through. Raises `SipError`."""
        assert self._endpoint is not None
        try:
            leg = live.dial(dial)
        except SipError:
            session.stop(self._endpoint.now())
            raise
        self._live[call_id] = self._by_leg[leg] = live
        try:
            self._endpoint.flush()
            return await live.run(session)
        finally:
            del self._live[call_id], self._by_leg[leg]

    def _live_call(
        self,
        call_id: str,
        request: CallTerms,
        task: Task,
        rtp: RtpSocket,
        report: Report,
    ) -> LiveCall:
        assert self._endpoint is not None
        return LiveCall(
            endpoint=self._endpoint,
            clock=self._clock,
            socket=rtp,
            media_host=self._settings.media.advertised or "",
            limits=self._limits_of(request, task),
            recording=self._recording_of(call_id, request),
            report=report,
            attached=self._equip(call_id, request),
        )

    async def engines_for(self, request: CallTerms) -> Engines:
        """The engines as a call wants them; asked before a call is taken on, it is a check.

        Raises ValueError for a voice, speed or language that they do not have, and RuntimeError
        where an engine is down.
        """
        return await self._engines.opened(
            voice_id=request.voice.voice_id or "",
            speed=request.voice.speed,
            language=request.transcriber.language,
            keywords=request.transcriber.keywords,
        )

    def act(self, call_id: str, action: str, arguments: Arguments) -> Refusal | None:
        """Do something to a live call, or say why not: see `Actions` for what can be done."""
        if action == "hang_up" and self.hang_up(call_id):
            return None
        if call_id in self._dialling:
            return Refusal("not_answered", "the call is being dialled")
        live = self._live.get(call_id)
        if live is None:
            return Refusal("no_such_call", "no live call has this id")
        return live.act(action, arguments)

    def hang_up(self, call_id: str) -> bool:
        """End a live call; False when there is none of that id."""
        if call_id in self._dialling:
            self._dialling[call_id] = True
            return True
        live = self._live.get(call_id)
        if live is None:
            return False
        live.hang_up()
        return True

    def dialog(self, call_id: str) -> str | None:
        """What it takes to hang up an answered call after a crash (`release`)."""
        live = self._live.get(call_id)
        if live is None or self._endpoint is None:
            return None
        return self._endpoint.agent.dialog(live.leg)

    def release(self, dialog: str) -> None:
        """Hang up on whoever was talking to a node that is gone."""
        assert self._endpoint is not None
        trunk = self._settings.trunk
        credentials = _credentials(trunk) if trunk else None
        try:
            self._endpoint.agent.release(dialog, credentials, self._endpoint.now())
        except SipError as error:
            log.error("a line that was left open cannot be closed: %s", error)
        self._endpoint.flush()

    async def send_text(self, sender: str, to: str, text: str) -> None:
        """Send a text message through the trunk (RFC 3428). Raises `ToolError`."""
        trunk = self._settings.trunk
        if trunk is None or self._endpoint is None:
            raise ToolUnavailable("text messages need a trunk or a gateway")
        endpoint = self._endpoint
        try:
            message = endpoint.agent.message(
                target=_target(to, trunk),
                destination=await resolve(trunk),
                from_uri=f"sip:{sender}@{trunk.host}",
                text=text,
                credentials=_credentials(trunk),
                now=endpoint.now(),
            )
        except (OSError, SipError) as error:
            raise ToolFailed("the text message could not be sent") from error
        result = self._texts[message] = asyncio.get_running_loop().create_future()
        endpoint.flush()
        try:
            status = (await result).status
        finally:
            del self._texts[message]
        if not 200 <= status < 300:
            raise ToolFailed(f"the trunk answered the text message with {status}")

    def _on_sip(self, event: sip.Event) -> None:
        text = self._texts.get(event.call_id)
        if text is not None and isinstance(event, sip.MessageResult):
            text.set_result(event)
            return
        live = self._by_leg.get(event.call_id)
        if live is not None:
            live.on_sip(event)

    async def _dial_of(self, request: CallTerms) -> Dial:
        settings = self._settings
        trunk = settings.trunk
        if trunk is None:
            raise OSError("no trunk is configured")
        caller = request.from_ or trunk.caller_id or "anonymous"
        return Dial(
            target=_target(request.parties[0], trunk),
            destination=await resolve(trunk),
            from_uri=f"sip:{caller}@{trunk.host}",
            from_display=request.agent_name,
            credentials=_credentials(trunk),
            codecs=tuple(_CODECS[name] for name in trunk.codecs),
        )

    def _limits_of(self, request: CallTerms, task: Task) -> Limits:
        call = self._settings.call
        script_s = task.script.max_duration_s if task.script else None
        return Limits(
            ring_s=call.ring_timeout_s,
            duration_s=min(request.max_duration_s, script_s or request.max_duration_s),
            inactivity_s=call.inactivity_s,
            media_timeout_s=self._settings.media.timeout_s,
            warning_s=call.warning_s,
        )

    def _recording_of(self, call_id: str, request: CallTerms) -> Path | None:
        return self._settings.data.recording_of(call_id) if request.record else None


def _not_dialled(
    call_id: str, begun: datetime, error: Exception, reason: EndedReason = "dial_failed"
) -> Conversation:
    log.warning("%s cannot be dialled: %s", call_id, error)
    return Conversation(reason, begun, datetime.now(UTC), sip_reason=str(error))


def _target(to: str, trunk: TrunkSettings) -> str:
    """The Request-URI of somebody behind a trunk."""
    host = trunk.host if trunk.port == 5060 else f"{trunk.host}:{trunk.port}"
    return to if to.startswith("sip:") else f"sip:{to}@{host}"


def _credentials(trunk: TrunkSettings) -> Credentials | None:
    if trunk.username is None or trunk.password is None:
        return None
    return Credentials(trunk.username, trunk.password.get_secret_value())


async def resolve(trunk: TrunkSettings) -> sip.Address:
    """The trunk's address; a name is looked up off the loop. Raises `OSError`."""
    with suppress(ValueError):
        return sip.Address(str(ip_address(trunk.host)), trunk.port)
    found = await asyncio.get_running_loop().getaddrinfo(
        trunk.host, trunk.port, family=socket.AF_INET, type=socket.SOCK_DGRAM
    )
    host, port = found[0][4][:2]
    return sip.Address(str(host), int(port))
