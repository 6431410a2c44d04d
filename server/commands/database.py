"""Commands that work on the database itself: no node has to run, and no key is needed."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from server.commands.options import FAILED, fail, settings_of

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

T = TypeVar("T")


def on_database(config: Path | None, work: "Callable[[AsyncEngine], Awaitable[T]]") -> T:
    """Do something on the database that the configuration names, or end the command."""
    from sqlalchemy.exc import SQLAlchemyError

    from server.calls.database import open_database

    place = settings_of(config).data.database

    async def run() -> T:
        engine = await open_database(place)
        try:
            return await work(engine)
        finally:
            await engine.dispose()

    try:
        return asyncio.run(run())
    except (SQLAlchemyError, OSError) as error:
        raise fail(f"the database cannot be used: {error}", FAILED) from error
