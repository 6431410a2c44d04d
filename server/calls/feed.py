"""Events of live calls to whoever listens, in this process.

Stands after `CallWorkflow`, before the event stream of the API. A listener that does not
keep up is cut off; it comes back with the number of the last event it has.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager

from server.calls.events import LAST_EVENT, CallEvent
from server.calls.store import CallStore

BACKLOG = 1000
HEARTBEAT_S = 15.0


class EventFeed:
    """Who listens to which call."""

    def __init__(self) -> None:
        self._listeners: defaultdict[str, set[asyncio.Queue[CallEvent]]] = defaultdict(set)

    def publish(self, event: CallEvent) -> None:
        """Hand an event to the call's listeners. Never blocks."""
        for queue in list(self._listeners.get(event.call_id, ())):
            try:
                queue.put_nowait(event)
            except asyncio.QueueFull:
                self._listeners[event.call_id].discard(queue)

    @contextmanager
    def listen(self, call_id: str) -> Iterator["Listener"]:
        """Listen to a call from now on."""
        queue: asyncio.Queue[CallEvent] = asyncio.Queue(BACKLOG)
        listeners = self._listeners[call_id]
        listeners.add(queue)
        try:
            yield Listener(queue, listeners)
        finally:
            listeners.discard(queue)
            # Those that came after we were cut off may have a set of their own by now.
            if not listeners and self._listeners.get(call_id) is listeners:
                del self._listeners[call_id]


class Listener:
    """One listener's backlog."""

    def __init__(
        self, queue: asyncio.Queue[CallEvent], listeners: set[asyncio.Queue[CallEvent]]
    ) -> None:
        self._queue = queue
        self._listeners = listeners

    @property
    def cut_off(self) -> bool:
        """Whether the listener fell behind, and has read what was still in order."""
        return self._queue not in self._listeners and self._queue.empty()

    async def next(self, timeout_s: float) -> CallEvent | None:
        """Wait for the next event; None when there was none for `timeout_s`."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self._queue.get()
        except TimeoutError:
            return None


async def follow(
    store: CallStore, feed: EventFeed, call_id: str, after: int, heartbeat_s: float = HEARTBEAT_S
) -> AsyncGenerator[CallEvent | None]:
    """Yield a call's events after number `after`, past and future, up to the last.

    Yields None whenever nothing has happened for `heartbeat_s`. Raises `CallNotFound`.
    """
    with feed.listen(call_id) as live:
        await store.get(call_id)
        over = not store.is_open(call_id)
        for past in await store.events_after(call_id, after):
            yield past
            after = past.seq
            over = over or past.type == LAST_EVENT
        while not over and not live.cut_off:
            event = await live.next(heartbeat_s)
            if event is None:
                yield None
            elif event.seq > after:
                yield event
                over = event.type == LAST_EVENT
