"""No event is lost for what its data hold."""

import json
from typing import Any

import pytest

from server.calls.events import CallEvent, utc_now
from server.calls.ids import new_call_id
from server.calls.model import Call
from server.calls.request import CallRequest
from server.calls.store import CallStore

ODD: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"mos": float("nan"), "loss": float("inf")}, {"mos": None, "loss": None}),
    ({"content": "caf\udce9"}, {"content": "caf\ufffd"}),
    ({"facts": [{"\ud800x": "\ud83d\ude00"}]}, {"facts": [{"\ufffdx": "\U0001f600"}]}),
]


@pytest.mark.parametrize(("told", "kept"), ODD)
def test_what_no_json_has_is_replaced_on_the_wire(
    told: dict[str, Any], kept: dict[str, Any]
) -> None:
    event = CallEvent("call_1", 2, "transcript.final", utc_now(), told)
    assert json.loads(event.json())["data"] == kept


@pytest.mark.parametrize(("told", "kept"), ODD)
async def test_what_no_json_has_is_replaced_in_the_database(
    store: CallStore, told: dict[str, Any], kept: dict[str, Any]
) -> None:
    asked = CallRequest(to="+14165550123", objective="Book")
    now = utc_now()
    call = Call(id=new_call_id(), to="+14165550123", created_at=now, updated_at=now)
    await store.create(call, asked)
    store.append_event(call.id, "transcript.final", told)
    assert [event.data for event in await store.events_after(call.id, 1)] == [kept]
