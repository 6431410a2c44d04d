"""Everything `server.tools` raises.

ToolError
├── ToolRefused       the operator has not allowed it; asking again changes nothing
├── ToolUnavailable   there is no way to do it here: a setting is missing
└── ToolFailed        it was tried, and did not work

The texts are told to the brain, so they name no address and no secret.
"""


class ToolError(Exception):
    """Root of the tree."""


class ToolRefused(ToolError):
    """What the model asked for lies outside of what the operator allowed."""


class ToolUnavailable(ToolError):
    """The node is not set up for it."""


class ToolFailed(ToolError):
    """The other side did not do it."""
