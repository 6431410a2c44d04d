"""The database of a node, brought up to date when it is opened.

One SQLite file in WAL mode, or PostgreSQL where several nodes share it.
"""

import asyncio
from importlib.resources import files
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from server.private import make_file, make_folder

BUSY_TIMEOUT_MS = 5000
WRITE_TURN = 0x0FF_4001
"""The advisory lock of PostgreSQL under which one writer at a time decides."""
MIGRATION_TURN = 0x0FF_4002

Place = Path | str
"""A SQLite file, or `postgresql://user:password@host/database`."""


async def open_database(place: Place) -> AsyncEngine:
    """Create or migrate the database, and connect. Raises OSError or SQLAlchemyError."""
    await asyncio.to_thread(migrate, place)
    # Errors must not quote transcripts.
    if isinstance(place, str):
        return create_async_engine(_postgresql(place), hide_parameters=True, pool_pre_ping=True)
    url = URL.create("sqlite+aiosqlite", database=str(place))
    engine = create_async_engine(url, hide_parameters=True)
    event.listen(engine.sync_engine, "connect", _prepare)
    return engine


def migrate(place: Place, version: str = "head") -> None:
    """Bring the schema at `place` to a version, the newest; makes a file that is missing."""
    config = Config()
    folder = str(files("server.calls") / "migrations")
    config.set_main_option("script_location", folder.replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    engine = _engine_of(place)
    try:
        with engine.begin() as connection:
            _one_at_a_time(connection)
            config.attributes["connection"] = connection
            command.upgrade(config, version)
    finally:
        engine.dispose()


async def take_turn(connection: AsyncConnection) -> None:
    """Let no other transaction write until this one ends, in this process or another.

    Stands first in a transaction that decides by what it reads.
    """
    if connection.dialect.name == "postgresql":
        lock = text("SELECT pg_advisory_xact_lock(:turn)")
        await connection.execute(lock, {"turn": WRITE_TURN})
    else:
        await connection.exec_driver_sql("BEGIN IMMEDIATE")


def _postgresql(place: str) -> URL:
    return make_url(place).set(drivername="postgresql+psycopg")


def _engine_of(place: Place) -> Engine:
    if isinstance(place, str):
        return create_engine(_postgresql(place), hide_parameters=True)
    make_folder(place.parent)
    make_file(place)  # SQLite gives -wal and -shm the same mode
    engine = create_engine(URL.create("sqlite", database=str(place)))
    event.listen(engine, "connect", _prepare)
    return engine


def _one_at_a_time(connection: Connection) -> None:
    """Two nodes that start together must not both migrate."""
    if connection.dialect.name == "postgresql":
        lock = text("SELECT pg_advisory_xact_lock(:turn)")
        connection.execute(lock, {"turn": MIGRATION_TURN})


def _prepare(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    # A call answered 201 must survive a power cut, so every commit reaches the disk.
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    cursor.close()
