"""One live call, from the INVITE to the end of its media; the only place where legs meet sessions.

Stands between the workflow, which awaits `run`, and the packet path, which runs through
`MediaStream` and `Session` without passing here.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

from media import sdp
from media.audio import TELEPHONE_HZ
from media.clock import Clock
from media.codecs import Codec
from media.errors import MediaError, RecordingFailed, SdpError
from media.pacer import Pacer
from media.quality import Quality
from media.recorder import StereoRecorder
from media.stream import MediaStream
from media.udp import RtpSocket
from pipeline import events as talk
from pipeline.analysis import answered_by
from pipeline.ports import Message
from pipeline.session import Session
from server.calls.conversation import Conversation, Report
from server.calls.model import EndedReason
from server.latency import percentiles
from server.sip import events as sip
from server.sip.digest import Credentials
from server.sip.reason import ended_reason
from server.sip.transport import SipEndpoint

log = logging.getLogger(__name__)

_MEDIA_CHECK_S = 0.5
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
class Limits:
    """When a call is given up, seconds."""

    ring_s: float
    duration_s: float
    inactivity_s: float
    media_timeout_s: float


@dataclass(frozen=True, slots=True)
class _Ending:
    reason: EndedReason
    sip_status: int | None = None
    sip_reason: str | None = None


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
    ) -> None:
        self._endpoint, self._clock, self._socket = endpoint, clock, socket
        self._media_host, self._limits, self._report = media_host, limits, report
        self._recording = recording
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
        self._active_at = 0.0
        self._timers: list[asyncio.TimerHandle] = []
        self._latency: dict[str, list[float]] = defaultdict(list)
        self._tool_calls: list[Mapping[str, object]] = []
        self._warnings: list[str] = []

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
        self._after(self._limits.ring_s, self._ring_timeout)
        return self._leg

    async def run(self, session: Session) -> Conversation:
        """Hold the conversation on the dialled leg, and let go of everything when it is over."""
        self._session = session
        started_on = datetime.now(UTC)
        preparation = self._loop.create_task(self._prepare(session))
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._close_recording)
            stack.callback(lambda: session.stop(self._loop.time()))
            stack.callback(self._end_leg)
            stack.callback(self._end_media)
            stack.callback(preparation.cancel)
            ending = await self._ending
            ended_on = datetime.now(UTC)
            self._end_media()
            self._end_leg()
            await session.finish(self._loop.time())
        return Conversation(
            ended_reason=ending.reason,
            sip_status=ending.sip_status,
            sip_reason=ending.sip_reason,
            started_at=started_on,
            answered_at=self._answered_on,
            ended_at=ended_on,
            messages=tuple(session.messages),
            answered_by=answered_by(session.messages),
            latency={stage: percentiles(values) for stage, values in self._latency.items()},
            quality=self._quality(),
            recording=await self._recorded(),
            tool_calls=tuple(self._tool_calls),
            warnings=tuple(self._warnings),
        )

    def hang_up(self) -> None:
        """End the call from our side; before the answer that is `canceled`."""
        self._end(_Ending("canceled" if self._answered_at is None else "agent_hangup"))

    # Signalling

    def on_sip(self, event: sip.Event) -> None:
        """Take what happened on the leg."""
        match event:
            case sip.Trying():
                self._trunk_responds = True
            case sip.Ringing():
                self._trunk_responds = True
                self._report("status", {"status": "ringing"})
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
        self._cancel_timers()
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
        self._active_at = now
        self._stream.start(now)
        self._report("status", {"status": "in-progress"})
        session.answered(now)
        self._after(self._limits.duration_s, self._duration_reached)
        self._after(_MEDIA_CHECK_S, self._check_media)

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
        match event:
            case talk.SpeechStarted(at=at) | talk.SpeechEnded(at=at):
                self._active_at = at
            case talk.Partial(text=text):
                self._report("transcript.partial", {"role": "user", "content": text})
            case talk.TurnEnded(at=at, message=message) | talk.Spoken(at=at, message=message):
                self._active_at = at
                self._report("transcript.final", _said(message))
            case talk.ReplyStarted(text=text, latency=latency):
                stages = {k: v for k, v in asdict(latency).items() if v is not None}
                self._count(stages)
                self._report("reply", {"content": text, "latency": stages})
            case talk.Interrupted(barge_in_ms=barge_in_ms):
                self._count({"barge_in_ms": barge_in_ms})
                self._report("interruption", {"barge_in_ms": barge_in_ms})
            case talk.DigitHeard(digit=digit):
                self._report("dtmf.received", {"digit": digit})
            case talk.ToolRequested(name="end_call", arguments=arguments):
                self._end(_Ending(_said_reason(arguments.get("reason"))))
            case talk.ToolRequested(name=name, arguments=arguments):
                self._tool_called(name, arguments)
            case talk.EngineFailed(engine=engine, reason=text):
                log.error("engine failed: %s: %s", engine, text)
                self._warnings.append(f"engine-failed:{engine}")
                self._end(_Ending("engine_error"))

    def _count(self, stages: Mapping[str, float]) -> None:
        for stage, value in stages.items():
            self._latency[stage].append(value)

    def _tool_called(self, name: str, arguments: Mapping[str, str]) -> None:
        call = {"name": name, "arguments": dict(arguments), "status": "recorded"}
        self._tool_calls.append(call)
        self._report("tool.called", call)

    # The end

    def _end(self, ending: _Ending) -> None:
        if not self._ending.done():
            self._ending.set_result(ending)

    def _ring_timeout(self) -> None:
        if self._trunk_responds:
            self._end(_Ending("dial_no_answer"))
        else:
            self._end(_Ending("dial_failed", sip_reason="the trunk does not respond"))

    def _duration_reached(self) -> None:
        self._end(_Ending("max_duration_reached"))

    def _check_media(self) -> None:
        assert self._stream is not None
        assert self._answered_at is not None
        now = self._loop.time()
        received_at = self._stream.last_received_at
        heard_at = self._answered_at if received_at is None else received_at
        if now - heard_at >= self._limits.media_timeout_s:
            self._end(_Ending("media_timeout"))
        elif now - self._active_at >= self._limits.inactivity_s and not self._pacer.pending_samples:
            self._end(_Ending("inactivity"))
        else:
            self._after(_MEDIA_CHECK_S, self._check_media)

    def _after(self, seconds: float, action: Callable[[], None]) -> None:
        self._timers.append(self._loop.call_later(seconds, action))

    def _cancel_timers(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()

    def _end_media(self) -> None:
        self._cancel_timers()
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
        quality = self._stream.quality(self._loop.time())
        return {"inbound": _inbound(quality), "outbound": _outbound(quality)}


def _inbound(quality: Quality) -> dict[str, float | None]:
    """What we heard of the callee."""
    return {
        "packets": quality.received,
        "loss": round(quality.loss, 5),
        "jitter_ms": round(quality.jitter_ms, 2),
        "mos": round(quality.mos, 2) if quality.received else None,
        "concealed": round(quality.concealed_ms, 1),
        "late": quality.late,
        "duplicates": quality.duplicates,
        "strangers": quality.strangers,
        "echo_db": None,
        "clipped": None,
    }


def _outbound(quality: Quality) -> dict[str, float | None]:
    """What we sent; how it was received is unknown without reports from the peer."""
    return {"packets": quality.sent, "loss": None, "jitter_ms": None, "mos": None}


def _said(message: Message) -> dict[str, object]:
    """A message as its event tells it; `intended` is about the agent's words alone."""
    told = asdict(message)
    if message.role == "user":
        del told["intended"]
    return told


def _said_reason(reason: str | None) -> EndedReason:
    if reason == "voicemail_reached":
        return "voicemail_reached"
    if reason == "screening":
        return "screening"
    return "agent_hangup"
