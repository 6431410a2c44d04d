"""`GET /openapi.json` and `GET /docs`: the API's own description."""

from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from aiohttp import web

from server.api.docs_page import page
from server.api.openapi import document
from server.api.operation import Operation, Reply

FACE: Final = "Description"
NOTHING_FOREIGN = "default-src 'none'; style-src 'unsafe-inline'"
"""The page carries its style, and may load nothing."""


def described(others: Sequence[Operation]) -> list[Operation]:
    """All operations: the others, and the two that describe them all."""

    @cache
    def whole() -> dict[str, Any]:
        return document(everything)

    async def openapi(_request: web.Request) -> web.Response:
        return web.json_response(whole())

    async def docs(_request: web.Request) -> web.Response:
        headers = {"Content-Security-Policy": NOTHING_FOREIGN}
        return web.Response(text=page(whole()), content_type="text/html", headers=headers)

    own = [
        Operation(
            method="GET",
            path="/openapi.json",
            handler=openapi,
            face=FACE,
            summary="This description, for programs (OpenAPI 3.1)",
            replies={200: Reply("The document.", dict[str, Any])},
            public=True,
        ),
        Operation(
            method="GET",
            path="/docs",
            handler=docs,
            face=FACE,
            summary="This description, for people",
            replies={200: Reply("A page.", content="text/html")},
            public=True,
        ),
    ]
    everything = [*others, *own]
    return everything
