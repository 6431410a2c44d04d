"""`/v1/agents`, `/v1/deployments`, `/v1/playbooks`: what calls are made of, kept under names."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from aiohttp import web
from pydantic import BaseModel, JsonValue

from pipeline.playbook import parse_playbook
from server.api.auth import CALLER
from server.api.cursors import page_of, read_cursor
from server.api.errors import FieldError, ValidationFailed
from server.api.operation import HeaderField, Operation, Reply
from server.api.paging import Paging
from server.api.resource_wire import (
    AgentAnswer,
    AgentBody,
    DeploymentAnswer,
    PageOf,
    PlaybookAnswer,
    PlaybookBody,
)
from server.api.scopes import ADMIN, READ_AGENTS, WRITE_AGENTS, Scope
from server.api.switchboard import Switchboard
from server.api.wire import answer, checked
from server.calls.agent import AgentConfig
from server.calls.audit import AuditLog
from server.calls.documents import (
    Deployments,
    Documents,
    Stored,
    stored_agents,
    stored_playbooks,
)
from server.calls.origin import Deployment
from server.settings import Settings

FACE = "Resources"
IF_MATCH = "If-Match"
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape(Generic[T]):
    """How one kind of document looks over HTTP."""

    kind: str
    body: type[BaseModel]
    answer: type[BaseModel]
    take: Callable[[Any], T]
    """The document in a checked body. Raises `ValidationFailed`."""
    show: Callable[[Stored[T]], BaseModel]
    example: Mapping[str, JsonValue]
    read: Scope
    write: Scope


class StoredDocuments(Generic[T]):
    """Handlers of one kind of document."""

    def __init__(
        self, node: Switchboard, audit: AuditLog, documents: Documents[T], shape: Shape[T]
    ) -> None:
        self._node = node
        self._audit = audit
        self._documents = documents
        self._shape = shape

    def operations(self) -> list[Operation]:
        """Create, list, read, replace, delete."""
        kind, one = self._shape.kind, f"/v1/{self._shape.kind}s/{{id}}"
        reply = Reply(f"The {kind}, with its `ETag`.", self._shape.answer)
        taken = {400: "`validation-failed`", 409: "`name-taken`", 403: "`forbidden`"}
        match = HeaderField(IF_MATCH, "Only where the `ETag` is still this one.")
        gone = {403: "`forbidden`", 404: "`not-found`"}
        changed = {412: "`document-changed`: somebody else has changed it"}
        face, read, write = FACE, self._shape.read, self._shape.write
        return [
            Operation(
                method="POST",
                path=f"/v1/{kind}s",
                handler=self.create,
                face=face,
                scope=write,
                summary=f"Keep a {kind}",
                body=self._shape.body,
                examples={kind: self._shape.example},
                replies={201: reply},
                problems=taken,
            ),
            Operation(
                method="GET",
                path=f"/v1/{kind}s",
                handler=self.list,
                face=face,
                scope=read,
                summary=f"The {kind}s, newest first",
                query=Paging,
                replies={200: Reply("A page.", PageOf[self._shape.answer])},  # type: ignore[name-defined]
                problems={400: "`validation-failed`", 403: "`forbidden`"},
            ),
            Operation(
                method="GET",
                path=one,
                handler=self.get,
                face=face,
                scope=read,
                summary=f"One {kind}",
                replies={200: reply},
                problems=gone,
            ),
            Operation(
                method="PUT",
                path=one,
                handler=self.replace,
                face=face,
                scope=write,
                summary=f"Put another {kind} in its place",
                body=self._shape.body,
                examples={kind: self._shape.example},
                headers=(match,),
                replies={200: reply},
                problems={**taken, **gone, **changed},
            ),
            Operation(
                method="DELETE",
                path=one,
                handler=self.delete,
                face=face,
                scope=write,
                summary=f"Delete a {kind}",
                headers=(match,),
                replies={204: Reply("It is gone.")},
                problems={**gone, **changed, 400: "`validation-failed`"},
            ),
        ]

    async def create(self, request: web.Request) -> web.Response:
        """Keep a new one: 201."""
        name, document = await self._asked(request)
        kept = await self._documents.create(name, document)
        await self._tell(request, "created", kept)
        return self._answer(kept, 201)

    async def list(self, request: web.Request) -> web.Response:
        """List them, newest first."""
        query = checked(Paging, dict(request.query))
        after = read_cursor(self._shape.kind, query.cursor)
        found = await self._documents.list(after, query.limit + 1)
        page, cursor = page_of(self._shape.kind, found, query.limit, lambda kept: kept.id)
        shown = tuple(self._shape.show(kept) for kept in page)
        return answer(PageOf[Any].model_construct(data=shown, next_cursor=cursor))

    async def get(self, request: web.Request) -> web.Response:
        """Read one."""
        return self._answer(await self._documents.get(request.match_info["id"]))

    async def replace(self, request: web.Request) -> web.Response:
        """Put another in its place."""
        name, document = await self._asked(request)
        document_id, version = request.match_info["id"], _version(request)
        kept = await self._documents.replace(document_id, name, document, version)
        await self._tell(request, "replaced", kept)
        return self._answer(kept)

    async def delete(self, request: web.Request) -> web.Response:
        """Delete one: 204."""
        kept = await self._documents.delete(request.match_info["id"], _version(request))
        await self._tell(request, "deleted", kept)
        return web.Response(status=204)

    async def _asked(self, request: web.Request) -> tuple[str, T]:
        body: Any = checked(self._shape.body, await self._node.body(request))
        return body.name, self._shape.take(body)

    async def _tell(self, request: web.Request, what: str, kept: Stored[T]) -> None:
        data = {"id": kept.id, "name": kept.name, "version": kept.version}
        kind = f"{self._shape.kind}_{what}"
        await self._audit.append(kind, None, request[CALLER].key_id, data)

    def _answer(self, kept: Stored[T], status: int = 200) -> web.Response:
        headers = {"ETag": f'"{kept.version}"'}
        if status == 201:
            headers["Location"] = f"/v1/{self._shape.kind}s/{kept.id}"
        return answer(self._shape.show(kept), status, headers=headers)


def _version(request: web.Request) -> str | None:
    """The version in `If-Match`. Raises `ValidationFailed`."""
    given = request.headers.get(IF_MATCH, "*").strip()
    if given == "*":
        return None
    if len(given) < 2 or given[0] != '"' or given[-1] != '"' or '"' in given[1:-1]:
        raise ValidationFailed(FieldError(IF_MATCH, "give one ETag in quotation marks, or *"))
    return given[1:-1]


def document_operations(node: Switchboard, audit: AuditLog) -> list[Operation]:
    """The operations of all three kinds."""
    engine = node.store.engine
    return [
        *StoredDocuments(node, audit, stored_agents(engine), AGENT).operations(),
        *StoredDocuments(node, audit, Deployments(engine), _deployment(node.settings)).operations(),
        *StoredDocuments(node, audit, stored_playbooks(engine), PLAYBOOK).operations(),
    ]


def _marks(kept: Stored[Any]) -> dict[str, Any]:
    return {"id": kept.id, "created_at": kept.created_at, "updated_at": kept.updated_at}


def _agent(body: AgentBody) -> AgentConfig:
    return AgentConfig(**{name: getattr(body, name) for name in AgentConfig.model_fields})


def _show_agent(kept: Stored[AgentConfig]) -> AgentAnswer:
    return AgentAnswer(**dict(kept.document), name=kept.name, **_marks(kept))


def _show_deployment(kept: Stored[Deployment]) -> DeploymentAnswer:
    return DeploymentAnswer(**dict(kept.document), **_marks(kept))


def _show_playbook(kept: Stored[str]) -> PlaybookAnswer:
    playbook = parse_playbook(kept.document)
    return PlaybookAnswer(
        name=kept.name,
        markdown=kept.document,
        scripts=tuple(playbook.scripts),
        warnings=playbook.warnings,
        **_marks(kept),
    )


AGENT = Shape(
    kind="agent",
    body=AgentBody,
    answer=AgentAnswer,
    take=_agent,
    show=_show_agent,
    example={"name": "reception", "agent_name": "Ava", "voice": {"speed": 1.1}},
    read=READ_AGENTS,
    write=WRITE_AGENTS,
)
PLAYBOOK = Shape(
    kind="playbook",
    body=PlaybookBody,
    answer=PlaybookAnswer,
    take=lambda body: str(body.markdown),
    show=_show_playbook,
    example={
        "name": "billing",
        "markdown": "#### reminder\n**Opening**: Hi, this is {AGENT_NAME}.",
    },
    read=READ_AGENTS,
    write=WRITE_AGENTS,
)


def _deployment(settings: Settings) -> Shape[Deployment]:
    trunks = {trunk.name for trunk in settings.trunks}

    def take(body: Deployment) -> Deployment:
        if body.trunk is not None and body.trunk not in trunks:
            raise ValidationFailed(FieldError("trunk", "the node has no trunk of this name"))
        return body

    return Shape(
        kind="deployment",
        body=Deployment,
        answer=DeploymentAnswer,
        take=take,
        show=_show_deployment,
        example={"name": "billing", "number": "+14155550100", "allowed_regions": ["US", "CA"]},
        read=ADMIN,
        write=ADMIN,
    )
