"""The node's database: one SQLite file in WAL mode, brought up to date when it is opened."""

import asyncio
from importlib.resources import files
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import URL, create_engine, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from server.private import make_file, make_folder

BUSY_TIMEOUT_MS = 5000


async def open_database(path: Path) -> AsyncEngine:
    """Create or migrate the file, and connect. Raises OSError or SQLAlchemyError."""
    await asyncio.to_thread(migrate, path)
    url = URL.create("sqlite+aiosqlite", database=str(path))
    engine = create_async_engine(url, hide_parameters=True)  # errors must not quote transcripts
    event.listen(engine.sync_engine, "connect", _prepare)
    return engine


def migrate(path: Path) -> None:
    """Bring the schema of the file at `path` to the newest version; makes what is missing."""
    make_folder(path.parent)
    make_file(path)  # SQLite gives -wal and -shm the same mode
    engine = create_engine(URL.create("sqlite", database=str(path)))
    event.listen(engine, "connect", _prepare)
    config = Config()
    folder = str(files("server.calls") / "migrations")
    config.set_main_option("script_location", folder.replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    try:
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    finally:
        engine.dispose()


def _prepare(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    # A call answered 201 must survive a power cut, so every commit reaches the disk.
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    cursor.close()
