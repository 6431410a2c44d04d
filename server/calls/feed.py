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
POLL_S = 0.5
"""How often the events of a call are looked up that this process does not work on."""


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

    Events of a call that another node works on, or nobody yet, are looked up as they come.
    Yields None whenever nothing has happened for `heartbeat_s`. Raises `CallNotFound`.
    """
    with feed.listen(call_id) as live:
        record = await store.get(call_id)
        over = record.status == "ended" or store.is_given_up(call_id)
        for past in await store.events_after(call_id, after):
            yield past
            after = past.seq
            over = over or past.type == LAST_EVENT
        quiet_s = 0.0
        while not over and not live.cut_off:
            wait_s = heartbeat_s if store.is_open(call_id) else min(heartbeat_s, POLL_S)
            event = await live.next(wait_s)
            news = [event] if event is not None else await _missed(store, call_id, after)
            for one in news:
                if one.seq > after:
                    yield one
                    after, quiet_s = one.seq, 0.0
                    over = one.type == LAST_EVENT
            quiet_s += wait_s if not news else 0.0
            if quiet_s >= heartbeat_s:
                quiet_s = 0.0
                yield None


async def _missed(store: CallStore, call_id: str, after: int) -> list[CallEvent]:
    """What was written elsewhere since; nothing where this process writes."""
    return [] if store.is_open(call_id) else list(await store.events_after(call_id, after))
