"""What follows an attempt: another one later, or the final record.

Each step looks first how far the call has come, so that it may be done again after a crash.
"""

import asyncio
import logging
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from pipeline.analysis import Analysis, analyse
from pipeline.task import Task
from server.calls import dials
from server.calls.audit import AuditLog
from server.calls.conversation import Conversation
from server.calls.costs import Usage, bill_of, costed, providers_of, usage_of
from server.calls.events import CallEvent, rfc3339, utc_now
from server.calls.feed import EventFeed
from server.calls.ledger import Ledger
from server.calls.model import Call, EndedReason
from server.calls.preparation import Prepared
from server.calls.record import abandoned, concluded, postponed
from server.calls.redaction import redacted
from server.calls.request import RetryRequest
from server.calls.schema import calls, spending
from server.calls.store import CallStore, Owed, nobody
from server.calls.terms import CallTerms
from server.calls.webhooks.deliveries import owed_by
from server.calls.webhooks.subscriptions import Subscription
from server.calls.writer import write_all
from server.settings import Settings

log = logging.getLogger(__name__)

RETRIED = {
    "dial_busy": "busy",
    "dial_no_answer": "no_answer",
    "voicemail_reached": "voicemail",
    "dial_failed": "failed",
}
"""How an attempt ended, and what a request calls that in `retry.on`."""
NEVER_SURE = ("node_lost", "canceled")
"""Whether such a call was dialled at all, only its record knows."""
WRITE_ATTEMPTS = 5
WRITE_RETRY_S = 0.5


def retry_at(
    retry: RetryRequest, attempt: int, reason: EndedReason, now: datetime
) -> datetime | None:
    """When to dial again, if at all."""
    if attempt >= retry.attempts or RETRIED.get(reason) not in retry.on:
        return None
    return now + timedelta(seconds=retry.delay_s)


class Closing:
    """Writes what became of calls, and tells those who listen."""

    def __init__(
        self, store: CallStore, feed: EventFeed, audit: AuditLog, settings: Settings
    ) -> None:
        self._store, self._feed = store, feed
        self._audit, self._settings = audit, settings
        self._ledger = Ledger(store, settings.costs)

    async def postpone(
        self,
        call: Call,
        due: datetime,
        because: str,
        subscriptions: tuple[Subscription, ...] = (),
        *,
        attempt: int | None = None,
    ) -> float:
        """Have the call dialled at another time; returns it in Unix seconds."""
        record = postponed(call, due, attempt or call.attempt, utc_now())
        data = {"scheduled_at": rfc3339(due), "attempt": record.attempt, "because": because}
        event = self._store.append_event(
            call.id, "status", {"status": record.status, **data}, owed_by(subscriptions, record)
        )

        async def write(connection: AsyncConnection) -> None:
            await write_all(connection, [record])
            mine = update(calls).where(calls.c.id == call.id)
            await connection.execute(mine.values(scheduled_at=rfc3339(due), node_id=None))

        await self._store.transact(write)
        self._store.close_log(call.id)
        if event is not None:
            self._feed.publish(event)
        return due.timestamp()

    async def conclude(
        self,
        call: Call,
        prepared: Prepared,
        conversation: Conversation,
        subscriptions: tuple[Subscription, ...] = (),
    ) -> None:
        """Judge what was said, and write the final record. Never raises."""
        redact = self.redacts(prepared.terms)
        try:
            verdict = _verdict(prepared.task, conversation)
            record = concluded(call, conversation, verdict, utc_now())
            if conversation.ended_reason in NEVER_SURE:
                record = record.model_copy(update={"started_at": call.started_at})
            record = await self._priced(record, conversation, prepared.terms)
            record = redacted(record) if redact else record
            await self._deliver(record, conversation, owed_by(subscriptions, record))
        except Exception:
            log.exception("%s: its record could not be completed", call.id)
            await self.abandon(call, "engine_error", subscriptions, redact=redact)

    async def abandon(
        self,
        call: Call,
        reason: EndedReason,
        subscriptions: tuple[Subscription, ...] = (),
        *,
        redact: bool = True,
    ) -> None:
        """Close a call of which nothing more is known. Whatever fails, its listeners are told.

        redact: to be on the safe side where its terms are not known either.
        """
        record = abandoned(call, reason, utc_now())
        try:
            record = redacted(record) if redact else record
            await self._deliver(record, None, owed_by(subscriptions, record))
        except Exception:
            log.exception("%s: the final record is lost", call.id)
            self._feed.publish(self._store.give_up(call.id, _last_words(record)))

    def redacts(self, terms: CallTerms) -> bool:
        """Whether card numbers and e-mail addresses are kept out of what is written of a call."""
        return terms.redact or self._settings.retention.redact

    async def due_at(self, call_id: str) -> datetime | None:
        """When the call is to be dialled; None for at once."""
        query = select(calls.c.scheduled_at).where(calls.c.id == call_id)
        async with self._store.engine.connect() as connection:
            due = (await connection.execute(query)).scalar_one_or_none()
        return datetime.fromisoformat(due) if due is not None else None

    async def _deliver(
        self, record: Call, conversation: Conversation | None, owed: Owed = nobody
    ) -> None:
        """Commit the final record and tell the listeners; insists while the database fails.

        Raises SQLAlchemyError where that does not help, and whatever is wrong with the record.
        """
        recording = conversation.recording if conversation else None
        conclude = partial(
            self._store.conclude,
            record,
            _last_words(record),
            recording,
            analysis=_findings(record),
            owed=owed,
            beside=partial(self._enter, record),
        )
        for attempt in range(1, WRITE_ATTEMPTS + 1):
            try:
                events: tuple[CallEvent, ...] = await conclude()
            except SQLAlchemyError as error:
                log.warning("%s: %s while closing the record", record.id, type(error).__name__)
                if attempt == WRITE_ATTEMPTS:
                    raise
                await asyncio.sleep(WRITE_RETRY_S * attempt)
            else:
                for event in events:
                    self._feed.publish(event)
                log.info("%s ended: %s", record.id, record.ended_reason)
                if events:
                    await self._credit(record)
                return

    async def _priced(self, record: Call, conversation: Conversation, terms: CallTerms) -> Call:
        """The record with what all its attempts cost."""
        usage = usage_of(record, spoken_characters=conversation.spoken_characters)
        for attempt in range(1, record.attempt):
            usage += await self._used(record, attempt)
        trunk = self._settings.trunk
        providers = providers_of(terms, trunk.name if trunk else None)
        return costed(record, bill_of(usage, self._settings.costs), providers)

    async def _used(self, record: Call, attempt: int) -> Usage:
        """What an earlier attempt used up; its conversation is kept until the call is over."""
        async with self._store.engine.connect() as connection:
            known = await dials.read(connection, record.id, attempt)
        if known is None or known.conversation is None:
            return Usage()
        nothing = Analysis("", success=False, disposition="")
        then = concluded(record, known.conversation, nothing, record.updated_at)
        return usage_of(then, spoken_characters=known.conversation.spoken_characters)

    async def _credit(self, record: Call) -> None:
        """Give whoever paid back what the call did not cost."""
        try:
            await self._ledger.settle(record, utc_now())
        except SQLAlchemyError:
            log.exception("%s: to be settled at the next start", record.id)

    async def _enter(self, record: Call, connection: AsyncConnection) -> None:
        """What a call cost replaces what was reserved; its end goes into the audit."""
        mine = update(spending).where(spending.c.call_id == record.id)
        await connection.execute(mine.values(cents=record.cost_cents or 0.0, settled=True))
        told: dict[str, object] = {"ended_reason": record.ended_reason}
        told |= {"duration_s": record.duration_s}
        told |= {"attempts": record.attempt, "cost_cents": record.cost_cents}
        if record.ended_reason == "canceled":
            told["warnings"] = list(record.warnings)
        await self._audit.append_in(connection, "ended", record.id, record.key_id, told)


def _verdict(task: Task, conversation: Conversation) -> Analysis:
    return analyse(
        task,
        conversation.messages,
        ended_reason=conversation.ended_reason,
        answered_by=conversation.answered_by,
    )


def _findings(record: Call) -> dict[str, object] | None:
    """The data of `call.analyzed`; None where nothing was analysed."""
    if record.outcome is None:
        return None
    return {
        "success": record.outcome.success,
        "summary": record.summary,
        "criteria": [one.model_dump(mode="json") for one in record.outcome.criteria],
    }


def _last_words(record: Call) -> dict[str, object]:
    """The data of the last event."""
    return {
        "status": record.status,
        "ended_reason": record.ended_reason,
        "sip_status": record.sip_status,
        "duration_s": record.duration_s,
        "success": record.outcome.success if record.outcome else None,
    }
