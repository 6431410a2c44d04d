"""Who hears of a call."""

from contextlib import ExitStack

from server.calls.events import CallEvent, utc_now
from server.calls.feed import BACKLOG, EventFeed


async def test_a_listener_that_was_cut_off_takes_no_newer_one_along() -> None:
    feed = EventFeed()
    events = [CallEvent("call_1", seq, "status", utc_now(), {}) for seq in range(BACKLOG + 2)]
    with ExitStack() as slow:
        slow.enter_context(feed.listen("call_1"))
        for event in events[:-1]:
            feed.publish(event)
        with feed.listen("call_1"):
            pass
        with feed.listen("call_1") as newer:
            slow.close()
            feed.publish(events[-1])
            assert await newer.next(1) == events[-1]
