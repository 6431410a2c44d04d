"""What operators keep, over a real server and a real database."""

import re
from typing import Any
from uuid import UUID

import aiohttp
import pytest
from sqlalchemy import insert

from server.api.auth import PUBLIC
from server.api.keys import KeyRing, key_id_of
from server.calls.audit import AuditLog
from server.calls.do_not_call import DoNotCall
from server.calls.schema import webhook_deliveries
from server.calls.store import CallStore

AGENT = {"name": "reception", "agent_name": "Ava", "max_duration_s": 90, "contacts": {"a": "b"}}
DEPLOYMENT = {"name": "desk", "number": "+14165550123", "allowed_regions": ["CA"]}
PLAYBOOK = {"name": "billing", "markdown": '#### one\n**Opening**: "Hi, {facts.who}."\n'}
KINDS = [("agents", AGENT), ("deployments", DEPLOYMENT), ("playbooks", PLAYBOOK)]

kinds = pytest.mark.parametrize(("kind", "body"), KINDS, ids=[kind for kind, _ in KINDS])


async def ask(
    node: Any, method: str, path: str, status: int, body: Any = None, **headers: str
) -> Any:
    """The JSON of an answer that has the right status."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    async with node.client.request(method, path, json=body, headers=names) as answer:
        text = await answer.text()
        assert answer.status == status, text
        if status >= 400:
            assert answer.content_type == "application/problem+json"
        return await answer.json(content_type=answer.content_type) if text else None


async def audited(store: CallStore) -> list[tuple[str, str | None, Any]]:
    """Kind, key and data of the audit, oldest first."""
    rows = await AuditLog(store.engine).list(limit=200)
    return [(row["kind"], row["key_id"], row["data"]) for row in reversed(rows)]


@kinds
async def test_a_document_is_kept_changed_and_deleted(node: Any, kind: str, body: Any) -> None:
    made = await ask(node, "POST", f"/v1/{kind}", 201, body)
    assert {name: made[name] for name in body} == body
    path = f"/v1/{kind}/{made['id']}"
    assert await ask(node, "GET", path, 200) == made
    changed = await ask(node, "PUT", path, 200, {**body, "name": "other"})
    assert (changed["name"], changed["id"]) == ("other", made["id"])
    assert changed["created_at"] == made["created_at"]
    assert changed in (await ask(node, "GET", f"/v1/{kind}", 200))["data"]
    await ask(node, "DELETE", path, 204)
    await ask(node, "GET", path, 404)
    await ask(node, "DELETE", path, 404)
    await ask(node, "PUT", path, 404, body)


@kinds
async def test_every_change_is_audited(node: Any, store: CallStore, kind: str, body: Any) -> None:
    made = await ask(node, "POST", f"/v1/{kind}", 201, body)
    await ask(node, "PUT", f"/v1/{kind}/{made['id']}", 200, body)
    await ask(node, "DELETE", f"/v1/{kind}/{made['id']}", 204)
    rows = await audited(store)
    one = kind.removesuffix("s")
    assert [row[0] for row in rows] == [f"{one}_created", f"{one}_replaced", f"{one}_deleted"]
    assert {row[2]["id"] for row in rows} == {made["id"]}
    assert all(row[1] for row in rows)


@kinds
async def test_a_name_is_given_once(node: Any, kind: str, body: Any) -> None:
    await ask(node, "POST", f"/v1/{kind}", 201, body)
    problem = await ask(node, "POST", f"/v1/{kind}", 409, body)
    assert (problem["code"], problem["errors"][0]["field"]) == ("name-taken", "name")


@kinds
async def test_a_list_is_paged(node: Any, kind: str, body: Any) -> None:
    for number in range(5):
        await ask(node, "POST", f"/v1/{kind}", 201, {**body, "name": f"n{number}"})
    names: list[str] = []
    path = f"/v1/{kind}?limit=2"
    while path:
        page = await ask(node, "GET", path, 200)
        assert 1 <= len(page["data"]) <= 2
        names += [one["name"] for one in page["data"]]
        cursor = page["next_cursor"]
        path = f"/v1/{kind}?limit=2&cursor={cursor}" if cursor else ""
    assert names[:5] == ["n4", "n3", "n2", "n1", "n0"]
    assert len(names) == len(set(names))


async def test_a_cursor_of_another_list_is_refused(node: Any) -> None:
    for number in range(2):
        await ask(node, "POST", "/v1/agents", 201, {**AGENT, "name": f"n{number}"})
    page = await ask(node, "GET", "/v1/agents?limit=1", 200)
    for path in ("/v1/playbooks", "/v1/audit", "/v1/keys", "/v1/do-not-call"):
        problem = await ask(node, "GET", f"{path}?cursor={page['next_cursor']}", 400)
        assert problem["errors"][0]["field"] == "cursor"


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("agents", {**AGENT, "colour": "red"}, "colour"),
        ("agents", {**AGENT, "voice": {"pitch": 1}}, "voice.pitch"),
        ("agents", {**AGENT, "id": "x"}, "id"),
        ("agents", {"agent_name": "Ava"}, "name"),
        ("agents", {**AGENT, "name": "a\nb"}, "name"),
        ("agents", {**AGENT, "max_duration_s": 5}, "max_duration_s"),
        ("deployments", {**DEPLOYMENT, "number": "4165550123"}, "number"),
        ("deployments", {**DEPLOYMENT, "allowed_regions": ["Canada"]}, "allowed_regions.0"),
        ("deployments", {**DEPLOYMENT, "trunk": "none"}, "trunk"),
        ("playbooks", {**PLAYBOOK, "markdown": ""}, "markdown"),
        ("playbooks", {**PLAYBOOK, "scripts": []}, "scripts"),
        ("keys", {"name": "x", "scopes": []}, "scopes"),
        ("keys", {"name": "x", "scopes": ["calls:erase"]}, "scopes.0"),
        ("keys", {"name": "x", "scopes": ["*"], "deployment_id": "dep_0"}, "deployment_id"),
        ("keys", {"name": "x", "scopes": ["*"], "daily_spend_cents": -1}, "daily_spend_cents"),
        ("do-not-call", {"number": "911"}, "number"),
        ("do-not-call", {"number": "+14165550123", "reason": "x" * 501}, "reason"),
        ("do-not-call/import", {"csv": 5}, "csv"),
        ("agents", [], "body"),
    ],
)
async def test_a_body_that_breaks_the_contract_names_the_field(
    node: Any, path: str, body: Any, field: str
) -> None:
    problem = await ask(node, "POST", f"/v1/{path}", 400, body)
    assert problem["code"] == "validation-failed"
    assert [error["field"] for error in problem["errors"]] == [field]


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=201", "colour=red", "cursor=x", "cursor=%C3%A9"]
)
@pytest.mark.parametrize("path", ["agents", "keys", "do-not-call", "audit", "webhooks/deliveries"])
async def test_a_query_that_breaks_the_contract_is_refused(
    node: Any, path: str, query: str
) -> None:
    problem = await ask(node, "GET", f"/v1/{path}?{query}", 400)
    assert [error["field"] for error in problem["errors"]] == [query.partition("=")[0]]


async def test_an_agent_is_named_by_a_uuid(node: Any) -> None:
    made = await ask(node, "POST", "/v1/agents", 201, AGENT)
    assert str(UUID(made["id"])) == made["id"]


async def test_only_the_version_that_was_read_is_changed(node: Any) -> None:
    async with node.client.post("/v1/agents", json=AGENT) as answer:
        tag, path = answer.headers["ETag"], answer.headers["Location"]
    await ask(node, "PUT", path, 200, {**AGENT, "agent_name": "Max"}, If_Match=tag)
    problem = await ask(node, "PUT", path, 412, AGENT, If_Match=tag)
    assert problem["code"] == "document-changed"
    await ask(node, "DELETE", path, 412, If_Match=tag)
    await ask(node, "PUT", path, 400, AGENT, If_Match="x")
    async with node.client.get(path) as answer:
        assert answer.headers["ETag"] != tag
        assert (await answer.json())["agent_name"] == "Max"
    await ask(node, "DELETE", path, 204, If_Match="*")


async def test_a_playbook_says_how_it_is_understood(node: Any) -> None:
    made = await ask(node, "POST", "/v1/playbooks", 201, PLAYBOOK)
    assert made["scripts"] == ["one"]
    assert made["markdown"] == PLAYBOOK["markdown"]
    assert any("Outbound Mode" in warning for warning in made["warnings"])


async def test_a_key_is_shown_once(node: Any, store: CallStore) -> None:
    desk = await ask(node, "POST", "/v1/deployments", 201, DEPLOYMENT)
    body = {"name": "crm", "scopes": ["voice:call", "calls:*"], "deployment_id": desk["id"]}
    made = await ask(node, "POST", "/v1/keys", 201, {**body, "daily_spend_cents": 500})
    key = made.pop("key")
    assert await ask(node, "GET", f"/v1/keys/{made['id']}", 200) == made
    listed = await ask(node, "GET", "/v1/keys", 200)
    assert made in listed["data"]
    assert key.rpartition("_")[2] not in str(listed)
    found = await KeyRing(store.engine).find(key)
    assert found is not None
    assert found.caller.deployment_id == desk["id"]
    assert found.caller.daily_spend_cents == 500
    rows = await audited(store)
    assert rows[-1][0] == "key_created"
    assert rows[-1][2]["id"] == made["id"]
    assert key.rpartition("_")[2] not in str(rows)


async def test_a_revoked_key_is_refused_at_once(node: Any, store: CallStore) -> None:
    made = await ask(node, "POST", "/v1/keys", 201, {"name": "x", "scopes": ["calls:read"]})
    async with as_key(node, made["key"]) as other:
        await ask(other, "GET", "/v1/calls", 200)
        await ask(node, "DELETE", f"/v1/keys/{made['id']}", 204)
        await ask(other, "GET", "/v1/calls", 401)
    await ask(node, "DELETE", f"/v1/keys/{made['id']}", 204)
    await ask(node, "DELETE", "/v1/keys/none", 404)
    rows = [row for row in await audited(store) if row[0] != "key_created"]
    assert [(kind, data.get("id"), key) for kind, key, data in rows[:1]] == [
        ("key_revoked", made["id"], rows[0][1])
    ]
    assert (rows[1][0], rows[1][1], rows[1][2]["code"]) == ("refused", made["id"], "unauthorized")
    assert len(rows) == 2


class as_key:  # noqa: N801
    """The node, with another key."""

    def __init__(self, node: Any, key: str) -> None:
        headers = {"Authorization": f"Bearer {key}"}
        self.client = aiohttp.ClientSession(node.url, headers=headers)

    async def __aenter__(self) -> "as_key":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.close()


async def test_nobody_gives_away_more_than_they_have(node: Any, store: CallStore) -> None:
    key = await KeyRing(store.engine).create("operator", ["admin", "calls:read"])
    async with as_key(node, key) as operator:
        await ask(operator, "POST", "/v1/keys", 201, {"name": "x", "scopes": ["calls:read"]})
        for scope in ("*", "calls:*", "calls:write", "voice:call"):
            body = {"name": "x", "scopes": [scope]}
            problem = await ask(operator, "POST", "/v1/keys", 400, body)
            assert problem["errors"][0]["field"] == "scopes"


ROUTES = [
    ("GET", "/v1/agents", "agents:read"),
    ("POST", "/v1/agents", "agents:write"),
    ("GET", "/v1/agents/x", "agents:read"),
    ("PUT", "/v1/agents/x", "agents:write"),
    ("DELETE", "/v1/agents/x", "agents:write"),
    ("GET", "/v1/playbooks", "agents:read"),
    ("POST", "/v1/playbooks", "agents:write"),
    ("GET", "/v1/deployments", "admin"),
    ("POST", "/v1/deployments", "admin"),
    ("DELETE", "/v1/deployments/x", "admin"),
    ("GET", "/v1/keys", "admin"),
    ("POST", "/v1/keys", "admin"),
    ("GET", "/v1/keys/x", "admin"),
    ("DELETE", "/v1/keys/x", "admin"),
    ("GET", "/v1/do-not-call", "admin"),
    ("POST", "/v1/do-not-call", "admin"),
    ("POST", "/v1/do-not-call/import", "admin"),
    ("DELETE", "/v1/do-not-call/x", "admin"),
    ("GET", "/v1/audit", "admin"),
    ("GET", "/v1/webhooks/deliveries", "admin"),
    ("POST", "/v1/webhooks/deliveries/x/replay", "admin"),
]
SCOPES = ["voice:call", "calls:read", "calls:write", "agents:read", "agents:write", "admin"]


async def test_every_route_needs_its_scope(node: Any, store: CallStore) -> None:
    ring = KeyRing(store.engine)
    for scope in SCOPES:
        key = await ring.create(scope, [scope])
        async with as_key(node, key) as holder:
            for method, path, needed in ROUTES:
                async with holder.client.request(method, path, json={}) as answer:
                    forbidden = answer.status == 403
                    assert forbidden == (needed != scope), (method, path, scope)


async def test_a_family_of_scopes_and_all_of_them(node: Any, store: CallStore) -> None:
    ring = KeyRing(store.engine)
    for scopes in (["agents:*"], ["*"]):
        async with as_key(node, await ring.create("x", scopes)) as holder:
            await ask(holder, "GET", "/v1/agents", 200)
            await ask(holder, "DELETE", "/v1/agents/x", 404)


async def test_a_key_of_a_deployment_is_about_calls_only(node: Any, store: CallStore) -> None:
    desk = await ask(node, "POST", "/v1/deployments", 201, DEPLOYMENT)
    key = await KeyRing(store.engine).create("x", ["*"], desk["id"])
    async with as_key(node, key) as holder:
        await ask(holder, "GET", "/v1/calls", 200)
        for method, path, _ in ROUTES:
            problem = await ask(holder, method, path, 403, {})
            assert problem["code"] == "forbidden"


async def test_a_key_without_scopes_comes_nowhere(node: Any, store: CallStore) -> None:
    key = await KeyRing(store.engine).create("x", [])
    routes = (await ask(node, "GET", "/openapi.json", 200))["paths"]
    async with as_key(node, key) as holder:
        for path, methods in routes.items():
            for method, operation in methods.items():
                body = operation.get("requestBody", {}).get("content", {})
                examples = body.get("application/json", {}).get("examples", {"none": {}})
                example = next(iter(examples.values())).get("value", {})
                headers = {"Idempotency-Key": "x"}
                there = re.sub(r"\{.*?\}", f"call_{'0' * 32}", path)
                async with holder.client.request(
                    method, there, json=example, headers=headers
                ) as answer:
                    assert answer.status == 403 or path in PUBLIC, (method, path, answer.status)


async def test_a_refusal_is_audited_with_its_key(node: Any, store: CallStore) -> None:
    key = await KeyRing(store.engine).create("x", ["calls:read"])
    async with as_key(node, key) as holder:
        await ask(holder, "POST", "/v1/agents", 403, AGENT)
    ((kind, key_id, data),) = await audited(store)
    assert (kind, key_id) == ("refused", key_id_of(key))
    assert data == {
        "code": "forbidden",
        "reason": "the key lacks the scope agents:write",
        "route": "POST /v1/agents",
    }


async def test_a_number_is_listed_until_it_is_removed(node: Any, store: CallStore) -> None:
    entry = {"number": "+14165550123", "reason": "asked us"}
    made = await ask(node, "POST", "/v1/do-not-call", 201, entry)
    assert await ask(node, "POST", "/v1/do-not-call", 200, {**entry, "reason": "again"}) == made
    path = "/v1/do-not-call/%2B14165550123"
    assert await ask(node, "GET", path, 200) == made
    assert await DoNotCall(store.engine).contains("+14165550123")
    await ask(node, "DELETE", path, 204)
    await ask(node, "DELETE", path, 404)
    assert [row[0] for row in await audited(store)] == ["do_not_call_added", "do_not_call_removed"]


async def test_numbers_are_imported_and_bad_lines_told(node: Any, store: CallStore) -> None:
    await DoNotCall(store.engine).add("+14165550123")
    csv = "number,reason\r\n+14165550123,x\r\n(416) 555-0124,asked\r\n+14165550125\r\nnobody\r\n"
    told = await ask(node, "POST", "/v1/do-not-call/import", 200, {"csv": csv})
    assert (told["added"], told["present"]) == (2, 1)
    assert [line["line"] for line in told["rejected"]] == [5]
    listed = await ask(node, "GET", "/v1/do-not-call?limit=2", 200)
    assert [one["number"] for one in listed["data"]] == ["+14165550123", "+14165550124"]
    rest = await ask(node, "GET", f"/v1/do-not-call?cursor={listed['next_cursor']}", 200)
    assert [one["number"] for one in rest["data"]] == ["+14165550125"]


async def test_the_audit_is_read_newest_first(node: Any, store: CallStore) -> None:
    log = AuditLog(store.engine)
    for number in range(3):
        await log.append("admitted", f"call_{number}", "k", {"n": number})
    page = await ask(node, "GET", "/v1/audit?limit=2", 200)
    assert [row["seq"] for row in page["data"]] == [3, 2]
    assert page["data"][0]["data"] == {"n": 2}
    rest = await ask(node, "GET", f"/v1/audit?cursor={page['next_cursor']}", 200)
    assert [row["seq"] for row in rest["data"]] == [1]
    of_call = await ask(node, "GET", "/v1/audit?call_id=call_1", 200)
    assert [row["call_id"] for row in of_call["data"]] == ["call_1"]


async def delivery(store: CallStore, number: int, status: str) -> None:
    """A row such as the workflow writes."""
    at = f"2026-01-31T12:00:00.00000{number // 2}Z"
    row = {
        "id": f"msg_{number}",
        "call_id": f"call_{number}",
        "event": "call.ended",
        "url": "https://example.com/hook",
        "document": "{}",
        "status": status,
        "attempts": 3,
        "last_error": "500",
        "created_at": at,
        "updated_at": at,
    }
    async with store.engine.begin() as connection:
        await connection.execute(insert(webhook_deliveries), row)


async def test_dead_letters_are_listed(node: Any, store: CallStore) -> None:
    for number in range(6):
        await delivery(store, number, "dead" if number % 3 else "delivered")
    page = await ask(node, "GET", "/v1/webhooks/deliveries?status=dead&limit=3", 200)
    assert [one["id"] for one in page["data"]] == ["msg_5", "msg_4", "msg_2"]
    assert "document" not in page["data"][0]
    path = f"/v1/webhooks/deliveries?status=dead&cursor={page['next_cursor']}"
    assert [one["id"] for one in (await ask(node, "GET", path, 200))["data"]] == ["msg_1"]


async def test_only_what_was_given_up_is_replayed(node: Any, store: CallStore) -> None:
    await delivery(store, 1, "delivered")
    await ask(node, "POST", "/v1/webhooks/deliveries/msg_9/replay", 404)
    problem = await ask(node, "POST", "/v1/webhooks/deliveries/msg_1/replay", 409)
    assert problem["code"] == "not-given-up"
