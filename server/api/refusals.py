"""Requests that were turned away at the door, for the audit.

A refusal of a known key is a row at once. Whoever has no key can send any number of requests,
and the audit is never emptied: of these the first is a row at once, and those that follow
within the minute are one more, with their count.
"""

import asyncio
import logging
from dataclasses import dataclass, field

from sqlalchemy.exc import SQLAlchemyError

from server.calls.audit import AuditLog

log = logging.getLogger(__name__)

WINDOW_S = 60.0
MAX_ADDRESSES = 10


@dataclass(slots=True)
class _Window:
    """What came after the first one."""

    count: int = 0
    addresses: set[str] = field(default_factory=set)


class Refusals:
    """Writes refusals of one node into the audit."""

    def __init__(self, audit: AuditLog) -> None:
        self._audit = audit
        self._windows: dict[str | None, _Window] = {}
        """By key: None, or a revoked one."""
        self._tasks: set[asyncio.Task[None]] = set()

    async def of_key(self, key_id: str, route: str, reason: str) -> None:
        """A good key that may not do this."""
        await self._write(key_id, {"code": "forbidden", "route": route, "reason": reason})

    async def of_stranger(self, key_id: str | None, address: str, route: str) -> None:
        """No key, or a wrong one; `key_id` where it was revoked."""
        window = self._windows.get(key_id)
        if window is not None:
            window.count += 1
            if len(window.addresses) < MAX_ADDRESSES:
                window.addresses.add(address)
            return
        self._windows[key_id] = _Window()
        task = asyncio.create_task(self._sum_up(key_id))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await self._write(key_id, {"code": "unauthorized", "route": route, "addresses": [address]})

    async def close(self) -> None:
        """Write what was counted so far."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for key_id in list(self._windows):
            await self._end(key_id)

    async def _sum_up(self, key_id: str | None) -> None:
        await asyncio.sleep(WINDOW_S)
        await self._end(key_id)

    async def _end(self, key_id: str | None) -> None:
        window = self._windows.pop(key_id)
        if window.count:
            data = {"code": "unauthorized", "count": window.count}
            await self._write(key_id, {**data, "addresses": sorted(window.addresses)})

    async def _write(self, key_id: str | None, data: dict[str, object]) -> None:
        """A request is refused also while the database cannot be reached."""
        try:
            await self._audit.append("refused", None, key_id, data)
        except SQLAlchemyError:
            log.exception("a refusal could not be audited")
