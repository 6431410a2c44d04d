"""Every error of the API as `application/problem+json` (RFC 9457)."""

import json
import logging
from collections.abc import Callable, Mapping
from http import HTTPStatus

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from pydantic import ValidationError
from pydantic_core import ErrorDetails
from sqlalchemy.exc import SQLAlchemyError

from server.api.errors import FieldError, Problem, ValidationFailed
from server.calls.errors import (
    ActionRefused,
    CallNotFound,
    CursorInvalid,
    DocumentChanged,
    Draining,
    IdempotencyMismatch,
    NameTaken,
    NotFound,
    Overloaded,
    PaymentRefused,
    PaymentUnsettled,
    RateLimited,
    Refused,
    SpendCapReached,
)
from server.calls.fields import EMERGENCY
from server.calls.policy.errors import NumberRefused, PolicyError, RulesInvalid
from server.calls.webhooks.errors import WebhookError

log = logging.getLogger(__name__)

HTTP_CODES = {
    404: "not-found",
    405: "method-not-allowed",
    413: "request-entity-too-large",
}
"""Codes of what aiohttp raises; the phrases of `http` differ by Python's version."""
RETRY_AFTER = {"Retry-After": "5"}
CALL_OVER = (409, "call-over")
BAD_REQUESTS = frozenset({"self_call", "prompt_injection"})
"""Codes of the policy that are 400; the others are 403."""


Translate = Callable[[Problem], Problem]
"""A problem in the words of one face."""


def problems(faces: Mapping[str, Translate]) -> Middleware:
    """Answer every error as a problem; stands outside of all other middleware.

    faces: by the beginning of their paths, those whose documents have words of their own.
    """

    @web.middleware
    async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except Exception as error:
            problem = as_problem(error)
            if problem.status == HTTPStatus.INTERNAL_SERVER_ERROR:
                log.exception("%s %s failed", request.method, request.path)
            for beginning, translate in faces.items():
                if request.path.startswith(beginning):
                    problem = translate(problem)
            return render(problem)

    return answer


def by_codes(codes: Mapping[str, tuple[int, str]], *, dash: str = "-") -> Translate:
    """Translate by a table of our code to their status and code; `dash` joins words of others."""

    def translate(problem: Problem) -> Problem:
        status, code = codes.get(problem.code, (problem.status, problem.code.replace("-", dash)))
        return Problem(
            status,
            code,
            problem.detail,
            errors=problem.errors,
            headers=problem.headers,
            reason=problem.code if problem.code in codes else None,
        )

    return translate


def as_problem(error: Exception) -> Problem:
    """What an exception means to the client. An unknown one tells it nothing."""
    match error:
        case Problem():
            return error
        case Refused():
            return ValidationFailed(FieldError(error.field, str(error)))
        case PolicyError():
            return _of_policy(error)
        case WebhookError():
            return ValidationFailed(FieldError("webhooks", str(error)))
        case NotFound():
            return Problem(404, "not-found", str(error))
        case NameTaken():
            taken = FieldError("name", str(error))
            return Problem(409, "name-taken", str(error), errors=[taken])
        case DocumentChanged():
            return Problem(412, "document-changed", "read it again; somebody has changed it")
        case PaymentRefused():
            return Problem(402, error.code, str(error))
        case PaymentUnsettled():
            after = _after(error.retry_after_s)
            return Problem(503, "payment-unsettled", str(error), headers=after)
        case CallNotFound():
            return Problem(404, "not-found", "no call has this id")
        case ActionRefused():
            invalid = error.code == "invalid_arguments"
            return Problem(*((400, "validation-failed") if invalid else CALL_OVER), str(error))
        case IdempotencyMismatch():
            return Problem(422, "idempotency-mismatch", str(error))
        case RateLimited():
            return Problem(429, "rate-limited", str(error), headers=_after(error.retry_after_s))
        case SpendCapReached():
            return Problem(429, "spend-cap-reached", str(error))
        case Overloaded():
            return Problem(503, "overloaded", str(error), headers=_after(error.retry_after_s))
        case CursorInvalid():
            return ValidationFailed(FieldError("cursor", "not a cursor from this list"))
        case Draining():
            return Problem(503, "draining", "the node is shutting down", headers=RETRY_AFTER)
        case SQLAlchemyError():
            detail = "the database cannot be reached"
            return Problem(503, "database-unavailable", detail, headers=RETRY_AFTER)
        case web.HTTPException():
            return _of_aiohttp(error)
        case _:
            return Problem(500, "internal-error", "the server failed; its log says why")


def validation_failed(error: ValidationError) -> Problem:
    """Every broken field of a model, without repeating what the client sent.

    An emergency number comes before all else that is wrong.
    """
    items = error.errors(include_url=False, include_input=False, include_context=False)
    for item in items:
        if item["type"] == EMERGENCY:
            return _of_policy(NumberRefused("emergency_number_blocked", item["msg"], _field(item)))
    return ValidationFailed(
        *(
            FieldError(
                field=_field(item),
                message="unknown field"
                if item["type"] == "extra_forbidden"
                else item["msg"].removeprefix("Value error, "),
            )
            for item in items
        )
    )


def _field(item: ErrorDetails) -> str:
    return ".".join(str(part) for part in item["loc"]) or "body"


def render(problem: Problem) -> web.Response:
    """The answer that carries a problem."""
    body: dict[str, object] = {
        "type": f"urn:offhook:problem:{problem.code}",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
        "code": problem.code,
    }
    if problem.reason is not None:
        body["reason"] = problem.reason
    if problem.errors:
        body["errors"] = [{"field": e.field, "message": e.message} for e in problem.errors]
    return web.Response(
        status=problem.status,
        text=json.dumps(body),
        content_type="application/problem+json",
        headers=problem.headers,
    )


def _of_policy(error: PolicyError) -> Problem:
    """The code with dashes, and the field; `RulesInvalid` is the operator's, not the client's."""
    if isinstance(error, RulesInvalid):
        return Problem(500, "internal-error", "the server failed; its log says why")
    broken = FieldError(error.field, error.message)
    if error.code == "invalid_number":
        return ValidationFailed(broken)
    status = 400 if error.code in BAD_REQUESTS else 403
    return Problem(status, error.code.replace("_", "-"), error.message, errors=[broken])


def _after(seconds: int) -> dict[str, str]:
    return {"Retry-After": str(seconds)}


def _of_aiohttp(error: web.HTTPException) -> Problem:
    phrase = HTTPStatus(error.status).phrase
    code = HTTP_CODES.get(error.status, f"http-{error.status}")
    headers = {name: error.headers[name] for name in ("Allow", "Location") if name in error.headers}
    details = {
        404: "nothing is here",
        405: f"{headers.get('Allow', 'another method')} would be allowed",
        413: "the body is larger than 64 KB",
    }
    return Problem(error.status, code, details.get(error.status, phrase), headers=headers)
