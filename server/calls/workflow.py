"""One call from the request to the record: admit, dial, converse, analyse, deliver.

Stands after the API, before the node that dials. Each call is an asyncio task; its record
is durable, the live call is not and is never replayed: one that was cut short by a crash is
closed as `node_lost` and not dialled again.
"""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, Protocol

from sqlalchemy.exc import SQLAlchemyError

from pipeline.analysis import Analysis, analyse
from pipeline.playbook import Playbook
from pipeline.task import Task
from server.calls.admission import admit
from server.calls.brief import brief
from server.calls.conversation import Conversation, Report
from server.calls.errors import Draining
from server.calls.events import utc_now
from server.calls.feed import EventFeed
from server.calls.ids import new_call_id
from server.calls.model import Call, EndedReason, Status
from server.calls.record import abandoned, concluded, dialled, progressed, queued
from server.calls.request import CallRequest
from server.calls.salvage import salvaged
from server.calls.store import CallStore
from server.calls.terms import CallTerms, terms
from server.settings import Settings

log = logging.getLogger(__name__)

PROGRESS: tuple[Status, ...] = ("ringing", "in-progress", "transferring")
NODE_STOPPING = "node-stopping"
"""The warning on calls that were hung up or withdrawn because the node was stopped."""
WRITE_ATTEMPTS = 5
WRITE_RETRY_S = 0.5


class Dialler(Protocol):
    """The node, as far as a workflow knows it."""

    async def converse(
        self, call_id: str, request: CallTerms, task: Task, report: Report
    ) -> Conversation:
        """Dial, talk, hang up. `report` takes `status`, `transcript.final` and the like."""

    def hang_up(self, call_id: str) -> bool:
        """End a call that is ringing or going on; False where there is none."""


@dataclass(slots=True)
class Placed:
    """A call that this node is working on."""

    record: Call
    request: CallTerms
    brief: Task
    stage: Literal["taken", "waiting", "dialling"] = "taken"
    """Taken: its record is being written. Waiting: the node has as many calls as it may."""
    withdrawn: bool = False
    """Hung up by the client before it was dialled."""
    task: "asyncio.Task[None] | None" = field(default=None, repr=False)


class CallWorkflow:
    """Every call of this node, each carried out by a task of its own."""

    def __init__(
        self, store: CallStore, dialler: Dialler, settings: Settings, playbook: Playbook
    ) -> None:
        self.feed = EventFeed()
        self._store = store
        self._dialler = dialler
        self._settings = settings
        self._playbook = playbook
        self._slots = asyncio.Semaphore(settings.calls_at_once)
        self._live: dict[str, Placed] = {}
        self._idle = asyncio.Event()
        self._idle.set()
        self._draining = False

    async def place(self, asked: CallRequest) -> Call:
        """Take a call on; when this returns, its record is durable and it is being dialled.

        Raises `Refused` and `Draining`.
        """
        if self._draining:
            raise Draining
        admit(asked, self._settings)
        request = terms(asked, self._settings)
        task, warnings = brief(request, self._playbook)
        call = queued(new_call_id(), request, warnings, utc_now())
        live = Placed(call, request, task)
        self._live[call.id] = live
        self._idle.clear()
        try:
            await self._store.create(call, asked)
        except BaseException:
            self._forget(live)
            raise
        live.task = asyncio.create_task(self._carry_out(live), name=call.id)
        return call

    def hang_up(self, call_id: str) -> bool:
        """End a call in whatever state it is; False where it is over."""
        live = self._live.get(call_id)
        if live is None:
            return False
        if live.stage == "dialling":
            return self._dialler.hang_up(call_id)
        if live.stage == "waiting" and live.task is not None and not live.withdrawn:
            live.task.cancel()
        live.withdrawn = True
        return True

    async def recover(self) -> int:
        """Close what was going on when the node last stopped. Returns how many there were.

        What was said until then is judged like any other call.
        """
        left = await self._store.unfinished()
        for call in left:
            try:
                await self._salvage(call)
            except Exception:
                log.exception("%s: what was said is only in its events", call.id)
                await self._abandon(call, "node_lost")
        return len(left)

    async def drain(self, timeout_s: float) -> None:
        """Take no more calls, hang up those that are going on, and wait for their records.

        What has not ended within `timeout_s` is left to `recover` at the next start.
        """
        self._draining = True
        for call_id, live in list(self._live.items()):
            if self.hang_up(call_id):
                warnings = (*live.record.warnings, NODE_STOPPING)
                live.record = live.record.model_copy(update={"warnings": warnings})
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._idle.wait()
        late = [live.task for live in self._live.values() if live.task is not None]
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def _carry_out(self, live: Placed) -> None:
        try:
            conversation = await self._converse(live)
            record = concluded(
                live.record, conversation, _verdict(live.brief, conversation), utc_now()
            )
            await self._deliver(record, conversation)
        except Exception:
            log.exception("%s: its record could not be completed", live.record.id)
            await self._abandon(live.record, "engine_error")
        finally:
            self._forget(live)

    async def _converse(self, live: Placed) -> Conversation:
        begun = utc_now()
        reason: EndedReason = "canceled"
        if live.withdrawn:
            return Conversation(ended_reason=reason, started_at=begun, ended_at=begun)
        try:
            live.stage = "waiting"
            async with self._slots:
                live.stage = "dialling"
                live.record = dialled(live.record, utc_now())
                return await self._dialler.converse(
                    live.record.id, live.request, live.brief, partial(self._report, live)
                )
        except asyncio.CancelledError:
            if not live.withdrawn or live.task is None:
                raise
            live.task.uncancel()
        except Exception:
            log.exception("%s: the conversation failed", live.record.id)
            reason = "engine_error"
        return Conversation(ended_reason=reason, started_at=begun, ended_at=utc_now())

    async def _deliver(self, record: Call, conversation: Conversation | None = None) -> None:
        """Commit the final record and tell the listeners; insists while the database fails.

        Raises SQLAlchemyError where that does not help, and whatever is wrong with the record.
        """
        recording = conversation.recording if conversation else None
        for attempt in range(1, WRITE_ATTEMPTS + 1):
            try:
                event = await self._store.conclude(record, _last_words(record), recording)
            except SQLAlchemyError as error:
                log.warning("%s: %s while closing the record", record.id, type(error).__name__)
                if attempt == WRITE_ATTEMPTS:
                    raise
                await asyncio.sleep(WRITE_RETRY_S * attempt)
            else:
                self.feed.publish(event)
                log.info("%s ended: %s", record.id, record.ended_reason)
                return

    async def _salvage(self, call: Call) -> None:
        """Close a call that went down with the node. Raises whatever keeps it from being judged."""
        request = terms(await self._store.request(call.id), self._settings)
        task, _ = brief(request, self._playbook)
        path = self._settings.data.recording_of(call.id)
        recording = path if await asyncio.to_thread(path.is_file) else None
        conversation = salvaged(call, await self._store.events_after(call.id), recording)
        record = concluded(call, conversation, _verdict(task, conversation), utc_now())
        record = record.model_copy(update={"started_at": call.started_at})
        await self._deliver(record, conversation)

    async def _abandon(self, call: Call, reason: EndedReason) -> None:
        """Close a call of which nothing more is known. Whatever fails, its listeners are told."""
        record = abandoned(call, reason, utc_now())
        try:
            await self._deliver(record)
        except Exception:
            log.exception("%s: the final record is lost", call.id)
            self.feed.publish(self._store.give_up(call.id, _last_words(record)))

    def _report(self, live: Placed, kind: str, data: Mapping[str, object]) -> None:
        """Keep and publish one event of a call that is going on; a status only where it changes."""
        status = next((s for s in PROGRESS if kind == "status" and s == data.get("status")), None)
        if status is not None and status == live.record.status:
            return
        event = self._store.append_event(live.record.id, kind, data)
        if status is not None:
            live.record = progressed(live.record, status, utc_now())
            self._store.update(live.record)
        if event is not None:
            self.feed.publish(event)

    def _forget(self, live: Placed) -> None:
        del self._live[live.record.id]
        if not self._live:
            self._idle.set()


def _verdict(task: Task, conversation: Conversation) -> Analysis:
    return analyse(
        task,
        conversation.messages,
        ended_reason=conversation.ended_reason,
        answered_by=conversation.answered_by,
    )


def _last_words(record: Call) -> dict[str, object]:
    """The data of the last event."""
    return {
        "status": record.status,
        "ended_reason": record.ended_reason,
        "sip_status": record.sip_status,
        "duration_s": record.duration_s,
        "success": record.outcome.success if record.outcome else None,
    }
