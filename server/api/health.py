"""Liveness and readiness, for orchestrators and load balancers; without a key."""

from collections.abc import Awaitable, Callable

from aiohttp import web
from sqlalchemy.exc import SQLAlchemyError

from server.calls.store import CallStore

OK = "ok"

Readiness = Callable[[], Awaitable[dict[str, str]]]
"""What the node knows of itself: the name of a part to "ok", or to what is wrong with it."""


def health_routes(store: CallStore, readiness: Readiness) -> list[web.RouteDef]:
    """`GET /healthz` and `GET /readyz`."""

    async def healthz(_request: web.Request) -> web.Response:
        return web.json_response({"status": OK})

    async def readyz(_request: web.Request) -> web.Response:
        checks = {"database": await _database(store), **await readiness()}
        ready = all(state == OK for state in checks.values())
        body = {"status": OK if ready else "not ready", "checks": checks}
        return web.json_response(body, status=200 if ready else 503)

    return [web.get("/healthz", healthz), web.get("/readyz", readyz)]


async def _database(store: CallStore) -> str:
    try:
        await store.ping()
    except SQLAlchemyError as error:
        return f"cannot be reached: {type(error).__name__}"
    return OK
