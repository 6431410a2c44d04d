"""What can go wrong in the SIP core.

SipError
├── ParseError           the peer's fault: bytes that are no SIP message; dropped in silence
│   └── BadRequestError  the peer's fault: a request that can still be answered, and with what
└── UsageError           our fault: a command that could not be put on the wire
"""

from collections.abc import Sequence


class SipError(Exception):
    """Root of every error that the SIP core raises."""


class ParseError(SipError):
    """A message, or one production in it, breaks the grammar."""


class BadRequestError(ParseError):
    """A malformed request whose sender can be told so."""

    def __init__(self, status: int, reason: str, headers: Sequence[tuple[str, str]]) -> None:
        super().__init__(reason)
        self.status = status
        """The response status to send, 400 or 505."""
        self.reason = reason
        """Why, fit to be the reason phrase."""
        self.headers = tuple(headers)
        """The request's header fields as received, to build the response from."""


class UsageError(SipError):
    """A target, header or state given by our own side is not acceptable."""
