"""One attempt to reach somebody, on the node's loop: wait for a place, dial, converse, keep.

Stands between the workflows, which ask for it as often as they must, and the node, which is
asked once: before an INVITE goes out its row is committed, and a row that is found is never
dialled again.
"""

import asyncio
import logging
import time
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Literal, Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from pipeline.task import Task
from server.calls import dials
from server.calls.admission import Desk
from server.calls.closing import Closing, retry_at
from server.calls.conversation import Conversation, Report
from server.calls.errors import ActionRefused, CallError
from server.calls.events import utc_now
from server.calls.feed import EventFeed
from server.calls.model import Call, Status
from server.calls.neighbours import Neighbours
from server.calls.policy.errors import PolicyError
from server.calls.preparation import Prepared
from server.calls.record import dialled, progressed
from server.calls.redaction import redact_json
from server.calls.rules import check_party, in_hours
from server.calls.salvage import salvaged
from server.calls.slots import Claim
from server.calls.store import CallStore
from server.calls.terms import CallTerms
from server.calls.webhooks.deliveries import owed_by
from server.calls.webhooks.subscriptions import Subscription
from server.settings import Settings

log = logging.getLogger(__name__)

Work = Coroutine[Any, Any, float | None]
"""Gives when to go on, in Unix seconds; None at the end."""
PROGRESS: tuple[Status, ...] = ("queued", "ringing", "in-progress", "transferring")
SPOKEN = ("transcript.", "reply", "tool.")
"""Events that tell what was said."""
OUTSIDE_HOURS = "outside-calling-hours"
DO_NOT_CALL = "do-not-call"
NOT_ALLOWED = "destination-not-allowed"
ELSEWHERE_RETRY_S = 5.0
BUSY_RETRY_S = 1.0
"""How often a call looks whether a limit that calls of other nodes take up is free again."""


class Dialler(Protocol):
    """The node, as far as a call knows it."""

    async def converse(
        self, call_id: str, request: CallTerms, task: Task, report: Report
    ) -> Conversation:
        """Dial, talk, hang up. `report` takes `status`, `transcript.final` and the like."""

    async def engines_for(self, request: CallTerms) -> object:
        """The engines as a call wants them.

        Raises ValueError for what they do not have, and RuntimeError where one is down.
        """

    def hang_up(self, call_id: str) -> bool:
        """End a call that is ringing or going on; False where there is none."""

    def act(self, call_id: str, action: str, arguments: Mapping[str, object]) -> "Denial | None":
        """Do something to a call that is going on, or say why not."""

    def dialog(self, call_id: str) -> str | None:
        """What it takes to hang up after a crash; None where nobody has answered."""

    def release(self, dialog: str) -> None:
        """Hang up what a node that is gone left behind."""


class Denial(Protocol):
    """Why something was not done."""

    @property
    def code(self) -> str:
        """For programs."""

    @property
    def detail(self) -> str:
        """For people."""


@dataclass(slots=True)
class Live:
    """A call that this node is working on."""

    record: Call
    prepared: Prepared
    claim: Claim
    subscriptions: tuple[Subscription, ...] = ()
    stage: Literal["taken", "waiting", "dialling", "over"] = "taken"
    """Waiting: it stands in line for a place."""
    withdrawn: bool = False
    """Hung up by the client before it was dialled."""
    hung_up: bool = False
    task: "asyncio.Task[float | None] | None" = field(default=None, repr=False)


class Attempts:
    """The attempts of this node."""

    def __init__(
        self,
        store: CallStore,
        dialler: Dialler,
        settings: Settings,
        feed: EventFeed,
        closing: Closing,
        desk: Desk,
        neighbours: Neighbours,
    ) -> None:
        self._store, self._dialler, self._settings = store, dialler, settings
        self._feed, self._closing = feed, closing
        self._desk, self._slots, self._neighbours = desk, desk.slots, neighbours
        self.live: dict[str, Live] = {}
        self._idle = asyncio.Event()
        self._idle.set()
        self._released: set[str] = set()
        """The dialogs of nodes that are gone, once their BYE is out."""

    def begin(self, live: Live, *, admitted: bool = False) -> "asyncio.Task[float | None]":
        """Work on a call until it is over or due again; the task returns when that is.

        admitted: it has its place and its row, and is dialled at once.
        """
        self.live[live.record.id] = live
        self._idle.clear()
        work = self._dial(live) if admitted else self._wait_and_dial(live)
        live.task = asyncio.create_task(self._until_over(live, work), name=live.record.id)
        return live.task

    @property
    def waiting(self) -> int:
        """How many calls stand in line here."""
        return self._slots.waiting

    async def idle(self) -> None:
        """Wait until there is no call."""
        await self._idle.wait()

    async def take_up(self, live: Live) -> float | None:
        """Go on with an attempt that was begun, here or elsewhere, before a crash."""
        known = await self.known(live)
        if known is None:
            self._report(live, "status", {"status": "queued"})
            return await self.begin(live)
        if known.conversation is None:
            if await self._is_elsewhere(known):
                return time.time() + ELSEWHERE_RETRY_S
            known = await self.salvage(live, known)
        assert known.conversation is not None
        return await self._settle(live, known.conversation)

    async def known(self, live: Live) -> dials.Dialled | None:
        """What is known of the attempt that is due; None where it was not dialled."""
        async with self._store.engine.connect() as connection:
            return await dials.read(connection, live.record.id, live.record.attempt)

    async def is_dialled(self, call: Call) -> bool:
        """Whether the attempt that is due was begun, here or elsewhere."""
        async with self._store.engine.connect() as connection:
            return await dials.read(connection, call.id, call.attempt) is not None

    async def _is_elsewhere(self, known: dials.Dialled) -> bool:
        """Whether the call lives on another node: it is not ours to close."""
        mine = known.node_id == self._desk.node_id
        return not mine and await self._neighbours.is_alive(known.node_id)

    async def salvage(self, live: Live, known: dials.Dialled) -> dials.Dialled:
        """Close an attempt that went down with its node, and let the other party go."""
        self.release(known)
        call = live.record
        path = self._settings.data.recording_of(call.id)
        recording = path if await asyncio.to_thread(path.is_file) else None
        try:
            found = salvaged(call, await self._store.events_after(call.id), recording)
        except Exception:
            log.exception("%s: what was said is only in its events", call.id)
            found = Conversation("node_lost", call.started_at or call.created_at, utc_now())
        await self._keep(live, found)
        return dials.Dialled(call.id, call.attempt, known.node_id, None, found, is_over=True)

    def release(self, left: dials.Dialled) -> None:
        """Let the other party of an attempt go that went down with its node; once."""
        if left.dialog is not None and left.dialog not in self._released:
            self._released.add(left.dialog)
            self._dialler.release(left.dialog)

    def withdraw(self, live: Live) -> None:
        """Have a call that is not dialled yet end as canceled."""
        live.withdrawn = True
        if live.stage == "waiting" and live.task is not None:
            live.task.cancel()

    def leave(self, live: Live) -> None:
        """Leave a call that waits to the next start of the node, or to another one."""
        if live.task is not None:
            live.task.cancel()

    async def cancel(self, live: Live) -> None:
        """End a call that nobody works on. Raises `ActionRefused` where it was dialled."""
        if await self.known(live) is not None:
            raise ActionRefused("the call is being made")
        await self._canceled(live)

    # One attempt

    async def _until_over(self, live: Live, work: Work) -> float | None:
        try:
            return await work
        finally:
            live.stage = "over"
            self._slots.release(live.record.id)
            self.live.pop(live.record.id, None)
            if not self.live:
                self._idle.set()

    async def _wait_and_dial(self, live: Live) -> float | None:
        """Wait for a place, then for the right to dial."""
        while True:
            if not await self._stood_in_line(live):
                await self._canceled(live)
                return None
            objection, due = self._objection(live), self._due(live)
            if objection is not None:
                await self._canceled(live, objection)
                return None
            if due is None or due > utc_now():
                return await self._postponed(live, due)
            match await self._begun(live):
                case "begun":
                    return await self._dial(live)
                case "unwanted":
                    await self._canceled(live, DO_NOT_CALL)
                    return None
                case "over":
                    return None
                case "dialled before":  # another node was faster
                    return None
                case "busy":
                    self._slots.release(live.record.id)
                    await asyncio.sleep(BUSY_RETRY_S)

    async def _stood_in_line(self, live: Live) -> bool:
        """Wait for a place; False where the client took the call back."""
        try:
            live.stage = "waiting"
            await self._slots.wait(live.claim)
        except asyncio.CancelledError:
            if not live.withdrawn or live.task is None:
                raise
            live.task.uncancel()
        finally:
            live.stage = "taken"
        return not live.withdrawn

    async def _begun(self, live: Live) -> dials.Begun | Literal["unwanted"]:
        return await self._store.transact(
            partial(self._desk.begin, live.claim, live.record, utc_now())
        )

    def _objection(self, live: Live) -> str | None:
        """Why settings that have changed since do not let us call there any more."""
        prepared = live.prepared
        try:
            check_party(prepared.terms, prepared.deployment, self._settings)
        except PolicyError as error:
            return error.code.replace("_", "-")
        except CallError:
            return NOT_ALLOWED
        return None

    def _due(self, live: Live) -> datetime | None:
        """When the callee may be called; None where that is refused by now."""
        try:
            return in_hours(live.prepared.terms, self._settings, utc_now())
        except (CallError, PolicyError):
            return None

    async def _postponed(self, live: Live, due: datetime | None) -> float | None:
        """Dial when the hours allow it, or not at all."""
        if due is None:
            await self._canceled(live, OUTSIDE_HOURS)
            return None
        return await self._closing.postpone(live.record, due, OUTSIDE_HOURS, live.subscriptions)

    async def _dial(self, live: Live) -> float | None:
        begun = utc_now()
        if live.withdrawn:
            conversation = Conversation("canceled", begun, begun)
        else:
            live.stage = "dialling"
            live.record = dialled(live.record, begun)
            conversation = await self._converse(live)
        kept = await self._keep(live, conversation)
        return await self._settle(live, kept)

    async def _converse(self, live: Live) -> Conversation:
        begun = utc_now()
        terms, task = live.prepared.terms, live.prepared.task
        try:
            return await self._dialler.converse(
                live.record.id, terms, task, partial(self._report, live)
            )
        except Exception:
            log.exception("%s: the conversation failed", live.record.id)
            return Conversation("engine_error", begun, utc_now())

    async def _keep(self, live: Live, conversation: Conversation) -> Conversation:
        """Commit what came of the attempt; it is never dialled again, whatever happens now."""
        call = live.record
        try:
            text = dials.encode(conversation)
        except ValueError:
            log.exception("%s: what came of it is no text", call.id)
            conversation = Conversation(
                "engine_error", conversation.started_at, conversation.ended_at
            )
            text = dials.encode(conversation)

        async def write(connection: AsyncConnection) -> None:
            await dials.keep_conversation(connection, call.id, call.attempt, text, utc_now())

        try:
            await self._store.transact(write)
        except Exception:  # the record is written next, and insists
            log.exception("%s: the attempt could not be closed", call.id)
        self._slots.release(call.id)
        return conversation

    async def _settle(self, live: Live, conversation: Conversation) -> float | None:
        """Dial again later, or write the final record."""
        call, terms = live.record, live.prepared.terms
        reason = conversation.ended_reason
        again = None if live.hung_up else retry_at(terms.retry, call.attempt, reason, utc_now())
        if again is not None:
            next_one = call.attempt + 1
            return await self._closing.postpone(
                call, again, reason, live.subscriptions, attempt=next_one
            )
        await self._closing.conclude(call, live.prepared, conversation, live.subscriptions)
        return None

    async def _canceled(self, live: Live, *warnings: str) -> None:
        """Close a call that was never dialled."""
        now = utc_now()
        conversation = Conversation("canceled", now, now, warnings=warnings)
        record = live.record
        await self._closing.conclude(record, live.prepared, conversation, live.subscriptions)

    def _report(self, live: Live, kind: str, data: Mapping[str, object]) -> None:
        """Keep and publish one event of a call that is going on; a status only where it changes."""
        status = next((s for s in PROGRESS if kind == "status" and s == data.get("status")), None)
        if status is not None and status == live.record.status:
            return
        if status is not None:
            live.record = progressed(live.record, status, utc_now())
        if kind.startswith(SPOKEN) and self._closing.redacts(live.prepared.terms):
            data = redact_json(data)
        owed = owed_by(live.subscriptions, live.record)
        event = self._store.append_event(live.record.id, kind, data, owed)
        if status is not None:
            self._store.update(live.record)
        if event is not None:
            self._feed.publish(event)
        if status == "in-progress":
            self._keep_dialog(live)

    def _keep_dialog(self, live: Live) -> None:
        dialog = self._dialler.dialog(live.record.id)
        if dialog is not None:
            call = live.record
            self._store.keep_dialog(call.id, call.attempt, dialog)
