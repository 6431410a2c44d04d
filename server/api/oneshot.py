"""OneShot: `POST /v1/tools/voice/call`, `GET /v1/requests/{request_id}`.

Its document describes most fields of its answers without naming them; the names here are ours.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Final, Literal

from aiohttp import web
from pydantic import ConfigDict, Field, JsonValue

from server.api.auth import CALLER, unauthorized
from server.api.errors import FieldError, ValidationFailed
from server.api.operation import HeaderField, Operation, Reply
from server.api.origins import IDEMPOTENCY_KEY
from server.api.switchboard import Switchboard
from server.api.wallets import AGENT_ID, WALLET
from server.api.wire import Answer, Wire, answer, checked, unknown_fields
from server.calls.costs import Quote
from server.calls.errors import CallNotFound
from server.calls.fields import LongText
from server.calls.model import Call
from server.calls.origin import Origin
from server.calls.payments import Offer, Paid, Payments
from server.calls.request import CallRequest, Parties

FACE: Final = "OneShot"
QUOTE_ID = "X-Quote-ID"
PAYMENT, REQUIRED, RECEIPT = "PAYMENT-SIGNATURE", "PAYMENT-REQUIRED", "PAYMENT-RESPONSE"
"""Header fields of x402, version 2."""
_WALLET = re.compile(r"[!-~]{1,64}")

CODES: Mapping[str, tuple[int, str]] = {
    "validation-failed": (400, "invalid_request"),
    "invalid-json": (400, "invalid_request"),
    "prompt-injection": (400, "content_blocked"),
}
"""Our codes in this document's words; the others only change their dashes."""


class VoiceCall(Wire):
    """What the call should accomplish, and whom to call."""

    objective: Annotated[LongText, Field(min_length=10)]
    target_number: Parties
    """One number in E.164, or several for a conference."""
    caller_persona: LongText | None = None
    context: LongText | None = None
    max_duration_minutes: int = Field(default=5, ge=1, le=30)


class Asked(Wire):
    """The query."""

    model_config = ConfigDict(strict=False)

    quote: bool = False
    """Only say what it would cost; nothing is called."""


class QuoteAnswer(Answer):
    """What the call would be, and cost."""

    quote_id: str
    objective_summary: str
    talking_points: tuple[str, ...]
    success_criteria: tuple[str, ...]
    is_conference: bool
    total_cost_usd: float


class PaymentWanted(QuoteAnswer):
    """The quote, together with what x402 has to say of its payment (`PaymentRequired`)."""

    model_config = ConfigDict(extra="allow")

    expires_at: datetime


class Accepted(Answer):
    """The call has been taken on."""

    request_id: str
    status: Literal["processing"] = "processing"
    from_number: str | None
    target_numbers: tuple[str, ...]
    is_conference: bool


class JobResult(Answer):
    """The call as it is; everything from `transcript` on is null until it is completed."""

    request_id: str
    status: Literal["processing", "completed"]
    from_number: str | None
    target_numbers: tuple[str, ...]
    is_conference: bool
    transcript: str | None = None
    summary: str | None = None
    success_evaluation: Literal["pass", "fail"] | None = None
    duration_seconds: float | None = None
    actual_cost_usd: float | None = None


class VoiceTool:
    """The face's handlers."""

    def __init__(self, switchboard: Switchboard, payments: Payments | None) -> None:
        self._node = switchboard
        self._payments = payments

    def operations(self) -> list[Operation]:
        """What this face answers. Where payments are on, a wallet is as good as a key."""
        for_sale = self._payments is not None
        return [
            Operation(
                method="POST",
                for_sale=for_sale,
                path="/v1/tools/voice/call",
                handler=self.create,
                face=FACE,
                summary="Give an objective and a number; or ask what that would cost",
                body=VoiceCall,
                query=Asked,
                examples=EXAMPLES,
                headers=(
                    HeaderField(AGENT_ID, "The wallet that pays.", pattern=r"^[!-~]{1,64}$"),
                    HeaderField(QUOTE_ID, "Of the quote that is paid; the payment names it too."),
                    HeaderField(PAYMENT, "The payment, of x402."),
                    HeaderField(
                        IDEMPOTENCY_KEY,
                        "The same key and body are one call for 24 hours.",
                        pattern=r"^[!-~]{1,255}$",
                    ),
                ),
                replies={
                    202: Reply("The call is being made.", Accepted),
                    200: Reply("With `quote=true`: what it would cost.", QuoteAnswer),
                    402: Reply("It has to be paid first, by x402.", PaymentWanted),
                },
                problems={
                    400: "`invalid_request`, `content_blocked`",
                    402: "`quote_…`, `payment_…`: the quote or its payment is not taken",
                    403: "`content_blocked`, `emergency_number_blocked`, `forbidden`",
                    404: "`not_found`: the deployment of the key is gone",
                    409: "`voice_not_provisioned`",
                    422: "`idempotency_mismatch`",
                    429: "`rate_limited`",
                },
            ),
            Operation(
                method="GET",
                for_sale=for_sale,
                path="/v1/requests/{request_id}",
                handler=self.read,
                face=FACE,
                summary="The result of a call",
                replies={200: Reply("The call as it is.", JobResult)},
                problems={
                    403: "`forbidden`",
                    404: "`not_found`",
                    429: "`rate_limited`: of those who have no key",
                },
            ),
        ]

    async def create(self, request: web.Request) -> web.Response:
        """Place a call: 202; say what it would cost: 200, or 402 where that is to be paid."""
        body = await self._node.body(request)
        wire = checked(VoiceCall, body)
        query = checked(Asked, dict(request.query))
        asked = call_request(wire)
        warnings = (*unknown_fields(wire), *unknown_fields(query))
        origin = await self._node.origins.of(request, "oneshot", body, warnings=warnings)
        origin = replace(origin, wallet=wallet_of(request))
        signature = request.headers.get(PAYMENT)
        if self._payments is not None and signature is not None:
            return await self._sell(self._payments, request, asked, origin, signature)
        if query.quote or self._payments is not None:
            quote = await self._node.calls.quote(asked, origin)
            if self._payments is not None:
                offer = await self._payments.offer(quote, asked, origin, str(request.url))
                if offer is not None:
                    return answer(wanted(quote, offer), 402, warnings, {REQUIRED: offer.header})
            if WALLET in request:
                raise unauthorized("this call costs nothing; that takes a key")
            if query.quote:
                return answer(quoted(quote), warnings=warnings)
        call = await self._node.calls.place(asked, origin)
        return answer(accepted(call), 202, warnings)

    async def _sell(
        self,
        payments: Payments,
        request: web.Request,
        asked: CallRequest,
        origin: Origin,
        signature: str,
    ) -> web.Response:
        """Take the payment, and place the call that it is for."""

        async def place(paid: Paid) -> Call:
            key, plan = paid.quote_id, paid.plan
            once = replace(origin, idempotency_key=key, body_hash=key, plan=plan)
            return await self._node.calls.place(asked, once)

        quote_id = request.headers.get(QUOTE_ID)
        bought = await payments.redeem(asked, origin, signature, place, quote_id)
        call = await self._node.store.get(bought.call_id)
        return answer(accepted(call), 202, origin.warnings, {RECEIPT: bought.header})

    async def read(self, request: web.Request) -> web.Response:
        """Read how a call is doing, and what came of it."""
        if WALLET in request:
            call = await self._bought(request)
        else:
            call = await self._node.call(request, "request_id")
        return answer(job_result(call))

    async def _bought(self, request: web.Request) -> Call:
        """A call that the wallet paid for without a key. Raises `Problem` 401 for any other."""
        try:
            call = await self._node.store.get(request.match_info["request_id"])
        except CallNotFound:
            call = None
        if call is None or call.key_id != request[CALLER].key_id:
            raise unauthorized("this wallet paid for no such call; others take a key")
        return call


def wallet_of(request: web.Request) -> str | None:
    """The `X-Agent-ID`. Raises `ValidationFailed`."""
    wallet = request.headers.get(AGENT_ID)
    if wallet is not None and _WALLET.fullmatch(wallet) is None:
        raise ValidationFailed(FieldError(AGENT_ID, "give 1 to 64 printable characters"))
    return wallet


def call_request(wire: VoiceCall) -> CallRequest:
    """The request in native names. Raises `ValidationFailed`."""
    return checked(
        CallRequest,
        {
            "to": wire.target_number,
            "objective": wire.objective,
            "persona": wire.caller_persona,
            "context": wire.context,
            "max_duration_s": wire.max_duration_minutes * 60,
        },
    )


def quoted(quote: Quote) -> QuoteAnswer:
    """A quote in this document's words."""
    return QuoteAnswer(
        quote_id=quote.id,
        objective_summary=quote.plan.summary,
        talking_points=quote.plan.talking_points,
        success_criteria=quote.plan.success_criteria,
        is_conference=quote.plan.conference,
        total_cost_usd=quote.total_usd,
    )


def wanted(quote: Quote, offer: Offer) -> PaymentWanted:
    """What has to be paid, in this document's words and in those of x402."""
    named = quoted(quote).model_dump()
    return PaymentWanted.model_validate(
        {**offer.required, **named, "quote_id": offer.quote_id, "expires_at": offer.expires_at}
    )


def accepted(call: Call) -> Accepted:
    """The answer to a request."""
    return Accepted(
        request_id=call.id,
        from_number=call.from_,
        target_numbers=call.parties or (call.to,),
        is_conference=_is_conference(call),
    )


def job_result(call: Call) -> JobResult:
    """The call in this document's words."""
    job = JobResult(**accepted(call).model_dump(exclude={"status"}), status="processing")
    if call.status != "ended":
        return job
    success = call.outcome is not None and call.outcome.success
    return job.model_copy(
        update={
            "status": "completed",
            "transcript": call.transcript,
            "summary": call.summary,
            "success_evaluation": "pass" if success else "fail",
            "duration_seconds": call.duration_s,
            "actual_cost_usd": None if call.cost_cents is None else call.cost_cents / 100,
        }
    )


def _is_conference(call: Call) -> bool:
    return call.plan.conference if call.plan is not None else len(call.parties) > 1


EXAMPLES: Mapping[str, Mapping[str, JsonValue]] = {
    "reservation": {
        "objective": (
            "Call the restaurant to make a dinner reservation for 2 people at 7pm tonight"
        ),
        "target_number": "+14155551234",
        "caller_persona": "A polite assistant making a reservation",
        "context": "Italian restaurant, prefer outdoor seating",
    },
    "conference": {
        "objective": (
            "Connect the buyer and seller to negotiate the final price. Facilitate the discussion."
        ),
        "target_number": ["+14155551234", "+14155555678"],
        "caller_persona": "A professional meeting facilitator",
    },
}
