"""The API's description of itself."""

import json
import re
from typing import Any

import aiohttp
import jsonschema_rs
import pytest

from server.api.docs_page import page


@pytest.fixture
async def spec(node: Any) -> dict[str, Any]:
    async with aiohttp.ClientSession(node.url) as anyone, anyone.get("/openapi.json") as answer:
        assert answer.status == 200
        found: dict[str, Any] = await answer.json()
        return found


async def test_every_route_of_the_node_is_described(node: Any, spec: dict[str, Any]) -> None:
    served = {
        (route.method, route.resource.canonical)
        for route in node.application.router.routes()
        if route.resource is not None
    }
    described = {
        (method.upper(), path) for path, methods in spec["paths"].items() for method in methods
    }
    assert described == served


async def test_every_reference_leads_somewhere_and_every_schema_is_valid(
    spec: dict[str, Any],
) -> None:
    schemas = spec["components"]["schemas"]
    names = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(spec)))
    assert names <= set(schemas)
    for schema in schemas.values():
        jsonschema_rs.meta.validate({"components": spec["components"], **schema})


async def test_every_example_fits_its_schema(spec: dict[str, Any]) -> None:
    seen = 0
    for methods in spec["paths"].values():
        for operation in methods.values():
            content = operation.get("requestBody", {}).get("content", {})
            for body in content.values():
                schema = {**body["schema"], "components": spec["components"]}
                for example in body.get("examples", {}).values():
                    jsonschema_rs.validate(schema, example["value"])
                    seen += 1
    assert seen >= 8


async def test_the_page_needs_nothing_from_elsewhere(node: Any) -> None:
    async with aiohttp.ClientSession(node.url) as anyone, anyone.get("/docs") as answer:
        html = await answer.text()
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert not re.search(r"<script|<link|<img|src=|@import|url\(", html)
    for path in ("/v1/calls", "/v1/voice/calls", "/v1/tools/voice/call", "/conversations"):
        assert f"POST</span> {path}" in html or f"GET</span> {path}" in html


async def test_what_stands_in_the_description_is_text_on_the_page(spec: dict[str, Any]) -> None:
    spec["paths"]["/healthz"]["get"]["summary"] = "<b>bold</b> `a<b`"
    html = page(spec)
    assert "&lt;b&gt;bold&lt;/b&gt; <code>a&lt;b</code>" in html
