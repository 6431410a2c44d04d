"""A call's events as server-sent events (WHATWG HTML §9.2)."""

import re
from contextlib import aclosing, suppress

from aiohttp import web

from server.api.errors import FieldError, ValidationFailed
from server.calls.events import CallEvent
from server.calls.feed import EventFeed, follow
from server.calls.store import CallStore

LAST_EVENT_ID = "Last-Event-ID"
NUMBER = "[0-9]{0,9}"
"""An empty one counts as none, as browsers send it."""


async def stream_events(
    request: web.Request, store: CallStore, feed: EventFeed, call_id: str
) -> web.StreamResponse:
    """Replay a call's events after `Last-Event-ID`, then follow the call to its end.

    Raises `CallNotFound` and `ValidationFailed` before the answer begins.
    """
    after = _last_event_id(request)
    await store.get(call_id)
    response = web.StreamResponse(
        headers={
            "Content-Type": "text/event-stream",
            "Cache-Control": "no-store",
            "X-Accel-Buffering": "no",
        }
    )
    await response.prepare(request)
    with suppress(ConnectionResetError):  # a listener may leave at any moment
        async with aclosing(follow(store, feed, call_id, after)) as events:
            async for event in events:
                await response.write(b": still here\n\n" if event is None else encode(event))
    return response


def encode(event: CallEvent) -> bytes:
    """One event on the wire."""
    return f"id: {event.seq}\nevent: {event.type}\ndata: {event.json()}\n\n".encode()


def _last_event_id(request: web.Request) -> int:
    given = request.headers.get(LAST_EVENT_ID, "")
    if re.fullmatch(NUMBER, given) is None:
        raise ValidationFailed(FieldError(LAST_EVENT_ID, "not the number of an event"))
    return int(given or "0")
