"""Frames between a node and its engine processes: a 4-byte length, then a pickled tuple.

Pickle is safe here: both ends of the socket pair are this program. Arrays travel as their raw
bytes (pickle protocol 5).
"""

import pickle
import struct
from typing import Any

LENGTH = struct.Struct("!I")

Frame = tuple[Any, ...]


def pack(*frame: Any) -> bytes:
    """Serialise one frame with its length in front."""
    body = pickle.dumps(frame, protocol=5)
    return LENGTH.pack(len(body)) + body


def unpack(body: bytes) -> Frame:
    """Parse a frame's body, without the length."""
    frame: Frame = pickle.loads(body)  # noqa: S301
    return frame
