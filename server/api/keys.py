"""Keys of the API: shown once, kept as a hash.

A key is `ohk_ID_SECRET`. The secret has 256 bits of entropy, so one round of SHA-256 is
enough; there is nothing to guess.
"""

import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from server.calls.events import rfc3339, utc_now
from server.calls.schema import api_keys

ALL_SCOPES = ("*",)
NO_HASH = "0" * 64


@dataclass(frozen=True, slots=True)
class Key:
    """Who is asking."""

    id: str
    name: str
    scopes: tuple[str, ...]


class KeyRing:
    """The keys in the database."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def create(self, name: str, scopes: tuple[str, ...] = ALL_SCOPES) -> str:
        """Make a key and return it; it cannot be shown again."""
        key_id = secrets.token_hex(6)
        key = f"ohk_{key_id}_{secrets.token_urlsafe(32)}"
        row = {
            "id": key_id,
            "name": name,
            "hash": _hash(key),
            "scopes": json.dumps(scopes),
            "created_at": rfc3339(utc_now()),
        }
        async with self._engine.begin() as connection:
            await connection.execute(insert(api_keys), row)
        return key

    async def create_first(self) -> str | None:
        """Make a key if there is none yet; None where there is one."""
        async with self._engine.connect() as connection:
            count = await connection.scalar(select(func.count()).select_from(api_keys))
        return None if count else await self.create("first key")

    async def find(self, key: str) -> Key | None:
        """Whose key it is; None where it is unknown or revoked."""
        key_id = key.removeprefix("ohk_").partition("_")[0]
        query = select(api_keys).where(api_keys.c.id == key_id, api_keys.c.revoked_at.is_(None))
        async with self._engine.connect() as connection:
            row = (await connection.execute(query)).one_or_none()
        right = hmac.compare_digest(_hash(key), NO_HASH if row is None else row.hash)
        if row is None or not right:
            return None
        return Key(row.id, row.name, tuple(json.loads(row.scopes)))


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()
