"""The way out: one leg's PCM to a datagram per tick."""

from __future__ import annotations

from collections.abc import Callable

from media.audio import frame_samples, silence
from media.clock import TICK_S
from media.dtmf import DtmfSender
from media.errors import DtmfError
from media.pacer import Pacer
from media.recorder import AGENT, StereoRecorder
from media.rtp import RtpSource
from media.sdp import Negotiated


class Outbound:
    """`pacer → codecs → rtp`; stands before the socket.

    Sends on every tick, encoded silence where nothing is queued, under one SSRC, sequence and
    clock. The clock runs on through holds, digits and ticks that never came. What is queued is
    played to nobody while the peer holds us, so that a reply ends.
    """

    def __init__(
        self,
        negotiated: Negotiated,
        pacer: Pacer,
        recorder: StereoRecorder | None,
        send: Callable[[bytes], None],
    ) -> None:
        self.sent = 0
        self._pacer = pacer
        self._recorder = recorder
        self._send = send
        self._frame = frame_samples(negotiated.codec.rate_hz)
        self._ticks = frame_samples(negotiated.codec.clock_hz)
        self._rate_hz = negotiated.codec.rate_hz
        self._source = RtpSource()
        self._dtmf = DtmfSender(negotiated.codec.clock_hz)
        self._started_at = self._ticked_at = 0.0
        self._marker = True
        self.adopt(negotiated)

    def begin(self, now: float) -> None:
        """Take `now` for the start of sending and of the recording."""
        self._started_at = self._ticked_at = now

    def adopt(self, negotiated: Negotiated) -> None:
        """Send by these terms from the next tick on."""
        self._codec = negotiated.codec
        self._payload_type = negotiated.send_payload_type
        self._dtmf_payload_type = negotiated.dtmf_send
        self._sends = negotiated.sends
        self._silent_payload = self._codec.encode(silence(self._frame))

    def send_digits(self, digits: str) -> None:
        """Queue digits. Raises DtmfError where they are none or the peer takes none."""
        if self._dtmf_payload_type is None:
            raise DtmfError("the peer takes no telephone-events")
        self._dtmf.send(digits)

    def tick(self, now: float) -> None:
        """Send one packet. now: the tick's deadline, which counts the ticks that were skipped."""
        passed = max(1, round((now - self._ticked_at) / TICK_S))
        self._ticked_at = now
        self._source.advance(passed * self._ticks)
        if not self._sends:
            self._pacer.pop(self._frame)
            self._marker = True
        elif self._dtmf.active:
            self._send_event(now)
        else:
            self._send_audio(now)

    def _send_audio(self, now: float) -> None:
        pcm = self._pacer.pop(self._frame)
        if pcm is None:
            self._emit(self._payload_type, self._silent_payload)
            return
        self._emit(self._payload_type, self._codec.encode(pcm))
        if self._recorder is not None:
            at = round((now - self._started_at) * self._rate_hz)
            self._recorder.write(AGENT, pcm, at)

    def _send_event(self, now: float) -> None:
        event = self._dtmf.tick(self._source.rtp_ts)
        if event is None:
            self._emit(self._payload_type, self._silent_payload)
        elif self._dtmf_payload_type is not None:
            datagram = self._source.packet(
                self._dtmf_payload_type, event.payload, marker=event.marker, rtp_ts=event.rtp_ts
            )
            self._send(datagram)
            self.sent += 1

    def _emit(self, payload_type: int, payload: bytes) -> None:
        self._send(self._source.packet(payload_type, payload, marker=self._marker))
        self._marker = False
        self.sent += 1
