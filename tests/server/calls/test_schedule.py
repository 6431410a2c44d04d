"""Calls that are dialled later, again, or in their turn."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from server.calls.do_not_call import DoNotCall
from server.calls.errors import ActionRefused, Refused
from server.calls.feed import follow
from server.calls.model import Call
from server.calls.request import CallRequest
from server.calls.schema import audit, dials
from server.calls.store import CallStore
from server.calls.workflow import CallWorkflow
from server.sections import HoursSettings, PolicySettings
from server.settings import LimitSettings, Settings
from tests.server.conftest import MakeWorkflow
from tests.server.real_node import until


def request(**fields: object) -> CallRequest:
    return CallRequest.model_validate({"to": "+14165550123", "objective": "Book", **fields})


def soon(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


async def ended(store: CallStore, workflow: CallWorkflow, call_id: str) -> Call:
    async for _ in follow(store, workflow.feed, call_id, 0):
        pass
    return await store.get(call_id)


async def test_a_scheduled_call_is_dialled_when_it_is_due(
    store: CallStore, workflow: CallWorkflow, phone: Any
) -> None:
    due = datetime.now(UTC) + timedelta(seconds=1)
    call = await workflow.place(request(scheduled_at=due.isoformat()))
    assert (call.status, call.scheduled_at) == ("scheduled", due)
    assert phone.dialled == []
    record = await ended(store, workflow, call.id)
    assert record.ended_reason == "agent_hangup"
    assert record.started_at is not None
    assert record.started_at >= due


async def test_a_time_that_has_passed_is_now(workflow: CallWorkflow, phone: Any) -> None:
    call = await workflow.place(request(scheduled_at="2020-01-31T12:00:00+05:30"))
    assert call.status == "queued"
    await until(lambda: len(phone.dialled) == 1)


async def test_a_time_more_than_a_year_away_is_refused(workflow: CallWorkflow) -> None:
    with pytest.raises(Refused) as refused:
        await workflow.place(request(scheduled_at=soon(400 * 86_400)))
    assert refused.value.field == "scheduled_at"


async def test_a_scheduled_call_can_be_canceled(
    store: CallStore, workflow: CallWorkflow, phone: Any
) -> None:
    call = await workflow.place(request(scheduled_at=soon(3600)))
    await workflow.act(call.id, "cancel", {})
    record = await store.get(call.id)
    assert (record.status, record.ended_reason, record.started_at) == ("ended", "canceled", None)
    with pytest.raises(ActionRefused):
        await workflow.act(call.id, "cancel", {})


async def test_a_busy_line_is_dialled_again_and_each_attempt_is_told(
    store: CallStore, workflow: CallWorkflow, phone: Any
) -> None:
    phone.endings = ["dial_busy", "dial_no_answer"]
    retry = {"attempts": 3, "delay_s": 1, "on": ["busy", "no_answer"]}
    call = await workflow.place(request(retry=retry))
    record = await ended(store, workflow, call.id)
    assert (record.attempt, record.ended_reason) == (3, "agent_hangup")
    assert len(phone.dialled) == 3
    events = await store.events_after(call.id)
    again = [event.data for event in events if "because" in event.data]
    assert [(data["attempt"], data["because"]) for data in again] == [
        (2, "dial_busy"),
        (3, "dial_no_answer"),
    ]
    async with store.engine.connect() as connection:
        rows = (await connection.execute(select(dials.c.attempt, dials.c.conversation))).all()
    assert sorted(rows) == [(1, None), (2, None), (3, None)]


async def test_nothing_is_dialled_again_that_the_request_does_not_name(
    store: CallStore, workflow: CallWorkflow, phone: Any
) -> None:
    phone.endings = ["user_declined"]
    call = await workflow.place(request(retry={"attempts": 3, "delay_s": 1}))
    assert (await ended(store, workflow, call.id)).ended_reason == "user_declined"
    assert len(phone.dialled) == 1


async def test_a_call_outside_of_the_hours_is_refused_or_postponed(
    settings: Settings, make_workflow: MakeWorkflow
) -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    day = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")[(tomorrow.weekday() + 2) % 7]

    def with_hours(outside: str) -> CallWorkflow:
        hours = HoursSettings.model_validate({"days": (day,), "outside": outside})
        policy = PolicySettings(home_region="CA", allowed_regions=("CA",), hours=hours)
        return make_workflow(settings.model_copy(update={"policy": policy}))

    with pytest.raises(Refused):
        await with_hours("refuse").place(request())
    call = await with_hours("postpone").place(request())
    assert call.status == "scheduled"
    assert call.scheduled_at is not None
    assert call.scheduled_at > tomorrow


async def test_a_thousand_queued_calls_go_in_the_order_of_their_schedule_within_the_limit(
    store: CallStore, phone: Any, settings: Settings, make_workflow: MakeWorkflow
) -> None:
    limits = LimitSettings(concurrent_calls=10, queued_calls=2000)
    workflow = make_workflow(settings.model_copy(update={"limits": limits}))
    going_on, most = 0, 0

    async def count(_: str) -> None:
        nonlocal going_on, most
        going_on += 1
        most = max(most, going_on)
        await asyncio.sleep(0)
        going_on -= 1

    phone.before_dialling = count
    phone.lasting = True
    first = [await workflow.place(request(to=f"+1416555{n:04}")) for n in range(9000, 9010)]
    base = datetime.now(UTC) - timedelta(hours=1)
    numbers = [f"+1416555{(n * 577) % 1000:04}" for n in range(1000)]
    queued = await asyncio.gather(
        *(
            workflow.place(
                request(
                    to=number,
                    scheduled_at=(base + timedelta(seconds=int(number[-4:]))).isoformat(),
                )
            )
            for number in numbers
        )
    )

    await until(lambda: workflow.attempts.waiting == 1000, patience_s=100)
    phone.lasting = False
    for call in first:
        await workflow.act(call.id, "hang_up", {})
    await until(lambda: len(phone.dialled) == 1010, patience_s=100)
    assert most <= 10
    assert sorted(phone.dialled[10:]) == sorted(numbers)
    places = {number: place for place, number in enumerate(phone.dialled[10:])}
    out_of_place = [abs(places[number] - int(number[-4:])) for number in numbers]
    assert max(out_of_place) <= 50
    assert len(queued) == 1000


async def test_a_number_that_asked_not_to_be_called_meanwhile_is_not_dialled(
    store: CallStore, workflow: CallWorkflow, phone: Any
) -> None:
    call = await workflow.place(request(scheduled_at=soon(0.5)))
    await DoNotCall(store.engine).add("+14165550123", "asked")
    record = await ended(store, workflow, call.id)
    assert (record.ended_reason, record.warnings) == ("canceled", ("do-not-call",))
    assert phone.dialled == []
    async with store.engine.connect() as connection:
        told = select(audit.c.data).where(audit.c.call_id == call.id, audit.c.kind == "ended")
        assert "do-not-call" in (await connection.execute(told)).scalar_one()


async def test_a_region_that_is_not_allowed_any_more_is_not_dialled(
    store: CallStore, phone: Any, settings: Settings, make_workflow: MakeWorkflow
) -> None:
    call = await make_workflow().place(request(scheduled_at=soon(0.5)))
    policy = settings.policy.model_copy(update={"allowed_regions": ("US",)})
    stricter = make_workflow(settings.model_copy(update={"policy": policy}))
    record = await ended(store, stricter, call.id)
    assert (record.ended_reason, record.warnings) == ("canceled", ("country-blocked",))
    assert phone.dialled == []
