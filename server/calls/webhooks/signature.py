"""Signatures by Standard Webhooks 1.0, for webhooks and for calls of tools.

The receiver checks them with any library of https://www.standardwebhooks.com, from the same
secret, the header fields and the body as it came.
"""

import base64
import binascii
import secrets
from datetime import UTC, datetime

from standardwebhooks import Webhook

from server.calls.webhooks.errors import SecretInvalid

PREFIX = "whsec_"
NEW_SECRET_BYTES = 32
MIN_SECRET_BYTES, MAX_SECRET_BYTES = 24, 64


def new_secret() -> str:
    """Make a secret to share with a receiver."""
    return PREFIX + base64.b64encode(secrets.token_bytes(NEW_SECRET_BYTES)).decode()


def check_secret(secret: str) -> str:
    """Check a secret that a client gave. Raises `SecretInvalid`, without showing it."""
    if not secret.startswith(PREFIX):
        raise SecretInvalid(f"the secret does not begin with {PREFIX}")
    encoded = secret.removeprefix(PREFIX)
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise SecretInvalid(f"what follows {PREFIX} is not base64") from None
    if not MIN_SECRET_BYTES <= len(key) <= MAX_SECRET_BYTES:
        raise SecretInvalid(f"the key has not {MIN_SECRET_BYTES} to {MAX_SECRET_BYTES} bytes")
    return secret


def sign(secret: str, message_id: str, at: datetime, body: str) -> dict[str, str]:
    """The header fields that sign a message.

    message_id: the same for every attempt. at: of this attempt, with its zone.
    body: what is signed. Raises `SecretInvalid`.
    """
    # The library takes the clock face of `at` for UTC, whatever its zone.
    moment = at.astimezone(UTC)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": Webhook(check_secret(secret)).sign(message_id, moment, body),
    }
