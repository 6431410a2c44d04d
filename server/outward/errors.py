"""What can go wrong when the node calls a URL that a user gave.

OutwardError
├── OutwardRefused       never sent: this URL, header or method is not allowed        (the user's)
│   └── AddressRefused   never sent: the name leads where this node does not call     (the user's)
├── OutwardUnreachable   no such name, no connection, no TLS, or it broke off         (the peer's)
├── OutwardTimeout       no whole answer in time                                      (the peer's)
└── OutwardBadReply      the answer is not HTTP, or its header is too large           (the peer's)

The texts are fit to be shown to whoever gave the URL: they name no address that it led to.
"""


class OutwardError(Exception):
    """Root of the tree."""


class OutwardRefused(OutwardError):
    """Nothing was sent, and nothing will be as long as the settings stay as they are."""


class AddressRefused(OutwardRefused):
    """A name resolved to an address that this node does not call; tomorrow it may not."""


class OutwardUnreachable(OutwardError):
    """The server was not reached, or the connection ended before the answer did."""


class OutwardTimeout(OutwardError):
    """The whole exchange took longer than allowed; the server may have acted on it."""


class OutwardBadReply(OutwardError):
    """The server answered, but not with HTTP within the limits."""
