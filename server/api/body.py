"""A request's body, read with every limit in place."""

import asyncio
import re

from aiohttp import web
from pydantic import JsonValue
from pydantic_core import from_json

from server.api.errors import Problem

MAX_BODY_BYTES = 64 * 1024
MAX_DEPTH = 16

_STRING_OR_BRACKET = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', re.DOTALL)


async def read_json(request: web.Request, timeout_s: float) -> JsonValue:
    """Read and parse a JSON body. Raises `Problem` 400, 408, 413 or 415."""
    if request.content_type != "application/json":
        raise Problem(415, "unsupported-media-type", "send application/json")
    try:
        async with asyncio.timeout(timeout_s):
            raw = await request.read()
    except TimeoutError:
        closed = {"Connection": "close"}
        raise Problem(408, "request-timeout", "the body came too slowly", headers=closed) from None
    except web.RequestPayloadError:
        raise Problem(400, "invalid-json", "the body is not encoded as it says") from None
    return parse_json(raw)


def parse_json(raw: bytes) -> JsonValue:
    """Parse JSON of limited depth. Raises `Problem` 400."""
    if depth(raw) > MAX_DEPTH:
        raise Problem(400, "invalid-json", f"nested deeper than {MAX_DEPTH} levels")
    try:
        value: JsonValue = from_json(raw, allow_inf_nan=False)
    except ValueError as error:
        raise Problem(400, "invalid-json", str(error)) from None
    return value


def depth(raw: bytes) -> int:
    """How deep arrays and objects are nested; strings do not count, nothing else is checked."""
    level = deepest = 0
    for token in _STRING_OR_BRACKET.finditer(raw):
        match raw[token.start()]:
            case 0x5B | 0x7B:
                level += 1
                deepest = max(deepest, level)
            case 0x5D | 0x7D:
                level -= 1
    return deepest
