"""Whether a call is taken on, decided in one transaction in which nobody else writes.

Stands between `CallWorkflow.place` and the tables. When the transaction commits, the call
exists: its record, first event, place in the limits, reserved money and, where it is dialled at
once, the row that allows its INVITE. Nothing is written before every check has passed.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.calls import dials, idempotency
from server.calls.audit import AuditLog
from server.calls.do_not_call import DoNotCall
from server.calls.errors import (
    CallError,
    DoNotCallListed,
    IdempotencyMismatch,
    Overloaded,
    RateLimited,
    SpendCapReached,
)
from server.calls.events import CallEvent, rfc3339
from server.calls.model import Call
from server.calls.origin import Origin
from server.calls.policy.rates import DAY, RateLimits, exceeded
from server.calls.request import CallRequest
from server.calls.schema import admissions, calls, spending
from server.calls.schema import dials as dial_rows
from server.calls.slots import Capacity, Claim, Slots
from server.calls.store import Owed, nobody
from server.calls.writer import NewCall, write_all

RETRY_AFTER_S = 10


@dataclass(frozen=True, slots=True)
class Candidate:
    """A call that passed every rule which needs no database."""

    call: Call
    asked: CallRequest
    origin: Origin
    claim: Claim
    most_cents: float
    """What it can cost at most."""
    owed: Owed = nobody
    """To webhooks, of its first event."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """The call exists."""

    call: Call
    event: CallEvent
    at_once: bool
    """It holds a place, and may be dialled."""
    deliveries: tuple[str, ...] = ()
    """The ids of what webhooks are owed."""


@dataclass(frozen=True, slots=True)
class Known:
    """The call existed before: the request is a repetition."""

    call_id: str


@dataclass(frozen=True, slots=True)
class Desk:
    """Where calls are admitted: a node's places and limits."""

    slots: Slots
    capacity: Capacity
    queued_calls: int
    node_id: str
    audit: AuditLog

    async def admit(
        self, candidate: Candidate, now: datetime, connection: AsyncConnection
    ) -> Admitted | Known | CallError:
        """Take a call on, or say why not. May be run again where the commit failed."""
        call, origin = candidate.call, candidate.origin
        try:
            known = await idempotency.known_call(connection, origin, now)
        except IdempotencyMismatch as error:
            return error
        if known is not None:
            return Known(known)
        refusal = await self.refusal(candidate, now, connection)
        if refusal is not None:
            return refusal
        at_once = call.status == "queued" and await self._has_room(connection, candidate.claim)
        if not at_once and call.status == "queued" and await self._is_full(connection):
            return Overloaded(RETRY_AFTER_S)
        event = _first_event(call)
        due = None if call.status == "queued" else call.scheduled_at
        owed = candidate.owed(event)
        await write_all(connection, [NewCall(call, candidate.asked, due), event, *owed])
        if at_once:
            await dials.enter(connection, candidate.claim, 1, self.node_id, now)
        await idempotency.remember(connection, origin, call.id, now)
        await _count(connection, candidate, now)
        await self._write_down(connection, candidate, at_once=at_once)
        return Admitted(call, event, at_once, tuple(one.id for one in owed))

    async def refusal(
        self, candidate: Candidate, now: datetime, connection: AsyncConnection
    ) -> CallError | None:
        """What the tables have against a call, whether or not it is placed then."""
        return (
            await _unwanted(connection, candidate)
            or await _over_the_rate(connection, candidate, now)
            or await _over_the_cap(connection, candidate, now)
        )

    async def begin(
        self, claim: Claim, call: Call, now: datetime, connection: AsyncConnection
    ) -> dials.Begun | Literal["unwanted"]:
        """Let a call that waited be dialled; unwanted: the number asked not to be called."""
        if await dials.read(connection, call.id, call.attempt) is None:
            for number in claim.numbers:
                if await DoNotCall.holds(connection, number):
                    return "unwanted"
        begun = await dials.begin(connection, claim, call.attempt, self.node_id, self.capacity, now)
        if begun == "begun":
            dialled = {"attempt": call.attempt, "node": self.node_id}
            await self.audit.append_in(connection, "dialled", call.id, call.key_id, dialled)
        return begun

    async def _write_down(
        self, connection: AsyncConnection, candidate: Candidate, *, at_once: bool
    ) -> None:
        """Enter the decision in the audit."""
        call, key_id = candidate.call, candidate.origin.caller.key_id or None
        told: dict[str, object] = {"to": list(candidate.claim.numbers), "from": call.from_}
        told |= {"dialect": call.dialect, "deployment": call.deployment_id, "status": call.status}
        decisions = {"admitted": told}
        if at_once:
            decisions["dialled"] = {"attempt": 1, "node": self.node_id}
        await self.audit.append_all_in(connection, call.id, key_id, decisions)

    async def _has_room(self, connection: AsyncConnection, claim: Claim) -> bool:
        """Take a place if the call could be dialled now."""
        return not await dials.is_busy(connection, claim, self.capacity) and self.slots.take(claim)

    async def _is_full(self, connection: AsyncConnection) -> bool:
        dialled = select(dial_rows.c.call_id).where(dial_rows.c.call_id == calls.c.id).exists()
        waiting = select(func.count()).where(calls.c.status == "queued", ~dialled)
        return ((await connection.execute(waiting)).scalar_one() or 0) >= self.queued_calls


def _first_event(call: Call) -> CallEvent:
    data: dict[str, object] = {"status": call.status}
    if call.status == "scheduled" and call.scheduled_at is not None:
        data["scheduled_at"] = rfc3339(call.scheduled_at)
    return CallEvent(call.id, 1, "status", call.created_at, data)


async def _unwanted(connection: AsyncConnection, candidate: Candidate) -> CallError | None:
    for number in candidate.claim.numbers:
        if await DoNotCall.holds(connection, number):
            return DoNotCallListed("to", "this number asked not to be called")
    return None


async def _over_the_rate(
    connection: AsyncConnection, candidate: Candidate, now: datetime
) -> CallError | None:
    """The deployment's limits; without a deployment there are none."""
    deployment, origin = candidate.origin.deployment, candidate.origin
    if deployment is None or origin.deployment_id is None:
        return None
    query = select(admissions.c.number, admissions.c.at, admissions.c.call_id).where(
        admissions.c.deployment_id == origin.deployment_id,
        admissions.c.at > rfc3339(now - DAY),
    )
    rows = (await connection.execute(query)).all()
    placed = {row.call_id: datetime.fromisoformat(row.at) for row in rows}
    limits = RateLimits(**deployment.limits.model_dump())
    for number in candidate.claim.numbers:
        there = [datetime.fromisoformat(row.at) for row in rows if row.number == number]
        broken = exceeded(limits, there, tuple(placed.values()), now)
        if broken is not None:
            return RateLimited(broken.limit, broken.retry_after_s)
    return None


async def _over_the_cap(
    connection: AsyncConnection, candidate: Candidate, now: datetime
) -> CallError | None:
    cap = candidate.origin.caller.daily_spend_cents
    if cap is None:
        return None
    query = select(func.coalesce(func.sum(spending.c.cents), 0.0)).where(
        spending.c.key_id == candidate.origin.caller.key_id, spending.c.day == _day(now)
    )
    spent = float((await connection.execute(query)).scalar_one())
    if spent + candidate.most_cents > cap:
        return SpendCapReached("this call could cost more than the key may still spend today")
    return None


async def _count(connection: AsyncConnection, candidate: Candidate, now: datetime) -> None:
    """Enter the call where limits look."""
    origin, call_id = candidate.origin, candidate.call.id
    if origin.deployment_id is not None:
        row = {"deployment_id": origin.deployment_id, "call_id": call_id, "at": rfc3339(now)}
        rows = [{**row, "number": number} for number in candidate.claim.numbers]
        await connection.execute(insert(admissions), rows)
    if origin.caller.key_id and candidate.most_cents:
        reserved = {
            "call_id": call_id,
            "key_id": origin.caller.key_id,
            "day": _day(now),
            "cents": candidate.most_cents,
            "settled": False,
        }
        await connection.execute(insert(spending), [reserved])


def _day(now: datetime) -> str:
    return rfc3339(now)[:10]
