"""Bearer keys (RFC 6750): who may use the API."""

from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from server.api.errors import Problem
from server.api.keys import Key, KeyRing

PUBLIC = frozenset({"/healthz", "/readyz"})
KEY: Final = web.RequestKey("key", Key)
"""The key a request came with."""


def bearer_keys(keys: KeyRing) -> Middleware:
    """Let pass what carries a key of the ring, and the public paths. Else `Problem` 401."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path not in PUBLIC:
            request[KEY] = await _authenticate(request, keys)
        return await handler(request)

    return check


async def _authenticate(request: web.Request, keys: KeyRing) -> Key:
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    found = await keys.find(credentials.strip()) if scheme.lower() == "bearer" else None
    if found is None:
        raise Problem(
            401,
            "unauthorized",
            "send a valid key as Authorization: Bearer …",
            headers={"WWW-Authenticate": 'Bearer realm="offhook"'},
        )
    return found
