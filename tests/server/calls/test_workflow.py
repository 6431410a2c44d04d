"""The life of a call, with the phone played by the test."""

import asyncio
from contextlib import aclosing
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from server.calls.durable import Durable
from server.calls.errors import ActionRefused, Draining, Refused
from server.calls.events import utc_now
from server.calls.feed import EventFeed, follow
from server.calls.ids import new_call_id
from server.calls.model import Call
from server.calls.record import queued
from server.calls.request import CallRequest
from server.calls.schema import dials
from server.calls.store import CallStore
from server.calls.terms import terms
from server.calls.workflow import CallWorkflow
from server.settings import CallSettings, LimitSettings, Settings, TrunkSettings
from tests.server.conftest import MakeWorkflow
from tests.server.real_node import until


def request(**fields: object) -> CallRequest:
    return CallRequest.model_validate({"to": "+14165550123", "objective": "Book", **fields})


async def ended(store: CallStore, feed: EventFeed, call_id: str) -> Call:
    async for _ in follow(store, feed, call_id, 0):
        pass
    return await store.get(call_id)


async def answered(store: CallStore, feed: EventFeed, call_id: str) -> None:
    async with aclosing(follow(store, feed, call_id, 0)) as events:
        async for event in events:
            if event is not None and event.type == "transcript.final":
                return


async def test_a_call_is_on_disk_when_it_is_dialled(
    store: CallStore, workflow: CallWorkflow, phone: Any
) -> None:
    found = []

    async def look(call_id: str) -> None:
        async with store.engine.connect() as other:
            found.append((await other.execute(select(dials.c.call_id))).scalars().all())
        found.append((await store.get(call_id)).status)

    phone.before_dialling = look
    call = await workflow.place(request())
    await ended(store, workflow.feed, call.id)
    assert found == [[call.id], "queued"]


async def test_the_record_follows_the_call(
    store: CallStore, workflow: CallWorkflow, phone: Any
) -> None:
    phone.lasting = True
    call = await workflow.place(request())
    await answered(store, workflow.feed, call.id)
    live = await store.get(call.id)
    assert live.status == "in-progress"
    assert live.started_at is not None
    assert live.answered_at is not None
    assert workflow.hang_up(call.id)
    assert (await ended(store, workflow.feed, call.id)).status == "ended"


async def test_a_dialler_that_fails_ends_the_call_honestly(
    store: CallStore, workflow: CallWorkflow, phone: Any
) -> None:
    phone.failure = RuntimeError("no sound card")
    call = await workflow.place(request())
    record = await ended(store, workflow.feed, call.id)
    assert record.ended_reason == "engine_error"
    assert record.duration_s == 0
    assert record.ended_at is not None


async def test_a_call_above_the_limit_waits_its_turn(
    store: CallStore, phone: Any, settings: Settings, make_workflow: MakeWorkflow
) -> None:
    phone.lasting = True
    one = settings.model_copy(update={"limits": LimitSettings(concurrent_calls=1)})
    workflow = make_workflow(one)
    first = await workflow.place(request())
    second = await workflow.place(request(to="+14165550124"))
    await asyncio.sleep(0)
    assert phone.dialled == ["+14165550123"]
    phone.lasting = False
    workflow.hang_up(first.id)
    await ended(store, workflow.feed, second.id)
    assert phone.dialled == ["+14165550123", "+14165550124"]


async def test_the_limit_of_the_trunk_counts_where_it_is_the_smaller_one(
    store: CallStore, phone: Any, settings: Settings, make_workflow: MakeWorkflow
) -> None:
    phone.lasting = True
    trunk = TrunkSettings(name="pbx", host="127.0.0.1", max_calls=1)
    workflow = make_workflow(settings.model_copy(update={"trunks": (trunk,)}))
    for last in "345":
        await workflow.place(request(to=f"+1416555012{last}"))
    await store.events_after("")
    assert phone.dialled == ["+14165550123"]
    await workflow.drain(5)


@pytest.mark.parametrize("in_line", [False, True])
@pytest.mark.parametrize("action", ["hang_up", "cancel"])
async def test_a_call_that_waits_can_be_taken_back(
    store: CallStore,
    phone: Any,
    settings: Settings,
    make_workflow: MakeWorkflow,
    action: str,
    in_line: bool,
) -> None:
    phone.lasting = True
    one = settings.model_copy(update={"limits": LimitSettings(concurrent_calls=1)})
    workflow = make_workflow(one)
    first = await workflow.place(request())
    second = await workflow.place(request(to="+14165550124"))
    if in_line:
        await until(lambda: second.id in workflow.attempts.live)
    await workflow.act(second.id, action, {})
    assert (await ended(store, workflow.feed, second.id)).ended_reason == "canceled"
    with pytest.raises(ActionRefused):
        await workflow.act(second.id, action, {})
    assert phone.dialled == ["+14165550123"]
    workflow.hang_up(first.id)
    await ended(store, workflow.feed, first.id)


async def joined(workflow: CallWorkflow) -> Call:
    """Place a call, and wait until its workflow has joined it."""
    carry_out, met = workflow.carry_out, asyncio.Event()

    async def carry_out_and_tell(call_id: str) -> float | None:
        met.set()
        return await carry_out(call_id)

    workflow.carry_out = carry_out_and_tell  # type: ignore[method-assign]
    call = await workflow.place(request())
    await met.wait()
    return call


async def crash(workflow: CallWorkflow, call_id: str) -> None:
    """Have a call vanish as it does with its process."""
    live = workflow.attempts.live[call_id]
    assert live.task is not None
    live.task.cancel()
    await asyncio.wait([live.task])
    await asyncio.sleep(0.1)  # DBOS lets go of it in its own thread


@pytest.mark.parametrize("own_limit_s", [300, 60])
async def test_a_call_cut_short_by_a_crash_is_closed_and_not_dialled_again(
    settings: Settings,
    phone: Any,
    own_limit_s: int,
    make_workflow: MakeWorkflow,
    durable: Durable,
) -> None:
    phone.lasting = True
    settings = settings.model_copy(update={"call": CallSettings(max_duration_s=own_limit_s)})
    store = await CallStore.open(settings.data.database)
    dead = make_workflow(settings, store)
    call = await joined(dead)
    await answered(store, dead.feed, call.id)
    await crash(dead, call.id)
    before = await store.get(call.id)
    assert before.status == "in-progress"
    settings.data.recordings.mkdir()
    settings.data.recording_of(call.id).write_bytes(b"RIFF")
    await dead.drain(5)
    await store.close()

    store = await CallStore.open(settings.data.database)
    heir = make_workflow(settings, store)
    assert await heir.recover() == 1
    await durable.take_over(durable.node_id)
    assert phone.released == [f"dialog of {call.id}"]
    record = await ended(store, heir.feed, call.id)
    events = await store.events_after(call.id)
    assert await store.recording(call.id) == f"{call.id}.wav"
    assert await heir.recover() == 0
    assert phone.released == [f"dialog of {call.id}"]
    await heir.drain(5)
    await store.close()
    assert (record.status, record.ended_reason) == ("ended", "node_lost")
    assert (record.started_at, record.answered_at) == (before.started_at, before.answered_at)
    assert record.ended_at == events[-3].at
    assert (record.transcript, record.answered_by) == ("Callee: Hello?", "human")
    assert record.recording_url == f"/v1/calls/{call.id}/recording"
    assert record.summary
    assert record.outcome
    assert not record.outcome.success
    assert [event.seq for event in events] == [1, 2, 3, 4, 5, 6]
    assert events[-1].data["ended_reason"] == "node_lost"
    assert phone.dialled == ["+14165550123"]


async def test_a_call_that_cannot_be_pieced_together_is_closed_all_the_same(
    store: CallStore, workflow: CallWorkflow, phone: Any, durable: Durable
) -> None:
    phone.lasting = True
    call = await joined(workflow)
    await answered(store, workflow.feed, call.id)
    store.append_event(call.id, "transcript.final", {"odd": True})
    await crash(workflow, call.id)
    await durable.take_over(durable.node_id)
    record = await ended(store, workflow.feed, call.id)
    assert (record.ended_reason, record.transcript) == ("node_lost", None)


async def test_a_call_that_was_not_dialled_yet_is_dialled_after_a_crash(
    store: CallStore, workflow: CallWorkflow, phone: Any, settings: Settings
) -> None:
    asked = request()
    call = queued(new_call_id(), terms(asked, settings), (), utc_now())
    await store.create(call, asked)
    await workflow.recover()
    record = await ended(store, workflow.feed, call.id)
    assert record.ended_reason == "agent_hangup"
    assert phone.dialled == ["+14165550123"]


async def test_draining_hangs_up_and_waits_for_the_records(
    store: CallStore, workflow: CallWorkflow, phone: Any
) -> None:
    phone.lasting = True
    calls = [await workflow.place(request()) for _ in range(3)]
    await store.events_after(calls[0].id)
    await workflow.drain(5)
    records = [await store.get(call.id) for call in calls]
    assert {record.ended_reason for record in records} == {"agent_hangup"}
    assert all("node-stopping" in record.warnings for record in records)
    with pytest.raises(Draining):
        await workflow.place(request())


async def test_the_last_record_is_written_again_when_the_database_was_busy(
    store: CallStore, workflow: CallWorkflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    conclude = store.conclude
    attempts = []

    async def busy_once(*arguments: Any, **named: Any) -> Any:
        attempts.append(arguments)
        if len(attempts) == 1:
            raise OperationalError("COMMIT", {}, Exception("database is locked"))
        return await conclude(*arguments, **named)

    monkeypatch.setattr(store, "conclude", busy_once)
    monkeypatch.setattr("server.calls.closing.WRITE_RETRY_S", 0)
    call = await workflow.place(request())
    assert (await ended(store, workflow.feed, call.id)).status == "ended"
    assert len(attempts) == 2


async def test_what_the_request_leaves_open_comes_from_the_settings(
    store: CallStore, phone: Any, settings: Settings, make_workflow: MakeWorkflow
) -> None:
    trunk = TrunkSettings(name="pbx", host="127.0.0.1", caller_id="+14165550100")
    changed = settings.model_copy(
        update={"trunks": (trunk,), "call": CallSettings(record=False, max_duration_s=90)}
    )
    workflow = make_workflow(changed)
    call = await workflow.place(request())
    record = await ended(store, workflow.feed, call.id)
    assert (record.from_, record.agent_name) == ("+14165550100", "Ava")
    assert phone.tasks[0].recorded is False


async def test_a_request_cannot_switch_on_a_recording_that_settings_forbid(
    store: CallStore, phone: Any, settings: Settings, make_workflow: MakeWorkflow
) -> None:
    silent = settings.model_copy(update={"call": CallSettings(record=False)})
    workflow = make_workflow(silent)
    call = await workflow.place(request(record=True))
    await ended(store, workflow.feed, call.id)
    assert phone.tasks[0].recorded is False


async def test_what_is_no_unicode_costs_the_call_its_record_but_not_the_node(
    store: CallStore, workflow: CallWorkflow, phone: Any
) -> None:
    phone.sip_reason = b"Besetzt f\xfcr Sie".decode("utf-8", "surrogateescape")
    call = await workflow.place(request())
    record = await ended(store, workflow.feed, call.id)
    assert (record.status, record.ended_reason) == ("ended", "engine_error")
    phone.sip_reason = "OK"
    call = await workflow.place(request())
    assert (await ended(store, workflow.feed, call.id)).ended_reason == "agent_hangup"


@pytest.mark.parametrize(
    "failure", [OperationalError("COMMIT", {}, Exception("disk is full")), RuntimeError("broken")]
)
async def test_listeners_are_told_even_when_the_last_record_is_lost(
    store: CallStore,
    workflow: CallWorkflow,
    phone: Any,
    monkeypatch: pytest.MonkeyPatch,
    failure: Exception,
) -> None:
    async def fail(*_: Any, **named: Any) -> Any:
        raise failure

    monkeypatch.setattr(store, "conclude", fail)
    monkeypatch.setattr("server.calls.closing.WRITE_RETRY_S", 0)
    phone.lasting = True
    call = await workflow.place(request())
    stream = follow(store, workflow.feed, call.id, 0)
    seen = [await anext(stream)]
    workflow.hang_up(call.id)
    seen += [event async for event in stream]
    assert [event.seq for event in seen if event is not None] == [1, 2, 3, 4, 5]
    assert seen[-1] is not None
    assert seen[-1].type == "call.ended"
    late = [event async for event in follow(store, workflow.feed, call.id, 0)]
    assert len(late) == 4
    assert store.append_event(call.id, "status", {}) is None


async def test_a_call_whose_record_is_being_written_when_the_node_drains_is_not_dialled(
    store: CallStore, workflow: CallWorkflow, phone: Any
) -> None:
    placing = asyncio.create_task(workflow.place(request()))
    await asyncio.sleep(0)
    await workflow.drain(5)
    call = await placing
    assert (await store.get(call.id)).ended_reason == "canceled"
    assert phone.dialled == []


async def test_a_record_that_cannot_be_made_places_no_call(
    store: CallStore, workflow: CallWorkflow, phone: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: Any) -> None:
        raise OperationalError("COMMIT", {}, Exception("disk is full"))

    monkeypatch.setattr(store, "transact", fail)
    with pytest.raises(OperationalError):
        await workflow.place(request())
    await workflow.drain(5)
    assert phone.dialled == []


async def test_a_status_is_reported_only_where_it_changes(
    store: CallStore, workflow: CallWorkflow, phone: Any
) -> None:
    phone.progress = ("ringing", "ringing", "in-progress", "in-progress")
    call = await workflow.place(request())
    await ended(store, workflow.feed, call.id)
    events = await store.events_after(call.id)
    reported = [event.data["status"] for event in events if event.type == "status"]
    assert reported == ["queued", "ringing", "in-progress"]


async def test_times_once_shown_stay_as_they_are(
    store: CallStore, workflow: CallWorkflow, phone: Any
) -> None:
    phone.lasting = True
    call = await workflow.place(request())
    await answered(store, workflow.feed, call.id)
    live = await store.get(call.id)
    workflow.hang_up(call.id)
    over = await ended(store, workflow.feed, call.id)
    assert live.started_at is not None
    assert (over.started_at, over.answered_at) == (live.started_at, live.answered_at)


async def test_a_sip_uri_is_dialled_only_where_settings_allow(
    store: CallStore,
    workflow: CallWorkflow,
    phone: Any,
    settings: Settings,
    make_workflow: MakeWorkflow,
) -> None:
    with pytest.raises(Refused):
        await workflow.place(request(to="sip:alice@example.com"))
    allowing = settings.model_copy(update={"call": CallSettings(allow_sip_uri=True)})
    workflow = make_workflow(allowing)
    call = await workflow.place(request(to="sip:alice@example.com"))
    await ended(store, workflow.feed, call.id)
    assert phone.dialled == ["sip:alice@example.com"]


async def test_a_listener_that_falls_behind_is_cut_off_and_can_come_back(
    store: CallStore, workflow: CallWorkflow, phone: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.calls.feed.BACKLOG", 2)
    phone.lasting = True
    call = await workflow.place(request())
    stream = follow(store, workflow.feed, call.id, 0)
    first = await anext(stream)
    assert first is not None
    seen = [first.seq]
    workflow.hang_up(call.id)
    await workflow.drain(5)
    seen += [event.seq async for event in stream if event is not None]
    rest = follow(store, workflow.feed, call.id, seen[-1])
    seen += [event.seq async for event in rest if event is not None]
    assert seen == [1, 2, 3, 4, 5, 6]


async def test_a_quiet_call_gives_a_heartbeat(
    store: CallStore, workflow: CallWorkflow, phone: Any
) -> None:
    phone.lasting = True
    call = await workflow.place(request())
    stream = follow(store, workflow.feed, call.id, 0, heartbeat_s=0.01)
    assert any([event is None async for event in _first(stream, 6)])
    await stream.aclose()


async def _first(stream: Any, count: int) -> Any:
    for _ in range(count):
        yield await anext(stream)
