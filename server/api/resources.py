"""What operators work with over HTTP: documents, keys, numbers, the audit, webhook deliveries."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from server.api.auth import CALLER
from server.api.cursors import page_of, read_cursor
from server.api.errors import Problem
from server.api.key_routes import Keys
from server.api.keys import KeyRing
from server.api.number_routes import Numbers
from server.api.operation import Operation, Reply
from server.api.resource_wire import (
    AuditAnswer,
    AuditQuery,
    DeliveryAnswer,
    DeliveryQuery,
    PageOf,
)
from server.api.scopes import ADMIN
from server.api.stored import FACE, document_operations
from server.api.switchboard import Switchboard
from server.api.wire import answer, checked
from server.calls.audit import AuditLog
from server.calls.errors import CursorInvalid, NotFound
from server.calls.webhooks.listing import Listed, is_delivery, list_deliveries

AUDIT = "audit"
DELIVERIES = "deliveries"


def resource_operations(node: Switchboard, audit: AuditLog, keys: KeyRing) -> list[Operation]:
    """Everything that is kept beside calls."""
    return [
        *document_operations(node, audit),
        *Keys(node, audit, keys).operations(),
        *Numbers(node, audit).operations(),
        *Records(node, audit).operations(),
    ]


class Records:
    """Handlers of the audit and of webhook deliveries."""

    def __init__(self, node: Switchboard, audit: AuditLog) -> None:
        self._node = node
        self._audit = audit

    def operations(self) -> list[Operation]:
        """Read the audit; list and repeat deliveries."""
        bad = {400: "`validation-failed`", 403: "`forbidden`"}
        return [
            Operation(
                method="GET",
                path="/v1/audit",
                handler=self.audit,
                face=FACE,
                scope=ADMIN,
                summary="Decisions, newest first",
                query=AuditQuery,
                replies={200: Reply("A page.", PageOf[AuditAnswer])},
                problems=bad,
            ),
            Operation(
                method="GET",
                path="/v1/webhooks/deliveries",
                handler=self.deliveries,
                face=FACE,
                scope=ADMIN,
                summary="Webhook deliveries, newest first; `status=dead` are the dead letters",
                query=DeliveryQuery,
                replies={200: Reply("A page.", PageOf[DeliveryAnswer])},
                problems=bad,
            ),
            Operation(
                method="POST",
                path="/v1/webhooks/deliveries/{id}/replay",
                handler=self.replay,
                face=FACE,
                scope=ADMIN,
                summary="Deliver again what was given up; the `webhook-id` stays",
                replies={202: Reply("It is pending again.")},
                problems={
                    403: "`forbidden`",
                    404: "`not-found`",
                    409: "`not-given-up`: it is pending or delivered",
                },
            ),
        ]

    async def audit(self, request: web.Request) -> web.Response:
        """List decisions, newest first."""
        query = checked(AuditQuery, dict(request.query))
        place = read_cursor(AUDIT, query.cursor)
        if place is not None and not place.isdigit():
            raise CursorInvalid(place)
        before = int(place[:18]) if place is not None else None
        found = await self._audit.list(call_id=query.call_id, before=before, limit=query.limit + 1)
        page, cursor = page_of(AUDIT, found, query.limit, _seq)
        shown = tuple(AuditAnswer.model_validate(row) for row in page)
        return answer(PageOf[AuditAnswer](data=shown, next_cursor=cursor))

    async def deliveries(self, request: web.Request) -> web.Response:
        """List deliveries, newest first."""
        query = checked(DeliveryQuery, dict(request.query))
        place = read_cursor(DELIVERIES, query.cursor)
        at, _, delivery_id = (place or "").partition(" ")
        found = await list_deliveries(
            self._node.store.engine,
            status=query.status,
            call_id=query.call_id,
            after=(at, delivery_id) if place else None,
            limit=query.limit + 1,
        )
        page, cursor = page_of(DELIVERIES, found, query.limit, _place)
        shown = tuple(_show(delivery) for delivery in page)
        return answer(PageOf[DeliveryAnswer](data=shown, next_cursor=cursor))

    async def replay(self, request: web.Request) -> web.Response:
        """Deliver again: 202."""
        delivery_id = request.match_info["id"]
        if not await self._node.calls.replay(delivery_id):
            if not await is_delivery(self._node.store.engine, delivery_id):
                raise NotFound("delivery")
            raise Problem(409, "not-given-up", "the delivery is pending or was made")
        data = {"id": delivery_id}
        await self._audit.append("webhook_replayed", None, request[CALLER].key_id, data)
        return web.Response(status=202)


def _seq(row: Mapping[str, Any]) -> str:
    return str(row["seq"])


def _place(delivery: Listed) -> str:
    return f"{delivery.created_at} {delivery.id}"


def _show(delivery: Listed) -> DeliveryAnswer:
    values = {name: getattr(delivery, name) for name in DeliveryAnswer.model_fields}
    return DeliveryAnswer.model_validate(values)
