"""One operation of the API: its route, and all that the OpenAPI document says of it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from pydantic import BaseModel, JsonValue

from server.api.auth import guarded
from server.api.scopes import Scope

Handle = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Reply:
    """One successful answer. `model`: of a JSON body; else `content` names what there is."""

    about: str
    model: Any = None
    content: str | None = None


@dataclass(frozen=True, slots=True)
class HeaderField:
    """A request's header field."""

    name: str
    about: str
    required: bool = False
    pattern: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A route with its contract."""

    method: str
    path: str
    handler: Handle
    face: str
    summary: str
    replies: Mapping[int, Reply]
    body: Any = None
    """The model that validates it, or a union of models."""
    examples: Mapping[str, Mapping[str, JsonValue]] = field(default_factory=dict)
    query: type[BaseModel] | None = None
    headers: tuple[HeaderField, ...] = ()
    problems: Mapping[int, str] = field(default_factory=dict)
    """Status to codes, beside those that every operation may answer with."""
    public: bool = False
    """Needs no key."""
    for_sale: bool = False
    """A wallet is as good as a key."""
    scope: Scope | None = None
    """What the key must be good for; where absent, the handler sees to it."""

    def route(self) -> web.RouteDef:
        """As aiohttp takes it."""
        handler = guarded(self.handler, self.scope) if self.scope else self.handler
        if self.method == "GET":
            return web.get(self.path, handler, allow_head=False)
        return web.route(self.method, self.path, handler)
