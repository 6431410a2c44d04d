"""Everything `media` raises.

    MediaError
    ├── RtpError            a datagram is not an RTP packet                     (peer)
    ├── SdpError            a session description cannot be used                (peer)
    │   └── NoCommonCodec   it is well-formed, but no audio line suits: 488     (peer)
    ├── DtmfError           digits that cannot be sent                          (local)
    ├── PortsExhausted      no free RTP port in the range: 503                  (local)
    ├── RateMismatch        two parts of one leg run at different sample rates  (local)
    └── RecordingFailed     the recording cannot be written (disk full, …)      (local)

`peer`: the other side is at fault, answer it; `local`: this node is.
"""

from __future__ import annotations


class MediaError(Exception):
    """Root of the tree."""


class RtpError(MediaError):
    """A datagram is not an RTP packet (RFC 3550 §5.1)."""


class SdpError(MediaError):
    """A session description is malformed or names something this node cannot use."""


class NoCommonCodec(SdpError):
    """No audio line offers a codec and transport this node speaks; answer 488."""


class DtmfError(MediaError):
    """The digits are not DTMF, or the peer takes no telephone-events."""


class PortsExhausted(MediaError):
    """Every port of the RTP range is taken; answer 503."""


class RateMismatch(MediaError):
    """Two parts of one leg run at different sample rates."""


class RecordingFailed(MediaError):
    """A recording cannot be written; `__cause__` is the operating system's error."""
