"""The whole path of a leg on one screen."""

from __future__ import annotations

from media.clock import Clock
from media.errors import RateMismatch
from media.inbound import AudioSink, Inbound
from media.outbound import Outbound
from media.pacer import Pacer
from media.quality import Quality
from media.recorder import StereoRecorder
from media.sdp import Negotiated
from media.udp import RtpSocket

__all__ = ["AudioSink", "MediaStream"]


class MediaStream:
    """One leg, both ways, each a single synchronous call stack:

        socket → latch → rtp → jitter → codec → conceal → sink      per datagram
        pacer → codec → rtp → socket                                per tick of the clock

    Raises RateMismatch where pacer, recorder and codec differ in sample rate. The socket and the
    recorder remain their owner's to close.
    """

    def __init__(
        self,
        *,
        socket: RtpSocket,
        negotiated: Negotiated,
        sink: AudioSink,
        pacer: Pacer,
        clock: Clock,
        recorder: StereoRecorder | None = None,
    ) -> None:
        rate_hz = negotiated.codec.rate_hz
        for part in (pacer, recorder):
            if part is not None and part.rate_hz != rate_hz:
                raise RateMismatch(f"{type(part).__name__} at {part.rate_hz} Hz, leg at {rate_hz}")
        self._socket, self._clock = socket, clock
        self._negotiated = negotiated
        self._in = Inbound(negotiated, sink, recorder)
        self._out = Outbound(negotiated, pacer, recorder, socket.send)

    def start(self, now: float) -> None:
        """Listen now, send from the next tick on. now: loop seconds, the recording's zero."""
        self._in.begin(now)
        self._out.begin(now)
        self._socket.connect(self._negotiated.remote)
        self._socket.listen(self._in.datagram)
        self._clock.add(self._tick)

    def stop(self) -> None:
        """Send and hear nothing more."""
        self._clock.remove(self._tick)
        self._socket.listen(None)

    def renegotiate(self, negotiated: Negotiated) -> None:
        """Follow new SDP: address, codec, hold. Our port, SSRC and sequence stay.

        Raises RateMismatch where the new codec has another sample rate.
        """
        if negotiated.codec.rate_hz != self._negotiated.codec.rate_hz:
            raise RateMismatch(f"a leg cannot change to {negotiated.codec.rate_hz} Hz")
        if negotiated.remote != self._negotiated.remote:
            self._socket.connect(negotiated.remote)
        self._in.adopt(negotiated)
        self._out.adopt(negotiated)
        self._negotiated = negotiated

    def send_digits(self, digits: str) -> None:
        """Send telephone-events in place of audio; `w` waits 500 ms.

        Raises DtmfError where they are no digits or the peer takes none.
        """
        self._out.send_digits(digits)

    @property
    def last_received_at(self) -> float | None:
        """When the last packet came, loop seconds; None before the first."""
        return self._in.arrivals.last_at

    def quality(self, now: float) -> Quality:
        """How well the leg was heard so far. now: loop seconds."""
        heard, jitter = self._in.arrivals, self._in.jitter
        return Quality(
            at=now,
            received=heard.received,
            lost=jitter.lost,
            late=jitter.late,
            duplicates=jitter.duplicates,
            strangers=self._socket.strangers,
            malformed=self._in.malformed,
            jitter_ms=heard.jitter_ms,
            concealed_ms=self._in.concealed_samples * 1000 / self._negotiated.codec.rate_hz,
            sent=self._out.sent,
            first_packet_at=heard.first_at,
            last_packet_at=heard.last_at,
        )

    def _tick(self, deadline: float) -> None:
        self._in.tick(deadline)
        self._out.tick(deadline)
