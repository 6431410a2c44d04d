"""Bearer keys (RFC 6750): who may use the API, and for what.

Where calls are for sale, those who pay come without one (`wallets`).
"""

from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from server.api.errors import Problem
from server.api.keys import Key, KeyRing
from server.api.refusals import Refusals
from server.api.scopes import OF_DEPLOYMENTS, Scope, covers
from server.api.wallets import Wallets
from server.calls.origin import Caller

PUBLIC = frozenset({"/healthz", "/readyz", "/openapi.json", "/docs"})
CALLER: Final = web.RequestKey("caller", Caller)
"""Whose key a request came with, or whose wallet."""

FORBIDDEN = "forbidden"
"""The code of every 403 that is about the key."""


def bearer_keys(keys: KeyRing, refusals: Refusals, wallets: Wallets) -> Middleware:
    """Let pass what carries a key of the ring, wallets, and the public paths. Else `Problem` 401.

    That, and every 403 for want of a scope, is a row of the audit.
    """

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path not in PUBLIC:
            caller = await wallets.caller(request)
            if caller is None:
                caller = (await _authenticate(request, keys, refusals)).caller
            request[CALLER] = caller
            try:
                return await handler(request)
            except Problem as problem:
                if problem.code == FORBIDDEN:
                    await refusals.of_key(caller.key_id, _route(request), problem.detail)
                raise
        return await handler(request)

    return check


def permitted(request: web.Request, scope: Scope) -> Caller:
    """Who asks, where the key is good for it. Raises `Problem` 403."""
    caller = request[CALLER]
    if not covers(caller.scopes, scope):
        raise Problem(403, FORBIDDEN, f"the key lacks the scope {scope}")
    if caller.deployment_id is not None and scope not in OF_DEPLOYMENTS:
        raise Problem(403, FORBIDDEN, "the key is bound to a deployment")
    return caller


def guarded(handler: Handler, scope: Scope) -> Handler:
    """A handler that a request only comes to where its key is good for it."""

    async def check(request: web.Request) -> web.StreamResponse:
        permitted(request, scope)
        return await handler(request)

    return check


async def _authenticate(request: web.Request, keys: KeyRing, refusals: Refusals) -> Key:
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    found = await keys.recognise(credentials.strip()) if scheme.lower() == "bearer" else None
    if found is not None and found.revoked_at is None:
        return found
    known = found.id if found is not None else None
    await refusals.of_stranger(known, request.remote or "", _route(request))
    raise unauthorized("send a valid key as Authorization: Bearer …")


def unauthorized(detail: str) -> Problem:
    """A request that needs a key."""
    headers = {"WWW-Authenticate": 'Bearer realm="offhook"'}
    return Problem(401, "unauthorized", detail, headers=headers)


def _route(request: web.Request) -> str:
    """Method and route: ids as they were sent, but nothing of the query."""
    return f"{request.method} {request.path[:200]}"
