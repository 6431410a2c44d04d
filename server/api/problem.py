"""Every error of the API as `application/problem+json` (RFC 9457)."""

import json
import logging
from http import HTTPStatus

from aiohttp import web
from aiohttp.typedefs import Handler
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from server.api.errors import FieldError, Problem, ValidationFailed
from server.calls.errors import CallNotFound, CursorInvalid, Draining, Refused

log = logging.getLogger(__name__)

HTTP_CODES = {
    404: "not-found",
    405: "method-not-allowed",
    413: "request-entity-too-large",
}
"""Codes of what aiohttp raises; the phrases of `http` differ by Python's version."""
RETRY_AFTER = {"Retry-After": "5"}


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every error as a problem; stands outside of all other middleware."""
    try:
        return await handler(request)
    except Exception as error:
        problem = as_problem(error)
        if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            log.exception("%s %s failed", request.method, request.path)
        return render(problem)


def as_problem(error: Exception) -> Problem:
    """What an exception means to the client. An unknown one tells it nothing."""
    match error:
        case Problem():
            return error
        case Refused():
            return ValidationFailed(FieldError(error.field, str(error)))
        case CallNotFound():
            return Problem(404, "not-found", "no call has this id")
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


def validation_failed(error: ValidationError) -> ValidationFailed:
    """Every broken field of a model, without repeating what the client sent."""
    items = error.errors(include_url=False, include_input=False, include_context=False)
    return ValidationFailed(
        *(
            FieldError(
                field=".".join(str(part) for part in item["loc"]) or "body",
                message="unknown field"
                if item["type"] == "extra_forbidden"
                else item["msg"].removeprefix("Value error, "),
            )
            for item in items
        )
    )


def render(problem: Problem) -> web.Response:
    """The answer that carries a problem."""
    body: dict[str, object] = {
        "type": f"urn:offhook:problem:{problem.code}",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
        "code": problem.code,
    }
    if problem.errors:
        body["errors"] = [{"field": e.field, "message": e.message} for e in problem.errors]
    return web.Response(
        status=problem.status,
        text=json.dumps(body),
        content_type="application/problem+json",
        headers=problem.headers,
    )


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
