"""`/v1/keys`: keys are made, listed and revoked; nobody gives away more than they have."""

from aiohttp import web

from server.api.auth import CALLER
from server.api.cursors import page_of, read_cursor
from server.api.errors import FieldError, ValidationFailed
from server.api.keys import Key, KeyRing, key_id_of
from server.api.operation import Operation, Reply
from server.api.paging import Paging
from server.api.resource_wire import KeyAnswer, KeyBody, NewKeyAnswer, PageOf
from server.api.scopes import ADMIN, covers
from server.api.stored import FACE
from server.api.switchboard import Switchboard
from server.api.wire import answer, checked
from server.calls.audit import AuditLog
from server.calls.documents import Deployments

KIND = "key"


class Keys:
    """Handlers of keys."""

    def __init__(self, node: Switchboard, audit: AuditLog, keys: KeyRing) -> None:
        self._node = node
        self._audit = audit
        self._keys = keys
        self._deployments = Deployments(node.store.engine)

    def operations(self) -> list[Operation]:
        """Make, list, read, revoke."""
        gone = {403: "`forbidden`", 404: "`not-found`"}
        return [
            Operation(
                method="POST",
                path="/v1/keys",
                handler=self.create,
                face=FACE,
                scope=ADMIN,
                summary="Make a key; it is shown only in this answer",
                body=KeyBody,
                examples={
                    "for one deployment": {
                        "name": "crm",
                        "scopes": ["voice:call", "calls:read"],
                        "daily_spend_cents": 2000,
                    }
                },
                replies={201: Reply("The key.", NewKeyAnswer)},
                problems={400: "`validation-failed`", 403: "`forbidden`"},
            ),
            Operation(
                method="GET",
                path="/v1/keys",
                handler=self.list,
                face=FACE,
                scope=ADMIN,
                summary="Keys, without their secrets",
                query=Paging,
                replies={200: Reply("A page.", PageOf[KeyAnswer])},
                problems={400: "`validation-failed`", 403: "`forbidden`"},
            ),
            Operation(
                method="GET",
                path="/v1/keys/{id}",
                handler=self.get,
                face=FACE,
                scope=ADMIN,
                summary="One key, without its secret",
                replies={200: Reply("The key.", KeyAnswer)},
                problems=gone,
            ),
            Operation(
                method="DELETE",
                path="/v1/keys/{id}",
                handler=self.revoke,
                face=FACE,
                scope=ADMIN,
                summary="Revoke a key",
                replies={204: Reply("It is useless: here at once, on other nodes within 5 s.")},
                problems=gone,
            ),
        ]

    async def create(self, request: web.Request) -> web.Response:
        """Make a key: 201."""
        body = checked(KeyBody, await self._node.body(request))
        caller = request[CALLER]
        for scope in body.scopes:
            if not covers(caller.scopes, scope):
                raise ValidationFailed(FieldError("scopes", f"your own key lacks {scope}"))
        bound = body.deployment_id
        if bound is not None and await self._deployments.by_id(bound) is None:
            raise ValidationFailed(FieldError("deployment_id", "there is no such deployment"))
        key = await self._keys.create(body.name, body.scopes, bound, body.daily_spend_cents)
        made = await self._keys.get(key_id_of(key))
        await tell_of_key(self._audit, made, caller.key_id)
        headers = {"Location": f"/v1/keys/{made.id}", "Cache-Control": "no-store"}
        shown = NewKeyAnswer(**_show(made).model_dump(), key=key)
        return answer(shown, 201, headers=headers)

    async def list(self, request: web.Request) -> web.Response:
        """List keys by id."""
        query = checked(Paging, dict(request.query))
        found = await self._keys.list(read_cursor(KIND, query.cursor), query.limit + 1)
        page, cursor = page_of(KIND, found, query.limit, lambda key: key.id)
        shown = tuple(_show(key) for key in page)
        return answer(PageOf[KeyAnswer](data=shown, next_cursor=cursor))

    async def get(self, request: web.Request) -> web.Response:
        """Read one."""
        return answer(_show(await self._keys.get(request.match_info["id"])))

    async def revoke(self, request: web.Request) -> web.Response:
        """Revoke one: 204, also a second time."""
        key_id = request.match_info["id"]
        if await self._keys.revoke(key_id):
            data = {"id": key_id}
            await self._audit.append("key_revoked", None, request[CALLER].key_id, data)
        return web.Response(status=204)


async def tell_of_key(audit: AuditLog, key: Key, by: str | None) -> None:
    """Audit that a key was made. by: the key it was asked with."""
    data = {
        "id": key.id,
        "name": key.name,
        "scopes": key.scopes,
        "deployment_id": key.deployment_id,
        "daily_spend_cents": key.daily_spend_cents,
    }
    await audit.append("key_created", None, by, data)


def _show(key: Key) -> KeyAnswer:
    values = {name: getattr(key, name) for name in KeyAnswer.model_fields}
    return KeyAnswer.model_validate(values)
