"""Keys of the API: shown once, kept as a hash.

A key is `ohk_ID_SECRET`. The secret has 256 bits of entropy, so one round of SHA-256 is
enough; there is nothing to guess.
"""

import hashlib
import hmac
import json
import secrets
import time
from dataclasses import dataclass

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from server.calls.events import rfc3339, utc_now
from server.calls.schema import api_keys

ALL_SCOPES = ("*",)
NO_HASH = "0" * 64
TRUST_S = 5.0
"""A key that was found is good for this long without another look, also once revoked."""


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
        self._trusted: dict[str, tuple[Key, float]] = {}
        """By hash: keys found lately, and until when (monotonic seconds) they are good."""

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
        hashed = _hash(key)
        trusted, until = self._trusted.get(hashed, (None, 0.0))
        if trusted is not None and time.monotonic() < until:
            return trusted
        self._trusted.pop(hashed, None)
        found = await self._look_up(key, hashed)
        if found is not None:
            self._trusted[hashed] = found, time.monotonic() + TRUST_S
        return found

    async def _look_up(self, key: str, hashed: str) -> Key | None:
        key_id = key.removeprefix("ohk_").partition("_")[0]
        query = select(api_keys).where(api_keys.c.id == key_id, api_keys.c.revoked_at.is_(None))
        async with self._engine.connect() as connection:
            row = (await connection.execute(query)).one_or_none()
        right = hmac.compare_digest(hashed, NO_HASH if row is None else row.hash)
        if row is None or not right:
            return None
        return Key(row.id, row.name, tuple(json.loads(row.scopes)))


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()
