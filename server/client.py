"""A running node, as commands see it: place a call, follow it, ask anything of the API."""

import json
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Any, Self

import aiohttp
from yarl import URL

from server.errors import NodeRefused, NodeUnreachable

RECONNECTS = 5


class NodeClient:
    """One node and one key; an async context manager."""

    def __init__(self, url: str, key: str) -> None:
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {key}"}

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5)
        self._http = aiohttp.ClientSession(headers=self._headers, timeout=timeout)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._http.close()

    async def place(self, request: Mapping[str, object]) -> dict[str, Any]:
        """Place a call. Raises `NodeRefused` and `NodeUnreachable`, like all that follow."""
        placed: dict[str, Any] = await self.request("POST", "/v1/calls", request)
        return placed

    async def read(self, call_id: str) -> dict[str, Any]:
        """The call's record."""
        record: dict[str, Any] = await self.request("GET", f"/v1/calls/{call_id}")
        return record

    async def hang_up(self, call_id: str) -> None:
        """End the call."""
        await self.request("POST", f"/v1/calls/{call_id}/actions", {"action": "hang_up"})

    async def events(self, call_id: str) -> AsyncIterator[dict[str, Any]]:
        """Every event of the call, once, up to the last; connects again where cut off."""
        seen = "0"
        for _ in range(RECONNECTS):
            try:
                async for number, event in self._stream(call_id, seen):
                    seen = number
                    yield event
                    if event.get("type") == "call.ended":
                        return
            except aiohttp.ClientError:
                continue
        raise NodeUnreachable(f"{self._url} keeps breaking off; the call may still go on")

    async def _stream(self, call_id: str, after: str) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        url = f"{self._url}/v1/calls/{call_id}/events"
        async with self._http.get(url, headers={"Last-Event-ID": after}) as answer:
            await _check(answer)
            fields: dict[str, str] = {}
            async for raw in answer.content:
                name, _, value = raw.decode().rstrip("\r\n").partition(":")
                if name:
                    fields[name] = value.strip()
                elif not value and "data" in fields:
                    yield fields.get("id", after), json.loads(fields["data"])
                    fields = {}

    async def request(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """The JSON of an answer; None where it has no body."""
        try:
            url = URL(self._url + path, encoded=True)
            async with self._http.request(method, url, json=body, headers=headers) as answer:
                await _check(answer)
                return await answer.json() if await answer.read() else None
        except aiohttp.ContentTypeError as error:
            raise NodeRefused(f"{self._url} does not answer as a node does") from error
        except (aiohttp.ClientError, ValueError) as error:
            raise NodeUnreachable(f"{self._url}: {error}; is `offhook serve` running?") from error


async def _check(answer: aiohttp.ClientResponse) -> None:
    if answer.status < 400:
        return
    text = await answer.text()
    try:
        problem = json.loads(text)
        raise NodeRefused(f"{problem['code']}: {problem['detail']}")
    except (ValueError, KeyError, TypeError):
        raise NodeRefused(f"{answer.status}: {text[:200]}") from None
