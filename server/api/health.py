"""Liveness and readiness, for orchestrators and load balancers; without a key."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from aiohttp import web
from sqlalchemy.exc import SQLAlchemyError

from server.api.operation import Operation, Reply
from server.api.wire import Answer, answer
from server.calls.store import CallStore

FACE: Final = "Health"
OK = "ok"

Readiness = Callable[[], Awaitable[dict[str, str]]]
"""What the node knows of itself: the name of a part to "ok", or to what is wrong with it."""


class Alive(Answer):
    """The process answers."""

    status: str = OK


class Ready(Answer):
    """How each part does."""

    status: str
    """`ok`, or `not ready`."""
    checks: Mapping[str, str]
    """Of each part: `ok`, or what is wrong."""


def health_operations(store: CallStore, readiness: Readiness) -> list[Operation]:
    """`GET /healthz` and `GET /readyz`."""

    async def healthz(_request: web.Request) -> web.Response:
        return answer(Alive())

    async def readyz(_request: web.Request) -> web.Response:
        checks = {"database": await _database(store), **await readiness()}
        ready = all(state == OK for state in checks.values())
        return answer(
            Ready(status=OK if ready else "not ready", checks=checks), 200 if ready else 503
        )

    return [
        Operation(
            method="GET",
            path="/healthz",
            handler=healthz,
            face=FACE,
            summary="Whether the process answers",
            replies={200: Reply("It does.", Alive)},
            public=True,
        ),
        Operation(
            method="GET",
            path="/readyz",
            handler=readyz,
            face=FACE,
            summary="Whether calls can be placed",
            replies={200: Reply("They can.", Ready), 503: Reply("Something is missing.", Ready)},
            public=True,
        ),
    ]


async def _database(store: CallStore) -> str:
    try:
        await store.ping()
    except SQLAlchemyError as error:
        return f"cannot be reached: {type(error).__name__}"
    return OK
