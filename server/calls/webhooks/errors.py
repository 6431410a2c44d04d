"""What can be wrong with a webhook or hook that a client asked for.

WebhookError
├── FilterInvalid     the filter is no expression; says where         (client)
├── EventUnknown      no event has this name                          (client)
└── SecretInvalid     the secret cannot sign by Standard Webhooks     (client)
"""


class WebhookError(Exception):
    """Root of the tree."""


class FilterInvalid(WebhookError):
    """The text is not a filter."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(f"at character {position + 1}: {message}")
        self.position = position
        """Of the offending character, from 0."""


class EventUnknown(WebhookError):
    """The node has no event of this name."""


class SecretInvalid(WebhookError):
    """The secret is not `whsec_` and the base64 of 24 to 64 bytes."""
