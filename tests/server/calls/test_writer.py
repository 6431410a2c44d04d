"""The task that writes, and the jobs that cannot be done."""

import asyncio

from sqlalchemy.exc import IntegrityError

from server.calls.events import utc_now
from server.calls.ids import new_call_id
from server.calls.listing import Wanted, list_calls
from server.calls.model import Call
from server.calls.record import queued
from server.calls.request import CallRequest
from server.calls.store import CallStore
from server.calls.writer import NewCall, RecordWriter

REQUEST = CallRequest.model_validate({"to": "+14165550123", "objective": "Book a table"})
OCTETS = b"Besetzt f\xfcr Sie".decode("utf-8", "surrogateescape")


def new_call(**fields: object) -> Call:
    return queued(new_call_id(), REQUEST, (), utc_now()).model_copy(update=fields)


async def create(store: CallStore) -> Call:
    call = new_call()
    await store.create(call, REQUEST)
    return call


async def test_a_full_queue_drops_and_never_blocks(store: CallStore) -> None:
    writer = RecordWriter(store.engine, capacity=2)
    assert [writer.put(new_call()) for _ in range(3)] == [True, True, False]
    await writer.close()


async def test_writes_made_together_share_one_transaction_and_one_fails_alone(
    store: CallStore,
) -> None:
    call = await create(store)
    again = store.create(call, REQUEST)
    others = [create(store) for _ in range(3)]
    results = await asyncio.gather(again, *others, return_exceptions=True)
    assert isinstance(results[0], IntegrityError)
    assert all(isinstance(result, Call) for result in results[1:])
    assert len((await list_calls(store.engine, Wanted())).calls) == 4


async def test_what_is_no_unicode_fails_alone_and_the_writer_goes_on(store: CallStore) -> None:
    writer = RecordWriter(store.engine)
    odd = new_call(sip_reason=OCTETS)
    assert writer.put(odd)
    fine = [new_call() for _ in range(2)]
    results = await asyncio.gather(
        writer.commit(NewCall(fine[0], REQUEST)),
        writer.commit(NewCall(odd, REQUEST)),
        writer.commit(NewCall(fine[1], REQUEST)),
        return_exceptions=True,
    )
    await writer.close()
    assert [type(result) for result in results][::2] == [type(None)] * 2
    assert isinstance(results[1], ValueError)
    assert {call.id for call in (await list_calls(store.engine, Wanted())).calls} == {
        call.id for call in fine
    }
