"""The operator's own functions, called over HTTP with signed requests."""

import asyncio
import json
from datetime import UTC, datetime

from pydantic import JsonValue
from pydantic_core import from_json, to_json

from server.calls.agent import ToolRequest
from server.calls.webhooks.errors import SecretInvalid
from server.calls.webhooks.signature import sign
from server.outward.client import OutwardClient, Reply
from server.outward.errors import OutwardError, OutwardRefused, OutwardUnreachable
from server.tools.errors import ToolFailed, ToolRefused, ToolUnavailable

ATTEMPTS = 2
RETRY_S = 0.5
MAX_ANSWER_CHARS = 4000
"""A brain can read no more of an answer."""


class Functions:
    """Calls functions; one for the node."""

    def __init__(self, client: OutwardClient, secret: str, default_url: str | None) -> None:
        self._client = client
        self._secret = secret
        self._default_url = default_url

    async def call(
        self, tool: ToolRequest, call_id: str, use_id: str, arguments: dict[str, JsonValue]
    ) -> JsonValue:
        """Call a function and return its answer: JSON, or text. Raises `ToolError`.

        use_id: the same for every attempt, so that the operator's side can tell a repetition.
        A function is tried again only where it was not reached or answered 502, 503 or 504.
        """
        url = tool.url or self._default_url
        if url is None:
            raise ToolUnavailable("this function has no URL; its use is only reported")
        message = {
            "type": "tool.called",
            "timestamp": datetime.now(UTC).isoformat(),
            "data": {"call_id": call_id, "name": tool.function.name, "arguments": arguments},
        }
        body = to_json(message).decode()
        async with asyncio.timeout(tool.timeout_s):
            for attempt in range(1, ATTEMPTS + 1):
                reply = await self._attempt(tool, url, use_id, body, last=attempt == ATTEMPTS)
                if reply is not None:
                    return _answer(reply)
                await asyncio.sleep(RETRY_S)
        raise ToolFailed("the function did not answer")

    async def _attempt(
        self, tool: ToolRequest, url: str, use_id: str, body: str, *, last: bool
    ) -> Reply | None:
        """One request; None where it is worth another."""
        try:
            reply = await self._client.send(
                "POST",
                url,
                headers={**tool.headers, "Content-Type": "application/json"},
                signature=sign(self._secret, use_id, datetime.now(UTC), body),
                body=body.encode(),
                timeout_s=tool.timeout_s,
            )
        except OutwardRefused as error:
            raise ToolRefused(str(error)) from error
        except SecretInvalid as error:
            raise ToolUnavailable(str(error)) from error
        except OutwardUnreachable as error:
            if last:
                raise ToolFailed("the function was not reached") from error
            return None
        except OutwardError as error:
            raise ToolFailed(str(error)) from error
        if reply.status in (502, 503, 504) and not last:
            return None
        return reply


def _answer(reply: Reply) -> JsonValue:
    if not 200 <= reply.status < 300:
        raise ToolFailed(f"the function answered {reply.status}")
    text = reply.body.decode("utf-8", "replace")
    try:
        value: JsonValue = from_json(text) if text.strip() else None
    except ValueError:
        value = text
    if len(json.dumps(value)) > MAX_ANSWER_CHARS:
        return json.dumps(value)[:MAX_ANSWER_CHARS]
    return value
