"""Commands that ask a running node over HTTP."""

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from server.commands.options import ended_by
from server.errors import ServerError

PAGE = 200


def ask(
    url: str, key: str, method: str, path: str, body: Mapping[str, object] | None = None
) -> Any:
    """The JSON of an answer, or the end of the command."""

    async def run() -> Any:
        from server.client import NodeClient

        async with NodeClient(url, key) as client:
            return await client.request(method, path, body)

    return _run(run())


def ask_list(url: str, key: str, path: str, limit: int, **query: str | None) -> list[Any]:
    """The first `limit` items of a list, page by page, or the end of the command."""

    async def run() -> list[Any]:
        from server.client import NodeClient

        found: list[Any] = []
        cursor: str | None = None
        async with NodeClient(url, key) as client:
            while len(found) < limit:
                size = str(min(PAGE, limit - len(found)))
                asked = {**query, "limit": size, "cursor": cursor}
                given = {name: value for name, value in asked.items() if value is not None}
                page = await client.request("GET", f"{path}?{urlencode(given)}")
                found += page["data"]
                cursor = page["next_cursor"]
                if cursor is None:
                    break
        return found

    found: list[Any] = _run(run())
    return found


def at(path: str, name: str) -> str:
    """The path of one thing; its name may hold anything."""
    return f"{path}/{quote(name, safe='')}"


def _run(work: Any) -> Any:
    try:
        return asyncio.run(work)
    except ServerError as error:
        raise ended_by(error) from error
