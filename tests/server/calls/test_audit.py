"""The audit, on SQLite and PostgreSQL: what is in it stays, and what is done to it is found."""

import asyncio
import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from server.calls.audit import NO_HASH, AuditLog, AuditRow, Head
from server.calls.database import Place, open_database
from server.calls.schema import audit

ROWS = 6


@pytest.fixture
async def log(engine: AsyncEngine) -> AuditLog:
    """Some decisions."""
    log = AuditLog(engine)
    for number in range(1, ROWS + 1):
        await log.append("admitted", f"call_{number}", "k1", {"to": "+14165550123", "n": number})
    return log


async def tamper(engine: AsyncEngine, *statements: str) -> None:
    """Do what somebody with the database's password can do: the triggers go first."""
    postgresql = engine.dialect.name == "postgresql"
    async with engine.begin() as connection:
        if postgresql:
            await connection.execute(text("ALTER TABLE audit DISABLE TRIGGER ALL"))
            await connection.execute(text("ALTER TABLE audit_head DISABLE TRIGGER ALL"))
        else:
            for name in ("audit_is_not_changed", "audit_is_not_deleted"):
                await connection.execute(text(f"DROP TRIGGER {name}"))
            await connection.execute(text("DROP TRIGGER audit_head_does_not_go_back"))
            await connection.execute(text("DROP TRIGGER audit_head_is_not_deleted"))
        for statement in statements:
            await connection.execute(text(statement))


async def test_an_untouched_audit_is_whole(log: AuditLog) -> None:
    verdict = await log.verify()
    assert verdict.broken is None
    assert verdict.head.seq == ROWS


async def test_an_empty_audit_is_whole(engine: AsyncEngine) -> None:
    verdict = await AuditLog(engine).verify()
    assert (verdict.head, verdict.broken) == (Head(0, NO_HASH), None)


async def test_a_row_is_hashed_so_that_others_can_check_it(
    log: AuditLog, engine: AsyncEngine
) -> None:
    async with engine.connect() as connection:
        row = (await connection.execute(select(audit).where(audit.c.seq == 2))).mappings().one()
    values = {name: value for name, value in row.items() if name != "hash"}
    written = json.dumps(values, sort_keys=True, separators=(",", ":"))
    assert hashlib.sha256(written.encode()).hexdigest() == row["hash"]
    assert row["data"] == '{"n":2,"to":"+14165550123"}'


@pytest.mark.parametrize("seq", [1, 3, ROWS])
async def test_a_changed_row_is_found(log: AuditLog, engine: AsyncEngine, seq: int) -> None:
    await tamper(engine)
    changes = {
        "at": "2020-01-01T00:00:00.000000Z",
        "kind": "refused",
        "call_id": None,
        "key_id": "k2",
        "data": "{}",
        "previous_hash": "1" * 64,
        "hash": "1" * 64,
    }
    row = audit.c.seq == seq
    for name, value in changes.items():
        async with engine.begin() as connection:
            before = await connection.scalar(select(audit.c[name]).where(row))
            await connection.execute(update(audit).where(row).values({name: value}))
        broken = (await log.verify()).broken
        assert broken is not None, name
        assert (broken.seq, broken.why) == (seq, "changed"), name
        async with engine.begin() as connection:
            await connection.execute(update(audit).where(row).values({name: before}))
    assert (await log.verify()).broken is None


@pytest.mark.parametrize("seq", [1, 3, ROWS - 1])
async def test_a_missing_row_is_found(log: AuditLog, engine: AsyncEngine, seq: int) -> None:
    await tamper(engine, f"DELETE FROM audit WHERE seq = {seq}")
    broken = (await log.verify()).broken
    assert broken is not None
    assert (broken.seq, broken.why) == (seq, "missing")


@pytest.mark.parametrize("left", [0, 3, ROWS - 1])
async def test_rows_cut_off_at_the_end_are_found(
    log: AuditLog, engine: AsyncEngine, left: int
) -> None:
    await tamper(engine, f"DELETE FROM audit WHERE seq > {left}")
    broken = (await log.verify()).broken
    assert broken is not None
    assert (broken.seq, broken.why) == (left + 1, "truncated")


@pytest.mark.parametrize(("one", "other"), [(2, 3), (1, 5), (5, 6)])
async def test_rows_that_changed_places_are_found(
    log: AuditLog, engine: AsyncEngine, one: int, other: int
) -> None:
    await tamper(
        engine,
        f"UPDATE audit SET seq = 0 WHERE seq = {one}",
        f"UPDATE audit SET seq = {one} WHERE seq = {other}",
        f"UPDATE audit SET seq = {other} WHERE seq = 0",
    )
    broken = (await log.verify()).broken
    assert broken is not None
    assert (broken.seq, broken.why) == (one, "moved")
    assert str(other) in broken.detail


async def test_a_row_that_moved_up_over_a_deleted_one_is_found(
    log: AuditLog, engine: AsyncEngine
) -> None:
    await tamper(
        engine, "DELETE FROM audit WHERE seq = 3", "UPDATE audit SET seq = seq - 1 WHERE seq > 3"
    )
    broken = (await log.verify()).broken
    assert broken is not None
    assert (broken.seq, broken.why) == (3, "moved")


async def test_a_row_that_was_changed_with_its_hash_is_found(
    log: AuditLog, engine: AsyncEngine
) -> None:
    await rewrite(engine, 4)
    broken = (await log.verify()).broken
    assert broken is not None
    assert (broken.seq, broken.why) == (5, "rewritten")


async def rewrite(engine: AsyncEngine, seq: int) -> str:
    """Change a row and give it the hash that fits; returns that."""
    async with engine.connect() as connection:
        row = (await connection.execute(select(audit).where(audit.c.seq == seq))).mappings().one()
    values = {name: value for name, value in row.items() if name != "hash"}
    digest = AuditRow(**{**values, "kind": "erased"}).hash()
    await tamper(engine, f"UPDATE audit SET kind = 'erased', hash = '{digest}' WHERE seq = {seq}")
    return digest


async def test_the_last_row_cannot_be_rewritten_alone(log: AuditLog, engine: AsyncEngine) -> None:
    await rewrite(engine, ROWS)
    broken = (await log.verify()).broken
    assert broken is not None
    assert (broken.seq, broken.why) == (ROWS, "rewritten")


async def test_an_end_written_anew_with_the_head_is_found_by_a_head_noted_elsewhere(
    log: AuditLog, engine: AsyncEngine
) -> None:
    noted = (await log.verify()).head
    digest = await rewrite(engine, ROWS)
    async with engine.begin() as connection:
        await connection.execute(text(f"UPDATE audit_head SET hash = '{digest}'"))
    assert (await log.verify()).broken is None
    broken = (await log.verify(since=noted)).broken
    assert broken is not None
    assert (broken.seq, broken.why) == (ROWS, "rewritten")


async def test_an_audit_that_has_grown_since_the_noted_head_is_whole(log: AuditLog) -> None:
    noted = (await log.verify()).head
    await log.append("ended", "call_1", None, {})
    assert (await log.verify(since=Head.parse(str(noted)))).broken is None


async def test_a_cut_with_the_head_set_back_is_found_by_a_head_noted_elsewhere(
    log: AuditLog, engine: AsyncEngine
) -> None:
    noted = (await log.verify()).head
    await tamper(
        engine,
        "UPDATE audit_head SET seq = 4, hash = (SELECT hash FROM audit WHERE seq = 4)",
        "DELETE FROM audit WHERE seq > 4",
    )
    assert (await log.verify()).broken is None
    broken = (await log.verify(since=noted)).broken
    assert broken is not None
    assert (broken.seq, broken.why) == (5, "truncated")


async def test_an_audit_without_its_head_is_broken(log: AuditLog, engine: AsyncEngine) -> None:
    await tamper(engine, "DELETE FROM audit_head")
    broken = (await log.verify()).broken
    assert broken is not None
    assert broken.why == "truncated"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET kind = 'x' WHERE seq = 1",
        "DELETE FROM audit WHERE seq = 1",
        "DELETE FROM audit",
        "UPDATE audit_head SET seq = 1",
        "DELETE FROM audit_head",
    ],
)
async def test_the_database_itself_refuses_changes(
    log: AuditLog, engine: AsyncEngine, statement: str
) -> None:
    with pytest.raises(DBAPIError, match="append-only"):
        async with engine.begin() as connection:
            await connection.execute(text(statement))
    assert (await log.verify()).broken is None


async def test_many_at_once_on_two_nodes_get_numbers_without_gaps(
    engine: AsyncEngine, place: Place
) -> None:
    second = await open_database(place)
    logs = [AuditLog(engine), AuditLog(second)]
    numbers = await asyncio.gather(
        *(logs[n % 2].append("refused", None, "k1", {"n": n}) for n in range(80))
    )
    await second.dispose()
    assert sorted(numbers) == list(range(1, 81))
    verdict = await logs[0].verify()
    assert (verdict.head.seq, verdict.broken) == (80, None)


async def test_a_row_of_a_transaction_that_is_taken_back_was_never_there(
    log: AuditLog, engine: AsyncEngine
) -> None:
    async with engine.connect() as connection:
        await log.append_in(connection, "admitted", "call_9", None, {})
        await connection.rollback()
    assert await log.append("admitted", "call_9", None, {}) == ROWS + 1
    assert (await log.verify()).broken is None


async def test_rows_appended_while_it_is_verified_do_no_harm(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.calls.audit.STREAMED", 2)
    log = AuditLog(engine)
    for _ in range(20):
        await log.append("admitted", None, None, {})
    more = [log.append("ended", None, None, {}) for _ in range(20)]
    first, *_ = await asyncio.gather(log.verify(), *more)
    assert first.broken is None
    assert (await log.verify()).head.seq == 40


async def test_the_list_is_newest_first_and_can_be_paged(log: AuditLog) -> None:
    page = await log.list(limit=2)
    assert [row["seq"] for row in page] == [6, 5]
    assert page[0]["data"] == {"n": 6, "to": "+14165550123"}
    assert [row["seq"] for row in await log.list(before=3)] == [2, 1]
    assert [row["seq"] for row in await log.list(call_id="call_4")] == [4]


@pytest.mark.parametrize("wrong", ["", "12", "x:" + "0" * 64, "1:abc", "-1:" + "0" * 64])
def test_what_is_no_head_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError):
        Head.parse(wrong)


rows = st.builds(
    AuditRow,
    seq=st.integers(1, 2**31 - 1),
    at=st.text(max_size=8),
    kind=st.text(max_size=8),
    call_id=st.none() | st.text(max_size=8),
    key_id=st.none() | st.text(max_size=8),
    data=st.text(max_size=20),
    previous_hash=st.text(max_size=8),
)


@given(rows, rows)
def test_different_rows_have_different_hashes(one: Any, other: Any) -> None:
    assert (one == other) == (one.hash() == other.hash())
