"""Databases of both kinds, real ones."""

import shutil
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from server.calls.database import Place, migrate, open_database
from tests.server.postgresql import postgresql_server

TEMPLATE = "migrated"
_number = count(1)


@pytest.fixture(scope="session")
def sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file, to copy."""
    path = tmp_path_factory.mktemp("sqlite") / "node.sqlite3"
    migrate(path)
    return path


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a PostgreSQL server with a migrated database, to copy."""
    with postgresql_server() as url:
        create(url, TEMPLATE)
        migrate(named(url, TEMPLATE))
        yield url


def create(server: str, name: str, template: str = "template1") -> None:
    """Make a database on a server."""
    with psycopg.connect(server, autocommit=True) as connection:
        statement: Any = f"CREATE DATABASE {name} TEMPLATE {template}"
        connection.execute(statement)


def named(server: str, name: str) -> str:
    """The URL of another database of a server."""
    return server.replace("/postgres?", f"/{name}?")


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A database without rows."""
    template = request.getfixturevalue(request.param)
    if request.param == "sqlite":
        return Path(shutil.copy(template, tmp_path / "node.sqlite3"))
    name = f"test_{next(_number)}"
    create(template, name, TEMPLATE)
    return named(template, name)


@pytest.fixture
async def engine(place: Place) -> AsyncIterator[AsyncEngine]:
    """Connected."""
    engine = await open_database(place)
    yield engine
    await engine.dispose()
