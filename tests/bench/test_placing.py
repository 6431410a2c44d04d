"""Clients that place calls, against a server that answers as a node does."""

import itertools
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from aiohttp import web

from bench.errors import NothingMeasured
from bench.placing import NUMBERS, dialled_at_once, place_for, scheduled
from server.calls.policy.hours import CallingHours, allowed_at
from server.calls.policy.numbers import NumberRules, check_number
from server.calls.request import CallRequest
from server.client import NodeClient
from server.sections import HoursSettings


class Desk:
    """Accepts so many calls, then is full."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.asked: list[dict[str, object]] = []

    async def place(self, request: web.Request) -> web.Response:
        self.asked.append(await request.json())
        if len(self.asked) <= self.room:
            return web.json_response({"id": f"call_{len(self.asked)}"}, status=201)
        problem = {"code": "overloaded", "detail": "no place is free"}
        return web.json_response(problem, status=503, headers={"Retry-After": "1"})


@pytest.fixture
async def desk() -> AsyncIterator[tuple[Desk, NodeClient]]:
    desk = Desk(room=7)
    app = web.Application()
    app.router.add_post("/v1/calls", desk.place)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with NodeClient(f"http://127.0.0.1:{runner.addresses[0][1]}", "key") as client:
        yield desk, client
    await runner.cleanup()


async def test_answers_are_timed_and_refusals_counted_by_their_code(
    desk: tuple[Desk, NodeClient],
) -> None:
    load = await place_for(desk[1], dialled_at_once(), 60, clients=3, most=10)
    assert len(load.accepted_ms) == 7
    assert min(load.accepted_ms) > 0
    assert load.refused == {"overloaded": 3}


async def test_no_more_is_asked_than_was_allowed(desk: tuple[Desk, NodeClient]) -> None:
    await place_for(desk[1], dialled_at_once(), 60, clients=3, most=5)
    assert [body["to"] for body in desk[0].asked] == list(NUMBERS[:5])


async def test_a_desk_that_refuses_everything_is_no_measurement(
    desk: tuple[Desk, NodeClient],
) -> None:
    desk[0].room = 0
    with pytest.raises(NothingMeasured, match="overloaded"):
        await place_for(desk[1], dialled_at_once(), 60, clients=2, most=4)


def test_every_number_differs_and_may_be_dialled_under_the_default_rules() -> None:
    rules = NumberRules(home_region="US", allowed_regions=frozenset({"US"}))
    assert len({check_number(number, rules) for number in NUMBERS}) == len(NUMBERS)


@pytest.mark.parametrize("month", [1, 7])
def test_scheduled_calls_fall_into_the_default_hours_of_every_number(month: int) -> None:
    hours = HoursSettings()
    limits = CallingHours(hours.start, hours.end, frozenset(range(1, 8)))
    bodies = scheduled(datetime(2026, month, 31, 23, 59, tzinfo=UTC))
    for body in itertools.islice(bodies, len(NUMBERS)):
        asked = CallRequest.model_validate(body)
        assert asked.scheduled_at is not None
        assert allowed_at(asked.parties[0], asked.scheduled_at, limits)
