"""The OpenAPI 3.1 document, made from the operations and the models that validate."""

import re
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import JsonSchemaMode

from server.api.operation import HeaderField, Operation, Reply
from server.api.wallets import AGENT_ID
from server.api.wire import WARNING_HEADER

REF = "#/components/schemas/{model}"
PROBLEM: Mapping[str, Any] = {
    "type": "object",
    "description": "An error (RFC 9457).",
    "properties": {
        "type": {"type": "string", "examples": ["urn:offhook:problem:validation-failed"]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string", "description": "For programs."},
        "reason": {"type": "string", "description": "Our own code, where `code` is a dialect's."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
                "required": ["field", "message"],
            },
        },
    },
    "required": ["type", "title", "status", "detail", "code"],
}
TEXT: Mapping[str, Any] = {"type": "string"}
OF_CONTENT: Mapping[str, Any] = {
    "text/event-stream": {
        "type": "object",
        "description": "One event; `data` is JSON: `type`, `call_id`, `at`, `data`.",
        "properties": {"id": TEXT, "event": TEXT, "data": TEXT},
        "required": ["id", "event", "data"],
    }
}
ALWAYS: Mapping[int, str] = {
    500: "`internal-error`: the log says why",
    503: "`database-unavailable`, `draining`, `overloaded`; with `Retry-After`",
}
WITH_BODY: Mapping[int, str] = {
    400: "`validation-failed`, `invalid-json`",
    408: "`request-timeout`: the body came too slowly",
    413: "`request-entity-too-large`: over 64 KB",
    415: "`unsupported-media-type`: send `application/json`",
}
ABOUT = """A self-hosted phone agent: an objective and a number in, a transcript, a recording and \
a verdict out. One engine, five faces: the native API, and those of OneInbox, OneShot, \
TalkToMyAgent and VoiceOS. Requests carry `Authorization: Bearer KEY` unless they are public."""


def document(operations: Iterable[Operation]) -> dict[str, Any]:
    """The whole document, as JSON values."""
    known = list(operations)
    schemas = _Schemas(known)
    paths: dict[str, dict[str, Any]] = {}
    for operation in known:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _of(operation, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Offhook", "version": version("offhook"), "description": ABOUT},
        "tags": [{"name": face} for face in dict.fromkeys(one.face for one in known)],
        "security": [{"key": []}],
        "paths": paths,
        "components": {
            "securitySchemes": _security(known),
            "schemas": {**schemas.definitions, "Problem": dict(PROBLEM)},
        },
    }


class _Schemas:
    """Schemas of all models; two models of one name are told apart by where they are."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        wanted: list[tuple[str, JsonSchemaMode, TypeAdapter[Any]]] = []
        for one in operations:
            if one.body is not None:
                wanted.append((_key(one), "validation", TypeAdapter(one.body)))
            if one.query is not None:
                wanted.append((f"{_key(one)}?", "validation", TypeAdapter(one.query)))
            for status, reply in one.replies.items():
                if reply.model is not None:
                    name = f"{_key(one)} {status}"
                    wanted.append((name, "serialization", TypeAdapter(reply.model)))
        made, rest = TypeAdapter.json_schemas(wanted, ref_template=REF)
        self._by_key = {name: schema for (name, _), schema in made.items()}
        self.definitions: dict[str, Any] = rest.get("$defs", {})

    def body(self, one: Operation) -> Any:
        """Of a request's body."""
        return self._by_key[_key(one)]

    def reply(self, one: Operation, status: int) -> Any:
        """Of an answer's body."""
        return self._by_key[f"{_key(one)} {status}"]

    def query(self, one: Operation) -> Mapping[str, Any]:
        """Of the query, resolved."""
        schema: dict[str, Any] = dict(self._by_key[f"{_key(one)}?"])
        name = schema.get("$ref", "").rpartition("/")[2]
        found: Mapping[str, Any] = self.definitions[name] if name else schema
        return found


def _key(one: Operation) -> str:
    return f"{one.method} {one.path}"


def _of(one: Operation, schemas: _Schemas) -> dict[str, Any]:
    about: dict[str, Any] = {
        "operationId": _name(one),
        "tags": [one.face],
        "summary": one.summary,
        "parameters": list(_parameters(one, schemas)),
        "responses": _responses(one, schemas),
    }
    if one.public:
        about["security"] = []
    elif one.for_sale:
        about["security"] = [{"key": []}, {"wallet": []}]
    if one.body is not None:
        content: dict[str, Any] = {"schema": schemas.body(one)}
        if one.examples:
            content["examples"] = {name: {"value": value} for name, value in one.examples.items()}
        about["requestBody"] = {"required": True, "content": {"application/json": content}}
    return about


def _security(known: Iterable[Operation]) -> dict[str, Any]:
    schemes: dict[str, Any] = {"key": {"type": "http", "scheme": "bearer"}}
    if any(one.for_sale for one in known):
        about = "The address of the wallet that pays."
        schemes["wallet"] = {
            "type": "apiKey",
            "in": "header",
            "name": AGENT_ID,
            "description": about,
        }
    return schemes


def _name(one: Operation) -> str:
    words = re.findall(r"[A-Za-z0-9]+", one.path)
    return "_".join([one.method.lower(), *words])


def _parameters(one: Operation, schemas: _Schemas) -> Iterable[dict[str, Any]]:
    for name in re.findall(r"\{(\w+)", one.path):
        schema = {"type": "string", "minLength": 1}
        yield {"name": name, "in": "path", "required": True, "schema": schema}
    if one.query is not None:
        for name, schema in schemas.query(one)["properties"].items():
            yield {"name": name, "in": "query", "schema": _given(schema)}
    for header in one.headers:
        yield _header(header)


def _given(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Of a parameter of a query, which is left out rather than null."""
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    rest = {name: value for name, value in schema.items() if name not in ("anyOf", "default")}
    default = schema.get("default")
    if default is not None:
        rest["default"] = default
    return {**rest, **kinds[0]} if kinds else {**rest}


def _header(header: HeaderField) -> dict[str, Any]:
    schema = {"type": "string", **({"pattern": header.pattern} if header.pattern else {})}
    about = {"name": header.name, "in": "header", "description": header.about, "schema": schema}
    return {**about, "required": True} if header.required else about


def _responses(one: Operation, schemas: _Schemas) -> dict[str, Any]:
    answers: dict[str, Any] = {}
    for status, reply in one.replies.items():
        answers[str(status)] = _success(one, status, reply, schemas)
    told = dict(ALWAYS) | ({} if one.public else {401: "`unauthorized`"})
    told |= WITH_BODY if one.body is not None else {}
    for status, codes in sorted({**told, **one.problems}.items()):
        content = {"application/problem+json": {"schema": {"$ref": REF.format(model="Problem")}}}
        if str(status) in answers:
            answers[str(status)]["content"].update(content)
        else:
            answers[str(status)] = {"description": codes, "content": content}
    return answers


def _success(one: Operation, status: int, reply: Reply, schemas: _Schemas) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": reply.about}
    if reply.model is not None:
        answer["content"] = {"application/json": {"schema": schemas.reply(one, status)}}
    elif reply.content is not None:
        answer["content"] = {reply.content: {"schema": OF_CONTENT.get(reply.content, TEXT)}}
    if one.method == "POST":
        about = "Fields that were ignored, or have no effect here."
        answer["headers"] = {WARNING_HEADER: {"description": about, "schema": {"type": "string"}}}
    return answer
