"""Who asks for a call: the key, the deployment, the idempotency key of a request."""

import hashlib
import re
from collections.abc import Iterable

from aiohttp import web
from pydantic import JsonValue

from server.api.auth import permitted
from server.api.errors import FieldError, Problem, ValidationFailed
from server.api.ports import Stored
from server.api.scopes import PLACE
from server.calls.canonical import canonical
from server.calls.errors import CallNotFound
from server.calls.model import Call, Dialect
from server.calls.origin import Caller, Deployment, Origin

IDEMPOTENCY_KEY = "Idempotency-Key"
_KEY_TEXT = re.compile(r"[\x21-\x7e]{1,255}")


class Origins:
    """Reads who asks from a request."""

    def __init__(self, stored: Stored) -> None:
        self._stored = stored

    async def of(
        self,
        request: web.Request,
        dialect: Dialect,
        body: JsonValue,
        *,
        number: str | None = None,
        warnings: Iterable[str] = (),
    ) -> Origin:
        """Who asks for the call in `body`.

        number: ours, where the request names it; chooses the deployment for a key that is bound
        to none. Raises `Problem` 400, 403, 404 where the key has no right to the number, and 409
        where the deployment may not call yet.
        """
        caller = permitted(request, PLACE)
        key = idempotency_key(request)
        deployment_id, deployment = await self._deployment(caller, number)
        if deployment is not None and not deployment.provisioned:
            raise Problem(409, "voice-not-provisioned", "the deployment is not fully set up yet")
        return Origin(
            caller=caller,
            dialect=dialect,
            deployment_id=deployment_id,
            deployment=deployment,
            idempotency_key=key,
            body_hash=canonical_hash(body) if key is not None else None,
            warnings=tuple(warnings),
        )

    async def _deployment(
        self, caller: Caller, number: str | None
    ) -> tuple[str | None, Deployment | None]:
        if caller.deployment_id is None:
            found = await self._stored.deployment_of(number) if number is not None else None
            return found or (None, None)
        deployment = await self._stored.deployment(caller.deployment_id)
        if deployment is None or (number is not None and number != deployment.number):
            raise NO_DEPLOYMENT
        return caller.deployment_id, deployment


NO_DEPLOYMENT = Problem(404, "not-found", "no deployment of this key has that number")


def check_visible(call: Call, caller: Caller) -> None:
    """Raises `CallNotFound` where the call is another deployment's."""
    if caller.deployment_id is not None and call.deployment_id != caller.deployment_id:
        raise CallNotFound(call.id)


def idempotency_key(request: web.Request, *, required: bool = False) -> str | None:
    """The `Idempotency-Key`. Raises `ValidationFailed`."""
    given = request.headers.get(IDEMPOTENCY_KEY)
    if given is None:
        if required:
            raise ValidationFailed(FieldError(IDEMPOTENCY_KEY, "this header is required"))
        return None
    if _KEY_TEXT.fullmatch(given) is None:
        raise ValidationFailed(FieldError(IDEMPOTENCY_KEY, "give 1 to 255 printable characters"))
    return given


def canonical_hash(body: JsonValue) -> str:
    """SHA-256, in hexadecimal, of a body whatever the order of its keys and its white space."""
    return hashlib.sha256(canonical(body).encode()).hexdigest()
