"""What a node keeps about itself in its data folder: made once, the same after every start."""

import secrets
from pathlib import Path

from server.calls.webhooks.signature import new_secret
from server.private import make_file, make_folder
from server.settings import Settings


def node_id(folder: Path) -> str:
    """The name that this node goes by among those that share its database. Raises OSError."""
    return _kept(folder / "node-id", f"node-{secrets.token_hex(8)}")


def webhook_secret(settings: Settings) -> str:
    """What webhooks without a secret of their own are signed with. Raises OSError."""
    if settings.webhooks.secret is not None:
        return settings.webhooks.secret.get_secret_value()
    return _kept(settings.data.dir / "webhook-secret", new_secret())


def _kept(path: Path, fresh: str) -> str:
    """What the file says; `fresh` from now on, where there is none."""
    make_folder(path.parent)
    make_file(path)
    found = path.read_text("ascii").strip()
    if not found:
        path.write_text(f"{fresh}\n", "ascii")
    return found or fresh
