"""Keys of the API: shown once, kept as a hash.

A key is `ohk_ID_SECRET`. The secret has 256 bits of entropy, so one round of SHA-256 is
enough; there is nothing to guess.
"""

import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from server.calls.errors import NotFound
from server.calls.events import rfc3339, utc_now
from server.calls.origin import Caller
from server.calls.schema import api_keys

ALL_SCOPES = ("*",)
NO_HASH = "0" * 64
TRUST_S = 5.0
"""A key that was found is good for this long without another look, also once revoked."""


@dataclass(frozen=True, slots=True)
class Key:
    """Who is asking; never the secret."""

    id: str
    name: str
    scopes: tuple[str, ...]
    deployment_id: str | None = None
    """The only one whose calls it is about; all where absent."""
    daily_spend_cents: int | None = None
    created_at: str = field(default="", compare=False)
    revoked_at: str | None = None

    @property
    def caller(self) -> Caller:
        """As the calls know it."""
        return Caller(self.id, self.scopes, self.deployment_id, self.daily_spend_cents)


class KeyRing:
    """The keys in the database."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._trusted: dict[str, tuple[Key, float]] = {}
        """By hash: keys found lately, and until when (monotonic seconds) they are good."""

    async def create(
        self,
        name: str,
        scopes: Sequence[str] = ALL_SCOPES,
        deployment_id: str | None = None,
        daily_spend_cents: int | None = None,
    ) -> str:
        """Make a key and return it; it cannot be shown again."""
        key_id = secrets.token_hex(6)
        key = f"ohk_{key_id}_{secrets.token_urlsafe(32)}"
        row = {
            "id": key_id,
            "name": name,
            "hash": _hash(key),
            "scopes": json.dumps(list(scopes)),
            "created_at": rfc3339(utc_now()),
            "deployment_id": deployment_id,
            "daily_spend_cents": daily_spend_cents,
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
        found = await self.recognise(key)
        return found if found is not None and found.revoked_at is None else None

    async def recognise(self, key: str) -> Key | None:
        """The same, but a revoked key is known."""
        hashed = _hash(key)
        trusted, until = self._trusted.get(hashed, (None, 0.0))
        if trusted is not None and time.monotonic() < until:
            return trusted
        self._trusted.pop(hashed, None)
        found = await self._look_up(key, hashed)
        if found is not None and found.revoked_at is None:
            self._trusted[hashed] = found, time.monotonic() + TRUST_S
        return found

    async def get(self, key_id: str) -> Key:
        """Read one key, also a revoked one. Raises `NotFound`."""
        async with self._engine.connect() as connection:
            row = (
                await connection.execute(select(api_keys).where(api_keys.c.id == key_id))
            ).one_or_none()
        if row is None:
            raise NotFound("key")
        return _key(row)

    async def list(self, cursor: str | None = None, limit: int = 50) -> Sequence[Key]:
        """Read keys by id, also revoked ones. cursor: the id behind which to go on."""
        query = select(api_keys).order_by(api_keys.c.id).limit(limit)
        if cursor is not None:
            query = query.where(api_keys.c.id > cursor)
        async with self._engine.connect() as connection:
            rows = (await connection.execute(query)).all()
        return tuple(_key(row) for row in rows)

    async def revoke(self, key_id: str) -> bool:
        """Make a key useless, here at once, on other nodes within `TRUST_S`.

        False where it is revoked already. Raises `NotFound`.
        """
        key = await self.get(key_id)
        valid = (api_keys.c.id == key.id) & api_keys.c.revoked_at.is_(None)
        async with self._engine.begin() as connection:
            done = await connection.execute(
                update(api_keys).where(valid).values(revoked_at=rfc3339(utc_now()))
            )
        for hashed, (trusted, _) in list(self._trusted.items()):
            if trusted.id == key_id:
                del self._trusted[hashed]
        return bool(done.rowcount)

    async def _look_up(self, key: str, hashed: str) -> Key | None:
        key_id = key.removeprefix("ohk_").partition("_")[0]
        query = select(api_keys).where(api_keys.c.id == key_id)
        async with self._engine.connect() as connection:
            row = (await connection.execute(query)).one_or_none()
        right = hmac.compare_digest(hashed, NO_HASH if row is None else row.hash)
        return None if row is None or not right else _key(row)


def key_id_of(key: str) -> str:
    """The id in a key that was just made."""
    return key.split("_")[1]


def _key(row: Row[Any]) -> Key:
    return Key(
        row.id,
        row.name,
        tuple(json.loads(row.scopes)),
        row.deployment_id,
        row.daily_spend_cents,
        row.created_at,
        row.revoked_at,
    )


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()
