"""One call from the request to the record: admit, schedule, queue, dial, converse, judge, tell.

Stands after the API, before the node that dials. What is here is the way of a request, top to
bottom; each step of it is in a module of its own, and DBOS sees to it that none is forgotten
(`durable`). An immediate call that finds a place is dialled at once: its workflow starts beside
it and only waits for what comes of it.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from functools import partial

from sqlalchemy.exc import SQLAlchemyError

from pipeline.plan import plan_by_rules
from pipeline.playbook import Playbook
from server.calls import dials
from server.calls.admission import Admitted, Candidate, Desk, Known
from server.calls.attempts import Attempts, Dialler, Live
from server.calls.audit import AuditLog
from server.calls.closing import Closing
from server.calls.costs import Quote, quote_of
from server.calls.durable import Durable
from server.calls.errors import ActionRefused, CallError, CallNotFound, Draining
from server.calls.events import utc_now
from server.calls.feed import EventFeed
from server.calls.ids import new_call_id
from server.calls.model import Call, Plan
from server.calls.neighbours import Neighbours
from server.calls.origin import Caller, Origin
from server.calls.policy.errors import PolicyError
from server.calls.preparation import NothingStored, Preparation, Prepared, Stored
from server.calls.record import queued
from server.calls.request import CallRequest
from server.calls.rules import check, check_engines, due_at
from server.calls.slots import Capacity, Claim, Slots
from server.calls.store import CallStore
from server.calls.terms import CallTerms
from server.calls.webhooks.deliveries import Deliveries, owed_by
from server.calls.webhooks.subscriptions import Record, native
from server.settings import Settings

log = logging.getLogger(__name__)

NODE_STOPPING = "node-stopping"
"""The warning on calls that were hung up or withdrawn because the node was stopped."""
INSIST_S = 1.0
Errand = Callable[[], Awaitable[None]]
NOBODY = Origin(Caller(""))
"""Who asks where no key is involved."""
Render = Callable[[Call, CallTerms], Record]


def _natively(call: Call, _: CallTerms) -> Record:
    return native(call)


class CallWorkflow:
    """Every call of this node."""

    def __init__(
        self,
        store: CallStore,
        dialler: Dialler,
        settings: Settings,
        playbook: Playbook,
        durable: Durable,
        deliveries: Deliveries,
        stored: Stored | None = None,
        render: Render = _natively,
    ) -> None:
        """render: how webhooks are shown a call, by the face that placed it."""
        self.feed = EventFeed()
        self._store, self._dialler, self._settings = store, dialler, settings
        self.durable, self._deliveries = durable, deliveries
        self._render = render
        self._preparation = Preparation(settings, playbook, stored or NothingStored())
        limits = settings.limits
        self._audit = AuditLog(store.engine)
        capacity = Capacity(
            settings.calls_at_once,
            limits.calls_per_number,
            limits.calls_per_key,
            limits.calls_per_deployment,
        )
        slots = Slots(capacity)
        node_id = durable.node_id
        self._desk = Desk(slots, capacity, limits.queued_calls, node_id, self._audit)
        self._neighbours = Neighbours(store.engine, node_id)
        self._closing = Closing(store, self.feed, self._audit, settings)
        self.attempts = Attempts(
            store, dialler, settings, self.feed, self._closing, self._desk, self._neighbours
        )
        self._draining = False
        self._placing: set[asyncio.Task[Call]] = set()
        self._errands: set[asyncio.Task[None]] = set()
        store.on_deliveries(self._send)

    # The way of a request

    async def place(self, asked: CallRequest, origin: Origin = NOBODY) -> Call:
        """Take a call on; when this returns, its record is durable.

        The same idempotency key and body give the same call. Raises `CallError` and
        `PolicyError`.
        """
        if self._draining:
            raise Draining
        # A client that leaves must not leave half a call behind.
        placing = asyncio.create_task(self._place(asked, origin))
        self._placing.add(placing)
        placing.add_done_callback(self._placing.discard)
        return await asyncio.shield(placing)

    async def quote(self, asked: CallRequest, origin: Origin) -> Quote:
        """Say what a call would come to; nothing is dialled. Raises as `place` does."""
        now = utc_now()
        try:
            candidate, live = await self._considered(asked, origin, now)
            async with self._store.engine.connect() as connection:
                refusal = await self._desk.refusal(candidate, now, connection)
            if refusal is not None:
                raise refusal
        except (CallError, PolicyError) as error:
            await self._turn_away(asked, origin, error)
            raise
        plan = candidate.call.plan or _plan(live.prepared)
        return quote_of(live.prepared.terms, plan, self._settings.costs)

    async def _place(self, asked: CallRequest, origin: Origin) -> Call:
        try:
            return await self._take_on(asked, origin)
        except (CallError, PolicyError) as error:
            await self._turn_away(asked, origin, error)
            raise

    async def _considered(
        self, asked: CallRequest, origin: Origin, now: datetime
    ) -> tuple[Candidate, Live]:
        """Fill in what was left open, and apply the rules that need no table."""
        prepared = await self._preparation.prepare(asked, origin.deployment)
        check(prepared.terms, asked, origin, self._settings)
        due = due_at(prepared.terms, self._settings, now)
        await check_engines(prepared.terms, self._dialler.engines_for)
        plan = origin.plan or _plan(prepared)
        call = queued(
            new_call_id(),
            prepared.terms,
            (*origin.warnings, *prepared.warnings),
            now,
            due=due if due > now else None,
            origin=origin,
        ).model_copy(update={"plan": plan})
        live = self._live(call, prepared)
        most = quote_of(prepared.terms, plan, self._settings.costs).bill.cents
        owed = owed_by(live.subscriptions, call)
        return Candidate(call, asked, origin, live.claim, most, owed), live

    async def _turn_away(
        self, asked: CallRequest, origin: Origin, error: CallError | PolicyError
    ) -> None:
        """Enter a refusal in the audit."""
        code = error.code if isinstance(error, PolicyError) else type(error).__name__
        told = {"code": code, "to": list(asked.parties), "field": getattr(error, "field", None)}
        key_id = origin.caller.key_id or None
        try:
            await self._audit.append("refused", None, key_id, told)
        except SQLAlchemyError:
            log.exception("a refusal could not be entered in the audit")

    async def _take_on(self, asked: CallRequest, origin: Origin) -> Call:
        now = utc_now()
        candidate, live = await self._considered(asked, origin, now)
        call = candidate.call
        try:
            verdict = await self._store.transact(partial(self._desk.admit, candidate, now))
        except BaseException:
            self._desk.slots.release(call.id)
            raise
        match verdict:
            case Known(call_id=call_id):
                return await self._store.get(call_id)
            case CallError():
                raise verdict
            case Admitted():
                await self._set_out(live, verdict)
                return call

    async def _set_out(self, live: Live, admitted: Admitted) -> None:
        """Dial at once, or leave it to the queue. The call exists: nothing here may fail."""
        call_id = live.record.id
        self._send(admitted.deliveries)
        if admitted.at_once:
            self._store.begin_log(admitted.event)
            live.withdrawn = self._draining
            self.attempts.begin(live, admitted=True)
            self._insist(partial(self.durable.begin, call_id))
        else:
            due = live.claim.due
            self._insist(partial(self.durable.enqueue, call_id, due))

    # What DBOS asks for (`durable.Worker`)

    async def carry_out(self, call_id: str) -> float | None:
        """Take a call as far as it goes; returns when to go on, in Unix seconds."""
        if self._draining:
            await asyncio.Event().wait()  # until this process ends; the next goes on
        going_on = self.attempts.live.get(call_id)
        if going_on is not None and going_on.task is not None:
            return await asyncio.shield(going_on.task)
        try:
            call = await self._store.get(call_id)
        except CallNotFound:
            return None
        if call.status == "ended":
            return None
        due = await self._closing.due_at(call_id)
        if due is not None and due > utc_now():
            return due.timestamp()
        return await self._go_on(call)

    async def _go_on(self, call: Call) -> float | None:
        await self._store.open_log(call.id)
        try:
            asked = await self._store.request(call.id)
            prepared = await self._preparation.again(asked, call.deployment_id)
            live = self._live(call, prepared)
        except Exception:
            log.exception("%s: what was asked can no longer be done", call.id)
            await self._closing.abandon(call, "engine_error")
            return None
        try:
            return await asyncio.shield(asyncio.ensure_future(self.attempts.take_up(live)))
        except asyncio.CancelledError:
            raise
        except Exception:
            log.exception("%s: it could not be carried out", call.id)
            await self._closing.abandon(call, "engine_error")
            return None

    async def deliver(self, delivery_id: str) -> float | None:
        """Try once to deliver a webhook."""
        return await self._deliveries.deliver(delivery_id)

    # What clients ask for

    async def act(self, call_id: str, action: str, arguments: Mapping[str, object]) -> None:
        """Do something to a call. Raises `CallNotFound` and `ActionRefused`."""
        live = self.attempts.live.get(call_id)
        if action in ("hang_up", "cancel"):
            await self._end(call_id, live, action)
        elif live is None or live.stage != "dialling":
            await self._elsewhere(call_id, action, arguments)
        else:
            denial = self._dialler.act(call_id, action, arguments)
            if denial is not None:
                raise ActionRefused(denial.detail, denial.code)

    def hang_up(self, call_id: str) -> bool:
        """End a call that is live on this node; False where none is."""
        live = self.attempts.live.get(call_id)
        return live is not None and self._hang_up(live)

    async def replay(self, delivery_id: str) -> bool:
        """Deliver again what was given up; False where there is nothing of it."""
        if not await self._deliveries.revive(delivery_id):
            return False
        await self.durable.send(delivery_id, run=_again())
        return True

    def _hang_up(self, live: Live) -> bool:
        live.hung_up = True
        if live.stage == "dialling":
            return self._dialler.hang_up(live.record.id)
        if live.stage == "over":
            return False
        self.attempts.withdraw(live)
        return True

    async def _end(self, call_id: str, live: Live | None, action: str) -> None:
        if live is not None and action == "cancel" and live.stage == "dialling":
            raise ActionRefused("the call is being made; hang it up instead")
        taken_back = live is not None and live.withdrawn  # and may be closed by now
        if live is not None and not taken_back and self._hang_up(live):
            return
        call = await self._store.get(call_id)
        if taken_back and call.status != "ended":
            return
        if call.status == "ended" or await self.attempts.is_dialled(call):
            await self._elsewhere(call_id, action, {})
            return
        prepared = await self._preparation.again(
            await self._store.request(call_id), call.deployment_id
        )
        await self.attempts.cancel(self._live(call, prepared))

    async def _elsewhere(self, call_id: str, action: str, arguments: Mapping[str, object]) -> None:
        """Pass an action on to the node that the call lives on. Raises `ActionRefused`."""
        call = await self._store.get(call_id)
        node_id = await self._store.node_of(call_id)
        mine = node_id in (None, self.durable.node_id)
        if call.status == "ended" or mine or not await self._neighbours.is_alive(str(node_id)):
            raise ActionRefused(f"the call is {call.status}; it must be going on for this")
        await self._neighbours.order(str(node_id), call_id, action, arguments)

    # The node's beginning and end

    async def recover(self) -> int:
        """Let go of whoever was on the line when the node last stopped, and take up every call.

        Returns how many lines were up. To be called once the workflows have been started.
        """
        async with self._store.engine.connect() as connection:
            left = await dials.left_open(connection, self.durable.node_id)
        left = tuple(one for one in left if one.call_id not in self.attempts.live)
        for one in left:
            self.attempts.release(one)
        await self._take_up_orphans()
        return len(left)

    async def join(self) -> None:
        """Work beside other nodes on the same PostgreSQL database."""
        await self._neighbours.join(self.act, self._take_over, self._let_go)

    async def _take_over(self, node_id: str) -> None:
        """Go on with what a dead node left."""
        await self.durable.take_over(node_id)
        await self._take_up_orphans()

    def _let_go(self) -> None:
        """End every call here: others have closed its record."""
        for live in list(self.attempts.live.values()):
            self._hang_up(live)

    async def _take_up_orphans(self) -> None:
        """Begin what was committed but has no workflow: its node died in between."""
        unfinished = await self._store.unfinished()
        # What has just been committed here is live, or under way, only when `place` returns.
        await asyncio.gather(*self._placing, return_exceptions=True)
        cared_for = await self.durable.under_way()
        for call_id in unfinished:
            if call_id not in cared_for and call_id not in self.attempts.live:
                await self.durable.begin(call_id, run=_again())
        for delivery_id in await self._deliveries.pending():
            if delivery_id not in cared_for:
                await self.durable.send(delivery_id)

    async def drain(self, timeout_s: float) -> None:
        """Take no more calls, hang up those that are going on, and wait for their records.

        Calls that wait go on at the next start, as does what has not ended in time.
        """
        self._draining = True
        await self._neighbours.leave()
        await asyncio.gather(*self._placing, return_exceptions=True)
        for live in list(self.attempts.live.values()):
            if live.stage == "waiting":
                self.attempts.leave(live)
            elif self._hang_up(live):
                warnings = (*live.record.warnings, NODE_STOPPING)
                live.record = live.record.model_copy(update={"warnings": warnings})
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self.attempts.idle()
        late = [live.task for live in self.attempts.live.values() if live.task is not None]
        late += self._errands
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    def _live(self, call: Call, prepared: Prepared) -> Live:
        due = call.scheduled_at or call.created_at
        numbers = prepared.terms.parties
        claim = Claim(call.id, numbers, call.key_id, call.deployment_id, due.timestamp())
        terms = prepared.terms
        subscriptions = self._deliveries.subscriptions(
            call.id, terms.webhooks, lambda record: self._render(record, terms)
        )
        return Live(call, prepared, claim, subscriptions)

    def _send(self, delivery_ids: Sequence[str]) -> None:
        for delivery_id in delivery_ids:
            self._insist(partial(self.durable.send, delivery_id))

    def _insist(self, errand: Errand) -> None:
        """Have a workflow begun in the background; where it fails, again and again.

        A crash before it has worked is made good by `recover`.
        """
        task = asyncio.create_task(_until_done(errand))
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)


def _plan(prepared: Prepared) -> Plan:
    """What the call is to come to, by rules: a model would keep the callee's phone silent."""
    return Plan(**asdict(plan_by_rules(prepared.task, len(prepared.terms.parties))))


async def _until_done(errand: Errand) -> None:
    while True:
        try:
            await errand()
        except Exception:
            log.exception("a workflow could not be begun")
            await asyncio.sleep(INSIST_S)
        else:
            return


def _again() -> str:
    """A name for a workflow about something that had one before."""
    return f"again-{time.time_ns()}"
