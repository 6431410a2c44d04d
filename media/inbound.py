"""The way in: one leg's datagrams to PCM for the sink, in a single call."""

from __future__ import annotations

from typing import Final, Protocol

from media.audio import Pcm, frame_samples, silence
from media.conceal import Concealer
from media.dtmf import DtmfReceiver
from media.errors import RtpError
from media.jitter import Gap, JitterBuffer
from media.quality import Arrivals
from media.recorder import CALLEE, StereoRecorder
from media.rtp import RtpPacket, is_rtcp
from media.sdp import Negotiated
from media.timeline import ListeningTimeline, RecordingTimeline

LONGEST_GAP_S: Final = 1
"""No more audio than this stands in for one gap in the sequence."""


class AudioSink(Protocol):
    """Whoever listens to the leg; stands at the end of the way in."""

    def feed(self, pcm: Pcm, now: float) -> None:
        """Take audio of any length, 20 ms as a rule; not to be written to.

        now: monotonic seconds, never falling.
        """

    def digit(self, digit: str, now: float) -> None:
        """Take one of 0-9 * # A-D as soon as it begins."""


class Inbound:
    """`rtp → jitter → codecs → conceal → sink`; stands after the socket's latch."""

    def __init__(
        self, negotiated: Negotiated, sink: AudioSink, recorder: StereoRecorder | None
    ) -> None:
        rate_hz, clock_hz = negotiated.codec.rate_hz, negotiated.codec.clock_hz
        self.arrivals = Arrivals(clock_hz)
        self.jitter = JitterBuffer()
        self.malformed = 0
        self.concealed_samples = 0
        self._rate_hz = rate_hz
        self._sink = sink
        self._recorder = recorder
        self._concealer = Concealer(rate_hz)
        self._dtmf = DtmfReceiver()
        self._listening = ListeningTimeline(rate_hz, clock_hz)
        self._placing = RecordingTimeline(rate_hz, clock_hz)
        self._packet_samples = frame_samples(rate_hz)
        self._record_at = 0
        self._now = 0.0
        self.adopt(negotiated)

    def begin(self, now: float) -> None:
        """Take `now` for the start of listening and of the recording."""
        self._now = now
        self._listening.begin(now)
        self._placing.begin(now)

    def adopt(self, negotiated: Negotiated) -> None:
        """Read packets by these payload types from now on."""
        self._codecs = negotiated.receive_payload_types
        self._dtmf_payload_type = negotiated.dtmf_receive

    def datagram(self, datagram: bytes, now: float) -> None:
        """Take what the socket received. now: monotonic seconds. Bad packets are counted."""
        if is_rtcp(datagram):
            return
        try:
            packet = RtpPacket.parse(datagram)
        except RtpError:
            self.malformed += 1
            return
        self._now = now = max(now, self._now)
        self.arrivals.count(packet.ssrc, packet.rtp_ts, now)
        for item in self.jitter.push(packet, now):
            self._take(item, now)

    def tick(self, now: float) -> None:
        """Do what is due by time alone: gaps that timed out, and silence nobody sent."""
        self._now = now = max(now, self._now)
        for item in self.jitter.expire(now):
            self._take(item, now)
        due = self._listening.silence_due(now)
        if due:
            self._feed_silence(due, now)

    def _take(self, item: RtpPacket | Gap, now: float) -> None:
        if isinstance(item, Gap):
            self._feed_stand_in(item.frames * self._packet_samples, now)
        elif (codec := self._codecs.get(item.payload_type)) is not None:
            pcm = codec.decode(item.payload)
            if pcm.size:
                self._feed_packet(item, pcm, now)
        elif item.payload_type == self._dtmf_payload_type:
            digit = self._dtmf.push(item, now)
            if digit is not None:
                self._sink.digit(digit, now)

    def _feed_packet(self, packet: RtpPacket, pcm: Pcm, now: float) -> None:
        self._packet_samples = pcm.size
        owed = self._listening.silence_before(packet.ssrc, packet.rtp_ts, pcm.size, now)
        if owed:
            self._feed_silence(owed, now)
        pcm = self._concealer.joined(pcm)
        if self._recorder is not None:
            at = self._placing.place(packet.ssrc, packet.rtp_ts, now)
            self._recorder.write(CALLEE, pcm, at)
            self._record_at = at + pcm.size
        self._sink.feed(pcm, now)

    def _feed_stand_in(self, lost_samples: int, now: float) -> None:
        samples = min(self._listening.still_lost(lost_samples), LONGEST_GAP_S * self._rate_hz)
        if not samples:
            return
        self.concealed_samples += samples
        stand_in = self._concealer.conceal(samples)
        if self._recorder is not None:
            self._recorder.write(CALLEE, stand_in, self._record_at)
            self._record_at += samples
        self._sink.feed(stand_in, now)

    def _feed_silence(self, samples: int, now: float) -> None:
        """Feed the silence of a peer that sends nothing while nobody speaks."""
        self._concealer.forget()
        self._sink.feed(silence(samples), now)
