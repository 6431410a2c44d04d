"""A receiver of webhooks on loopback."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from standardwebhooks import Webhook

from tests.server.conftest import SECRET


class Receiver:
    """Answers with what it is told to, and keeps what came."""

    def __init__(self) -> None:
        self.url = ""
        self.statuses: list[int] = []
        self.came: list[tuple[str, dict[str, Any]]] = []

    async def take(self, request: web.Request) -> web.Response:
        body = Webhook(SECRET).verify(await request.text(), dict(request.headers))
        self.came.append((request.headers["webhook-id"], body))
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200)


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """Serve one."""
    kept = Receiver()
    application = web.Application()
    application.router.add_post("/", kept.take)
    async with TestServer(application) as server:
        kept.url = str(server.make_url("/"))
        yield kept
