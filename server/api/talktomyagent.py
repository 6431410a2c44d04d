"""TalkToMyAgent: `POST /v1/voice/calls`."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Annotated, Final

from aiohttp import web
from pydantic import Field, JsonValue, model_validator

from pipeline.task import CALLEE_KEYS
from server.api.errors import Problem
from server.api.operation import HeaderField, Operation, Reply
from server.api.origins import IDEMPOTENCY_KEY, NO_DEPLOYMENT, idempotency_key
from server.api.switchboard import Switchboard
from server.api.wire import Answer, Wire, answer, checked, unknown_fields
from server.calls.events import LAST_EVENT
from server.calls.feed import follow
from server.calls.fields import Fact, LongText, Number, ShortText
from server.calls.model import Call
from server.calls.request import MAX_FACTS, CallRequest

FACE: Final = "TalkToMyAgent"
DIAL_WATCH_S = 1.0
"""How long an answer waits for the first sign of the dial, so that one which fails at once
is a 502; most calls ring before."""
DIAL_FAILURES = frozenset({"dial_failed", "engine_error"})
OF_THE_REQUEST = (
    "script-not-found",
    "playbook-not-found",
    "fact-missing:",
    "unknown-field:",
    "target-name-not-used",
)
"""Warnings that are known when a call is placed; those of the conversation come later, and a
repeated request is answered as the first one was."""

CODES: Mapping[str, tuple[int, str]] = {
    "self-call": (400, "voice-self-call"),
    "country-blocked": (403, "voice-country-blocked"),
    "rate-limited": (429, "rate-limit-exceeded"),
    "emergency-number-blocked": (400, "validation-failed"),
    "premium-number-blocked": (400, "validation-failed"),
    "satellite-number-blocked": (400, "validation-failed"),
    "content-blocked": (400, "validation-failed"),
    "prompt-injection": (400, "validation-failed"),
    "do-not-call": (400, "validation-failed"),
    "no-calling-hour": (400, "validation-failed"),
    "invalid-json": (400, "validation-failed"),
}
"""Our codes in this document's words; what is not here keeps its own."""


class Task(Wire):
    """The structured brief."""

    goal: LongText
    facts: dict[ShortText, Fact] = Field(default_factory=dict, max_length=MAX_FACTS)
    script: ShortText | None = None
    escalation: LongText | None = None


class VoiceCall(Wire):
    """A call to place. Exactly one of `task` and `purpose`."""

    from_: Annotated[Number, Field(alias="from")]
    to: Number
    target_name: Annotated[ShortText | None, Field(alias="targetName")] = None
    triggered_by: Annotated[ShortText | None, Field(alias="triggeredBy")] = None
    max_duration_secs: Annotated[int | None, Field(alias="maxDurationSecs", ge=60, le=1800)] = None
    task: Task | None = None
    purpose: LongText | None = None

    @model_validator(mode="after")
    def _one_purpose(self) -> "VoiceCall":
        if (self.task is None) == (self.purpose is None):
            raise ValueError("give exactly one of task and purpose")
        return self


class PlacedCall(Answer):
    """What came of the request."""

    call_control_id: str = Field(alias="callControlId")
    expected_dial_at: str = Field(alias="expectedDialAt")
    """UTC, RFC 3339, to the millisecond."""
    warnings: tuple[str, ...] = ()


class Placed(Answer):
    """The answer."""

    data: PlacedCall


class VoiceCalls:
    """The face's handlers."""

    def __init__(self, switchboard: Switchboard) -> None:
        self._node = switchboard

    def operations(self) -> list[Operation]:
        """What this face answers."""
        return [
            Operation(
                method="POST",
                path="/v1/voice/calls",
                handler=self.create,
                face=FACE,
                summary="Place a call with a goal, facts and a script",
                body=VoiceCall,
                examples=EXAMPLES,
                headers=(
                    HeaderField(
                        IDEMPOTENCY_KEY,
                        "The same key and body are answered alike for 24 hours.",
                        required=True,
                        pattern=r"^[!-~]{1,255}$",
                    ),
                ),
                replies={200: Reply("The call is being dialled, or will be.", Placed)},
                problems={
                    400: "`validation-failed`, `voice-self-call`",
                    403: "`voice-country-blocked`, `forbidden`",
                    404: "`not-found`: no such deployment, or not this key's",
                    409: "`voice-not-provisioned`",
                    422: "`idempotency-mismatch`",
                    429: "`rate-limit-exceeded`",
                    502: "`dial-failed`: it failed within a second",
                },
            )
        ]

    async def create(self, request: web.Request) -> web.Response:
        """Place a call: 200 once it rings, is waiting, or a second has passed."""
        idempotency_key(request, required=True)
        body = await self._node.body(request)
        wire = checked(VoiceCall, body)
        asked, odd = call_request(wire)
        warnings = (*unknown_fields(wire), *odd)
        origin = await self._node.origins.of(
            request, "talktomyagent", body, number=wire.from_, warnings=warnings
        )
        if origin.deployment is None:
            raise NO_DEPLOYMENT
        call = await self._node.calls.place(asked, origin)
        await self._check_dial(call)
        return answer(placed(call))

    async def _check_dial(self, call: Call) -> None:
        """Raises `Problem` 502 where the dial fails at once."""
        reason: object = call.ended_reason
        if call.status == "queued":
            try:
                async with asyncio.timeout(DIAL_WATCH_S):
                    reason = await self._first_sign(call.id)
            except TimeoutError:
                return
        if reason in DIAL_FAILURES:
            headers = {"Retry-After": "30"}
            raise Problem(502, "dial-failed", "the call could not be dialled", headers=headers)

    async def _first_sign(self, call_id: str) -> object:
        """Wait until the call rings or is over; why, where it is over."""
        calls = self._node.calls
        async with aclosing(follow(self._node.store, calls.feed, call_id, 0)) as events:
            async for event in events:
                if event is None:
                    continue
                if event.type == LAST_EVENT:
                    return event.data.get("ended_reason")
                if event.data.get("status") in ("ringing", "in-progress"):
                    break
        return None


def call_request(wire: VoiceCall) -> tuple[CallRequest, tuple[str, ...]]:
    """The request in native names, and what is odd about it. Raises `ValidationFailed`."""
    task = wire.task or Task(goal=wire.purpose or "")
    facts = dict(task.facts)
    odd: tuple[str, ...] = ()
    if wire.target_name is not None and not any(key in facts for key in CALLEE_KEYS):
        if len(facts) < MAX_FACTS:
            facts["target_name"] = wire.target_name
        else:
            odd = ("target-name-not-used",)
    told = {"targetName": wire.target_name, "triggeredBy": wire.triggered_by}
    metadata: dict[str, JsonValue] = {
        name: value for name, value in told.items() if value is not None
    }
    asked: dict[str, object] = {
        "from": wire.from_,
        "to": wire.to,
        "task": {
            "goal": task.goal,
            "facts": facts,
            "script": task.script,
            "escalation": task.escalation,
        },
        "metadata": metadata,
    }
    if wire.max_duration_secs is not None:
        asked["max_duration_s"] = wire.max_duration_secs
    return checked(CallRequest, asked), odd


def placed(call: Call) -> Placed:
    """The answer to a request, and to each repetition of it."""
    return Placed(
        data=PlacedCall(
            callControlId=call.id,
            expectedDialAt=milliseconds(call.scheduled_at or call.created_at),
            warnings=tuple(_of_the_request(call)),
        )
    )


def milliseconds(at: datetime) -> str:
    """A moment such as 2026-05-23T19:34:15.000Z."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _of_the_request(call: Call) -> Iterator[str]:
    return (warning for warning in call.warnings if warning.startswith(OF_THE_REQUEST))


EXAMPLES: Mapping[str, Mapping[str, JsonValue]] = {
    "debt collection": {
        "from": "+16473705600",
        "to": "+16478359044",
        "targetName": "Bobby",
        "triggeredBy": "vello-billing-system",
        "maxDurationSecs": 300,
        "task": {
            "goal": (
                "Collect $154.56 from Bobby for SMS credits; offer payment link; "
                "escalate if refused."
            ),
            "script": "debt-collection",
            "facts": {
                "debtor_name": "Bobby",
                "amount_due": "$154.56",
                "currency": "USD",
                "due_date": "May 25, 2026",
                "purchase": "1,000 SMS credits",
                "payment_link": "https://pay.vello.io/inv/bobby-154",
                "creditor": "Vello",
            },
            "escalation": (
                "If customer refuses to pay, use openclaw_query to email joe@vello.io "
                "with a one-line summary."
            ),
        },
    },
    "purpose": {
        "from": "+16473705600",
        "to": "+16475551234",
        "purpose": (
            "Call to confirm that the API integration is working. Say hello, chat briefly, "
            "then say goodbye."
        ),
        "triggeredBy": "first-test",
    },
}
