"""Everything `server` raises outside of its folders.

ServerError
├── SettingsInvalid     offhook.toml or OFFHOOK_* cannot be used
├── NodeUnreachable     the node that a command is about does not answer
└── NodeRefused         it answered with a problem
"""


class ServerError(Exception):
    """Root of the tree."""


class SettingsInvalid(ServerError):
    """The configuration cannot be used; the text names the place and each bad key."""


class NodeUnreachable(ServerError):
    """No connection to the node, or it broke off."""


class NodeRefused(ServerError):
    """The node's answer was a problem; the text is its code and detail."""
