"""Documents with unique names: deployments, agents, playbooks."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import Row, Table, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from server.calls.agent import AgentConfig
from server.calls.errors import DocumentChanged, DocumentNotFound, NameTaken
from server.calls.events import rfc3339, utc_now
from server.calls.ids import new_call_id
from server.calls.origin import Deployment
from server.calls.schema import agents, deployments, playbooks

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Stored(Generic[T]):
    """One document as it is kept."""

    id: str
    name: str
    document: T
    created_at: datetime
    updated_at: datetime
    version: str
    """Differs after every change; the ETag over HTTP."""


@dataclass(frozen=True, slots=True)
class Format(Generic[T]):
    """How a document is written into a column of text."""

    write: Callable[[T], str]
    read: Callable[[str], T]
    new_id: Callable[[], str]


class Documents(Generic[T]):
    """The documents of one table."""

    def __init__(self, engine: AsyncEngine, table: Table, form: Format[T]) -> None:
        self._engine = engine
        self._table = table
        self._form = form

    async def create(self, name: str, document: T) -> Stored[T]:
        """Keep a new document. Raises `NameTaken`."""
        now = rfc3339(utc_now())
        row = {
            "id": self._form.new_id(),
            "name": name,
            "document": self._form.write(document),
            "created_at": now,
            "updated_at": now,
        }
        await self._write(insert(self._table).values(row), name)
        return await self.get(row["id"])

    async def get(self, document_id: str) -> Stored[T]:
        """Read one by its id. Raises `DocumentNotFound`."""
        return await self._one(self._table.c.id == document_id)

    async def by_name(self, name: str) -> Stored[T]:
        """Read one by its name. Raises `DocumentNotFound`."""
        return await self._one(self._table.c.name == name)

    async def replace(
        self, document_id: str, name: str, document: T, version: str | None = None
    ) -> Stored[T]:
        """Put another document, and name, in the place of one.

        version: refuse where it is not this one any more.
        Raises `DocumentNotFound`, `DocumentChanged` and `NameTaken`.
        """
        seen = await self._seen(document_id, version)
        values = {
            "name": name,
            "document": self._form.write(document),
            "updated_at": rfc3339(utc_now()),
        }
        changed = update(self._table).where(self._is(seen, version)).values(values)
        if not await self._write(changed, name):
            raise await self._lost(document_id)
        return await self.get(document_id)

    async def delete(self, document_id: str, version: str | None = None) -> Stored[T]:
        """Delete one; returns what it was. Raises `DocumentNotFound` and `DocumentChanged`."""
        seen = await self._seen(document_id, version)
        if not await self._write(delete(self._table).where(self._is(seen, version)), seen.name):
            raise await self._lost(document_id)
        return seen

    async def list(self, cursor: str | None = None, limit: int = 50) -> Sequence[Stored[T]]:
        """Read documents, newest first. cursor: the id behind which to go on."""
        query = select(self._table).order_by(self._table.c.id.desc()).limit(limit)
        if cursor is not None:
            query = query.where(self._table.c.id < cursor)
        async with self._engine.connect() as connection:
            rows = (await connection.execute(query)).all()
        return tuple(self._stored(row) for row in rows)

    async def _one(self, condition: Any) -> Stored[T]:
        async with self._engine.connect() as connection:
            row = (await connection.execute(select(self._table).where(condition))).one_or_none()
        if row is None:
            raise DocumentNotFound(self._table.name.removesuffix("s"))
        return self._stored(row)

    async def _seen(self, document_id: str, version: str | None) -> Stored[T]:
        seen = await self.get(document_id)
        if version is not None and version != seen.version:
            raise DocumentChanged
        return seen

    def _is(self, seen: Stored[T], version: str | None) -> Any:
        """The row, as it was seen where that counts."""
        same = self._table.c.id == seen.id
        if version is None:
            return same
        return same & (self._table.c.updated_at == rfc3339(seen.updated_at))

    async def _write(self, statement: Any, name: str) -> int:
        try:
            async with self._engine.begin() as connection:
                return int((await connection.execute(statement)).rowcount)
        except IntegrityError as error:  # the only constraint that a caller can break
            raise NameTaken(name) from error

    async def _lost(self, document_id: str) -> Exception:
        """Why a document that was there a moment ago was not written."""
        try:
            await self.get(document_id)
        except DocumentNotFound as error:
            return error
        return DocumentChanged()

    def _stored(self, row: Row[Any]) -> Stored[T]:
        version = hashlib.sha256(f"{row.updated_at}\n{row.name}\n{row.document}".encode())
        return Stored(
            row.id,
            row.name,
            self._form.read(row.document),
            datetime.fromisoformat(row.created_at),
            datetime.fromisoformat(row.updated_at),
            version.hexdigest()[:32],
        )


class Deployments(Documents[Deployment]):
    """The stored deployments."""

    def __init__(self, engine: AsyncEngine) -> None:
        super().__init__(engine, deployments, _json(Deployment, lambda: f"dep_{_hex()}"))

    async def by_id(self, deployment_id: str) -> Deployment | None:
        """The deployment of this id."""
        try:
            return (await self.get(deployment_id)).document
        except DocumentNotFound:
            return None

    async def by_number(self, number: str) -> tuple[str, Deployment] | None:
        """The deployment whose number it is, with its id; the oldest, where there are several."""
        holds = deployments.c.document.contains(f'"number":"{number}"', autoescape=True)
        query = select(deployments).where(holds).order_by(deployments.c.id)
        async with self._engine.connect() as connection:
            rows = (await connection.execute(query)).all()
        found = (self._stored(row) for row in rows)
        return next(((d.id, d.document) for d in found if d.document.number == number), None)


def stored_agents(engine: AsyncEngine) -> Documents[AgentConfig]:
    """The stored agents; their ids are UUIDs, as OneInbox has them."""
    return Documents(engine, agents, _json(AgentConfig, lambda: str(UUID(hex=_hex()))))


def stored_playbooks(engine: AsyncEngine) -> Documents[str]:
    """The stored playbooks, in markdown."""
    return Documents(engine, playbooks, Format(str, str, lambda: f"pb_{_hex()}"))


def _json(model: type[M], new_id: Callable[[], str]) -> Format[M]:
    return Format(lambda document: document.model_dump_json(), model.model_validate_json, new_id)


def _hex() -> str:
    """A version 7 UUID."""
    return new_call_id().removeprefix("call_")
