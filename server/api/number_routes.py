"""`/v1/do-not-call`: numbers that no deployment calls."""

import re
from collections.abc import Sequence

from aiohttp import web

from server.api.auth import CALLER
from server.api.cursors import page_of, read_cursor
from server.api.operation import Operation, Reply
from server.api.paging import Paging
from server.api.resource_wire import (
    ImportAnswer,
    ImportBody,
    NumberAnswer,
    NumberBody,
    PageOf,
    Rejected,
)
from server.api.scopes import ADMIN
from server.api.stored import FACE
from server.api.switchboard import Switchboard
from server.api.wire import answer, checked
from server.calls.audit import AuditLog
from server.calls.do_not_call import DoNotCall, Listed, read_lines

KIND = "do-not-call"
ONE = "/v1/do-not-call/{number}"


class Numbers:
    """Handlers of the do-not-call list."""

    def __init__(self, node: Switchboard, audit: AuditLog) -> None:
        self._node = node
        self._audit = audit
        self._numbers = DoNotCall(node.store.engine)

    def operations(self) -> list[Operation]:
        """Add, import, list, look up, remove."""
        gone = {403: "`forbidden`", 404: "`not-found`"}
        bad = {400: "`validation-failed`", 403: "`forbidden`"}
        entry = Reply("The entry.", NumberAnswer)
        return [
            Operation(
                method="POST",
                path="/v1/do-not-call",
                handler=self.add,
                face=FACE,
                scope=ADMIN,
                summary="Never call a number again",
                body=NumberBody,
                examples={"a number": {"number": "+14155551234", "reason": "asked on the phone"}},
                replies={201: entry, 200: Reply("It was on the list.", NumberAnswer)},
                problems=bad,
            ),
            Operation(
                method="POST",
                path="/v1/do-not-call/import",
                handler=self.take_in,
                face=FACE,
                scope=ADMIN,
                summary="Put many numbers on the list",
                body=ImportBody,
                examples={"CSV": {"csv": "number,reason\n+14155551234,asked\n(415) 555-1235\n"}},
                replies={200: Reply("What became of the lines.", ImportAnswer)},
                problems=bad,
            ),
            Operation(
                method="GET",
                path="/v1/do-not-call",
                handler=self.list,
                face=FACE,
                scope=ADMIN,
                summary="The numbers in order",
                query=Paging,
                replies={200: Reply("A page.", PageOf[NumberAnswer])},
                problems=bad,
            ),
            Operation(
                method="GET",
                path=ONE,
                handler=self.get,
                face=FACE,
                scope=ADMIN,
                summary="Whether a number is on the list",
                replies={200: entry},
                problems=gone,
            ),
            Operation(
                method="DELETE",
                path=ONE,
                handler=self.remove,
                face=FACE,
                scope=ADMIN,
                summary="Take a number off the list",
                replies={204: Reply("It may be called.")},
                problems=gone,
            ),
        ]

    async def add(self, request: web.Request) -> web.Response:
        """Put one on the list: 201, or 200 where it was there."""
        body = checked(NumberBody, await self._node.body(request))
        added = await self._numbers.add(body.number, body.reason)
        if added:
            await self._tell(request, "added", [body.number])
        entry = await self._numbers.get(body.number)
        return answer(_show(entry), 201 if added else 200)

    async def take_in(self, request: web.Request) -> web.Response:
        """Put many on the list; lines that hold no number are told, the others taken."""
        body = checked(ImportBody, await self._node.body(request))
        lines = re.split(r"\r\n|\r|\n", body.csv)
        read = read_lines(lines, self._node.settings.policy.home_region)
        reasons = {line.number: line.reason for line in read if line.error is None}
        added = await self._numbers.add_all(reasons)
        if added:
            await self._tell(request, "added", sorted(reasons))
        rejected = tuple(
            Rejected(line=line.line, error=line.error) for line in read if line.error is not None
        )
        present = len(reasons) - added
        return answer(ImportAnswer(added=added, present=present, rejected=rejected))

    async def list(self, request: web.Request) -> web.Response:
        """List numbers in order."""
        query = checked(Paging, dict(request.query))
        found = await self._numbers.list(read_cursor(KIND, query.cursor), query.limit + 1)
        page, cursor = page_of(KIND, found, query.limit, lambda entry: entry.number)
        shown = tuple(_show(entry) for entry in page)
        return answer(PageOf[NumberAnswer](data=shown, next_cursor=cursor))

    async def get(self, request: web.Request) -> web.Response:
        """Look one up."""
        return answer(_show(await self._numbers.get(request.match_info["number"])))

    async def remove(self, request: web.Request) -> web.Response:
        """Take one off: 204."""
        number = request.match_info["number"]
        await self._numbers.remove(number)
        await self._tell(request, "removed", [number])
        return web.Response(status=204)

    async def _tell(self, request: web.Request, what: str, numbers: Sequence[str]) -> None:
        kind = f"do_not_call_{what}"
        await self._audit.append(kind, None, request[CALLER].key_id, {"numbers": numbers})


def _show(entry: Listed) -> NumberAnswer:
    return NumberAnswer(number=entry.number, reason=entry.reason, created_at=entry.created_at)
