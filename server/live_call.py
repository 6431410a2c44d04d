"""One live call, from the INVITE to the end of its media; the only place where legs meet sessions.

Stands between the workflow, which awaits `run`, and the packet path, which runs through
`MediaStream` and `Session` without passing here.
"""

import asyncio
import logging
from collections.abc import Callable, Container, Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

from media import sdp
from media.audio import TELEPHONE_HZ
from media.clock import Clock
from media.codecs import Codec
from media.errors import MediaError, RecordingFailed, SdpError
from media.pacer import Pacer
from media.recorder import StereoRecorder
from media.stream import MediaStream
from media.udp import RtpSocket
from pipeline import events as talk
from pipeline.analysis import answered_by
from pipeline.session import Session
from server.calls.conversation import Conversation, Report
from server.calls.model import EndedReason
from server.live_actions import Actions, Arguments, Instruction, Refusal
from server.live_limits import Limits, Watch
from server.live_report import Telling, quality_of
from server.live_tools import ToolRunner, UseTool
from server.sip import events as sip
from server.sip.digest import Credentials
from server.sip.reason import ended_reason
from server.sip.transport import SipEndpoint

log = logging.getLogger(__name__)

OnEvent = Callable[[str, Mapping[str, object]], Iterable[Instruction]]
"""A hook: takes the type and the data of an event, and says what is to be done about it."""
MOST_INSTRUCTIONS = 50
"""Of hooks in one call: an instruction makes events, and a hook may answer them for ever."""
_CLOSE_RECORDING_S = 5.0


@dataclass(frozen=True, slots=True)
class Dial:
    """Where and as whom to call, resolved and allowed."""

    target: str
    """Request-URI."""
    destination: sip.Address
    from_uri: str
    from_display: str
    credentials: Credentials | None
    codecs: tuple[Codec, ...]


@dataclass(frozen=True, slots=True)
class _Ending:
    reason: EndedReason
    sip_status: int | None = None
    sip_reason: str | None = None


@dataclass(frozen=True, slots=True)
class Attached:
    """Who takes part in a call besides its two sides."""

    use_tool: UseTool | None = None
    """Carries out what the brain asks for besides speaking; without it, that is only recorded."""
    detached_tools: Container[str] = ()
    """Names of the tools that go on when the call is over."""
    can_transfer: bool = False
    """`use_tool` knows `transfer`, so that a client and a hook may ask for it too."""
    on_event: OnEvent | None = None
    """Asked outside the packet path."""


class LiveCall:
    """Dials, connects the answered leg to a conversation, and tells how it ended."""

    def __init__(
        self,
        *,
        endpoint: SipEndpoint,
        clock: Clock,
        socket: RtpSocket,
        media_host: str,
        limits: Limits,
        recording: Path | None,
        report: Report,
        attached: Attached | None = None,
    ) -> None:
        self._endpoint, self._clock, self._socket = endpoint, clock, socket
        self._media_host, self._limits, self._report = media_host, limits, report
        self._recording = recording
        self._attached = attached or Attached()
        self._instructions_left = MOST_INSTRUCTIONS
        self._loop = asyncio.get_running_loop()
        self._ending: asyncio.Future[_Ending] = self._loop.create_future()
        self._leg_over = False
        self._leg = ""
        self._trunk_responds = False
        self._offer = b""
        self._codecs: tuple[Codec, ...] = ()
        self._session: Session | None = None
        self._pacer = Pacer(TELEPHONE_HZ)
        self._stream: MediaStream | None = None
        self._recorder: StereoRecorder | None = None
        self._answered_at: float | None = None
        self._answered_on: datetime | None = None
        self._ring_timer: asyncio.TimerHandle | None = None
        self._telling = Telling(self._tell)
        self._tools: ToolRunner | None = None
        self._watch: Watch | None = None
        self._actions: Actions | None = None
        self._warnings: list[str] = []

    @property
    def leg(self) -> str:
        """Its Call-ID; empty before it is dialled."""
        return self._leg

    @property
    def pacer(self) -> Pacer:
        """Where the session's speech goes."""
        return self._pacer

    def dial(self, dial: Dial) -> str:
        """Queue the INVITE; returns the leg's Call-ID. The endpoint's `flush` sends it."""
        self._codecs = dial.codecs
        host, port = self._socket.address
        self._offer = sdp.offer(self._media_host or host, port, dial.codecs)
        self._leg = self._endpoint.agent.invite(
            target=dial.target,
            destination=dial.destination,
            from_uri=dial.from_uri,
            from_display=dial.from_display,
            sdp=self._offer,
            credentials=dial.credentials,
            now=self._endpoint.now(),
        )
        self._ring_timer = self._loop.call_later(self._limits.ring_s, self._ring_timeout)
        return self._leg

    async def run(self, session: Session) -> Conversation:
        """Hold the conversation on the dialled leg, and let go of everything when it is over."""
        self._session = session
        attached = self._attached
        tools = ToolRunner(session, attached.use_tool, attached.detached_tools, self._tell)
        self._tools = tools
        started_on = datetime.now(UTC)
        preparation = self._loop.create_task(self._prepare(session))
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._close_recording)
            stack.callback(lambda: session.stop(self._loop.time()))
            stack.callback(self._end_leg)
            stack.callback(self._end_media)
            stack.callback(preparation.cancel)
            stack.callback(tools.stop)
            ending = await self._ending
            ended_on = datetime.now(UTC)
            tools.stop()
            self._end_media()
            self._end_leg()
            await session.finish(self._loop.time())
        spoken = tuple(m for m in session.messages if m.role in ("assistant", "user"))
        return Conversation(
            ended_reason=ending.reason,
            sip_status=ending.sip_status,
            sip_reason=ending.sip_reason,
            started_at=started_on,
            answered_at=self._answered_on,
            ended_at=ended_on,
            messages=spoken,
            answered_by=answered_by(spoken),
            latency=self._telling.latency,
            quality=self._quality(),
            recording=await self._recorded(),
            tool_calls=tuple(tools.calls),
            warnings=tuple(self._warnings),
        )

    def hang_up(self) -> None:
        """End the call from our side; before the answer that is `canceled`."""
        self._end(_Ending("canceled" if self._answered_at is None else "agent_hangup"))

    def act(self, action: str, arguments: Arguments) -> Refusal | None:
        """Do something to the call, or say why not (`Actions`); never blocks, never raises."""
        if self._ending.done():
            return Refusal("no_such_call", "the call is over")
        if action == "hang_up":
            self.hang_up()
            return None
        if self._actions is None:
            return Refusal("not_answered", "the call has not been answered")
        return self._actions.act(action, arguments)

    # Signalling

    def on_sip(self, event: sip.Event) -> None:
        """Take what happened on the leg."""
        match event:
            case sip.Trying():
                self._trunk_responds = True
            case sip.Ringing():
                self._trunk_responds = True
                self._tell("status", {"status": "ringing"})
            case sip.Answered(sdp=answer):
                self._answered(answer)
            case sip.Failed(status=status, reason_phrase=phrase, local=local):
                self._leg_over = True
                reason: EndedReason = "dial_failed" if local else ended_reason(status)
                self._end(_Ending(reason, status, phrase))
            case sip.Ended(by=by, sip_status=status, cause=cause):
                self._leg_over = True
                reason = "user_hangup" if by == "remote" else "dial_failed"
                self._end(_Ending(reason, status, cause))
            case sip.DtmfInfo(digit=digit):
                if self._session is not None:
                    self._session.digit(digit, self._loop.time())
            case _:
                pass

    def _answered(self, answer: bytes) -> None:
        """The 200 OK: media runs and the opening goes out before this returns."""
        if self._ending.done() or self._session is None:
            return
        self._cancel_ring_timer()
        try:
            self._connect(self._session, self._negotiated(answer))
        except MediaError as error:
            self._end(_Ending("dial_failed", 488, str(error)))
        except Exception:
            log.exception("the answered call could not be connected")
            self._end(_Ending("engine_error"))

    def _connect(self, session: Session, negotiated: sdp.Negotiated) -> None:
        now = self._loop.time()
        if self._recording is not None:
            self._recorder = StereoRecorder(
                self._recording, negotiated.codec.rate_hz, self._recording_failed
            )
        self._stream = MediaStream(
            socket=self._socket,
            negotiated=negotiated,
            sink=session,
            pacer=self._pacer,
            clock=self._clock,
            recorder=self._recorder,
        )
        self._answered_at, self._answered_on = now, datetime.now(UTC)
        self._stream.start(now)
        self._tell("status", {"status": "in-progress"})
        session.answered(now)
        self._actions = Actions(
            session=session,
            press=self._stream.send_digits,
            recorder=self._recorder,
            transfer=self._transfer if self._attached.can_transfer else None,
            tell=self._tell,
        )
        self._watch = Watch(
            limits=self._limits,
            session=session,
            stream=self._stream,
            pacer=self._pacer,
            end=lambda reason: self._end(_Ending(reason)),
        )
        self._watch.start()

    def _negotiated(self, answer: bytes) -> sdp.Negotiated:
        """What the answer makes of our offer. Raises `MediaError`."""
        negotiated = sdp.accept(self._offer, answer, self._codecs)
        ours, theirs = self._socket.address[0], negotiated.remote[0]
        if ip_address(ours).version != ip_address(theirs).version:
            raise SdpError(f"our leg at {ours} cannot send to {theirs}")
        return negotiated

    # The conversation

    async def _prepare(self, session: Session) -> None:
        try:
            await session.prepare()
        except Exception as error:  # a cold brain is slow, not silent; its reply will tell
            log.warning("the brain could not be warmed: %s", error)

    def on_talk(self, event: talk.Event) -> None:
        """Take what happened in the conversation."""
        self._telling.take(event)
        match event:
            case talk.Partial(at=at) | talk.TurnEnded(at=at):
                self._words_at(at)
            case talk.Spoken(at=at):
                self._words_at(at)
                if self._watch is not None:
                    self._watch.spoken()
            case talk.ToolRequested(name="end_call", arguments=arguments):
                self._end(_Ending(_said_reason(arguments.get("reason"))))
            case talk.ToolRequested(name=name, arguments=arguments):
                self._use(name, arguments)
            case talk.EngineFailed(engine=engine, reason=text):
                log.error("engine failed: %s: %s", engine, text)
                self._warnings.append(f"engine-failed:{engine}")
                self._end(_Ending("engine_error"))
            case _:
                pass

    def _words_at(self, at: float) -> None:
        if self._watch is not None:
            self._watch.words_at(at)

    def _use(self, name: str, arguments: Arguments) -> None:
        """Carry out what the brain asks for."""
        if self._tools is None:
            return
        if name == "press_digits":
            refusal = self.act("press", {"digits": arguments.get("digits")})
            self._tools.done(name, arguments, refusal.detail if refusal else None)
        else:
            self._tools.start(name, arguments)

    def _transfer(self, arguments: Arguments) -> None:
        self._use("transfer", arguments)

    def _tell(self, kind: str, data: Mapping[str, object]) -> None:
        """Report an event, and ask the hook about it once this round of datagrams is done."""
        self._report(kind, data)
        if self._attached.on_event is not None:
            self._loop.call_soon(self._ask_hook, self._attached.on_event, kind, data)

    def _ask_hook(self, hook: OnEvent, kind: str, data: Mapping[str, object]) -> None:
        try:
            instructions = tuple(hook(kind, data)) if not self._ending.done() else ()
        except Exception:
            log.exception("a hook failed at %s", kind)
            return
        for instruction in instructions:
            self._obey(instruction)

    def _obey(self, instruction: Instruction) -> None:
        if not self._instructions_left:
            if "hooks-exhausted" not in self._warnings:
                self._warnings.append("hooks-exhausted")
            return
        self._instructions_left -= 1
        refusal = self.act(instruction.action, instruction.arguments)
        if refusal is not None:
            data = {"action": instruction.action, "code": refusal.code, "detail": refusal.detail}
            self._report("action.refused", data)

    # The end

    def _end(self, ending: _Ending) -> None:
        if not self._ending.done():
            self._ending.set_result(ending)

    def _ring_timeout(self) -> None:
        if self._trunk_responds:
            self._end(_Ending("dial_no_answer"))
        else:
            self._end(_Ending("dial_failed", sip_reason="the trunk does not respond"))

    def _cancel_ring_timer(self) -> None:
        if self._ring_timer is not None:
            self._ring_timer.cancel()
            self._ring_timer = None

    def _end_media(self) -> None:
        self._cancel_ring_timer()
        if self._watch is not None:
            self._watch.stop()
        if self._stream is not None:
            self._stream.stop()

    def _end_leg(self) -> None:
        """BYE or CANCEL; the SIP core sees to it that the other side hears it."""
        if not self._leg_over:
            self._leg_over = True
            self._endpoint.agent.hang_up(self._leg, self._endpoint.now())
            self._endpoint.flush()

    async def _close_recording(self) -> None:
        if self._recorder is None:
            return
        try:
            async with asyncio.timeout(_CLOSE_RECORDING_S):
                await self._recorder.aclose()
        except TimeoutError:
            log.error("the recording is not written yet; the call does not wait for it")
            self._warnings.append("recording-incomplete")
            return
        if self._recorder.failure is not None or self._recorder.dropped_samples:
            self._warnings.append("recording-incomplete")

    async def _recorded(self) -> Path | None:
        """The recording, as far as there is one."""
        if self._recorder is None:
            return None
        there = await asyncio.to_thread(self._recorder.path.is_file)
        return self._recorder.path if there else None

    def _recording_failed(self, failure: RecordingFailed) -> None:
        """Runs on the writer thread; the call goes on without a recording."""
        log.error("recording failed: %s", failure)

    def _quality(self) -> dict[str, dict[str, float | None]]:
        if self._stream is None:
            return {}
        return quality_of(self._stream.quality(self._loop.time()))


def _said_reason(reason: object) -> EndedReason:
    if reason == "voicemail_reached":
        return "voicemail_reached"
    if reason == "screening":
        return "screening"
    return "agent_hangup"
