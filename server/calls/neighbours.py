"""The nodes that share a PostgreSQL database: who is alive, and what they ask of each other.

Each node renews its row; whoever is silent for too long counts as dead, and the others go on
with its calls. All times are the database's, so clocks that differ do no harm. With SQLite
there is one node, and nothing of this is started.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

from pydantic_core import to_json
from sqlalchemy import ColumnElement, DateTime, String, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from server.calls.schema import nodes, orders

log = logging.getLogger(__name__)

BEAT_S = 0.5
DEAD_AFTER_S = 10.0
"""A node that lives but was held up for longer lets go of its calls when it finds out."""
AS_TEXT = 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'

Act = Callable[[str, str, Mapping[str, object]], Awaitable[None]]
TakeOver = Callable[[str], Awaitable[None]]


class Neighbours:
    """This node among the others."""

    def __init__(self, engine: AsyncEngine, node_id: str) -> None:
        self._engine = engine
        self._node_id = node_id
        self._task: asyncio.Task[None] | None = None

    async def join(self, act: Act, take_over: TakeOver, let_go: Callable[[], None]) -> None:
        """Be one of them from now on.

        act: does here what another node was asked for. take_over: goes on with what a dead
        node left; may be called more than once. let_go: ends every call of this node, which
        the others took for dead.
        """
        await self._beat()
        self._task = asyncio.create_task(self._go_on(act, take_over, let_go), name="neighbours")

    async def leave(self) -> None:
        """Be one of them no longer; what is under way here is left to the next start."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def is_alive(self, node_id: str) -> bool:
        """Whether another node is at work."""
        if self._task is None:
            return False
        query = select(nodes.c.id).where(
            nodes.c.id == node_id, nodes.c.seen_at >= _ago(DEAD_AFTER_S)
        )
        async with self._engine.connect() as connection:
            return (await connection.execute(query)).first() is not None

    async def order(
        self, node_id: str, call_id: str, action: str, arguments: Mapping[str, object]
    ) -> None:
        """Ask another node to do something to a call of its own."""
        row = {"node_id": node_id, "call_id": call_id, "action": action}
        async with self._engine.begin() as connection:
            told = to_json(dict(arguments)).decode()
            await connection.execute(insert(orders), [{**row, "arguments": told}])

    async def _go_on(self, act: Act, take_over: TakeOver, let_go: Callable[[], None]) -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            try:
                if not await self._beat():
                    log.error("the other nodes took this one for dead; its calls are let go")
                    let_go()
                await self._obey(act)
                await self._bury(take_over)
            except Exception:
                log.exception("the other nodes cannot be reached")

    async def _beat(self) -> bool:
        """Renew our row. False where it was not there."""
        renew = update(nodes).where(nodes.c.id == self._node_id).values(seen_at=_ago(0))
        enter = insert(nodes).values(id=self._node_id, seen_at=_ago(0))
        async with self._engine.begin() as connection:
            if (await connection.execute(renew.returning(nodes.c.id))).first() is not None:
                return True
            await connection.execute(enter)
            return False

    async def _obey(self, act: Act) -> None:
        mine = delete(orders).where(orders.c.node_id == self._node_id).returning(orders)
        async with self._engine.begin() as connection:
            rows = (await connection.execute(mine)).all()
        for row in sorted(rows, key=lambda row: row.id):
            try:
                await act(row.call_id, row.action, json.loads(row.arguments))
            except Exception as error:
                log.warning("%s: %s came too late: %s", row.call_id, row.action, error)

    async def _bury(self, take_over: TakeOver) -> None:
        """Go on with what dead nodes left; their rows go last, so that nothing is forgotten."""
        silent = select(nodes.c.id).where(
            nodes.c.id != self._node_id, nodes.c.seen_at < _ago(DEAD_AFTER_S)
        )
        async with self._engine.connect() as connection:
            dead = (await connection.execute(silent)).scalars().all()
        for node_id in dead:
            log.warning("%s is dead; its calls are taken over", node_id)
            await take_over(node_id)
            async with self._engine.begin() as connection:
                await connection.execute(delete(nodes).where(nodes.c.id == node_id))


def _ago(seconds: float) -> ColumnElement[str]:
    """A moment of the database's clock as `rfc3339` writes it."""
    now = func.timezone("UTC", func.clock_timestamp(), type_=DateTime)
    return func.to_char(now - timedelta(seconds=seconds), AS_TEXT, type_=String)
