"""Everything `server.calls` raises.

CallError
├── Refused             a request that this node will not place; names the field   (client)
├── CallNotFound        no call has this id                                        (client)
├── CursorInvalid       a list cursor that this node did not hand out              (client)
└── Draining            the node is shutting down and takes no more calls: 503     (local)
"""


class CallError(Exception):
    """Root of the tree."""


class Refused(CallError):
    """The request is well-formed, but this node's settings do not allow it."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class CallNotFound(CallError):
    """No call has this id."""


class CursorInvalid(CallError):
    """The cursor did not come from this node."""


class Draining(CallError):
    """The node is shutting down; ask another one, or later."""
