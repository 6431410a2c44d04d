"""A node's API as the bench uses it: also waiting for the node, and fetching the recording."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp

from server.client import NodeClient


class BenchClient(NodeClient):
    """One node, one API key; an async context manager."""

    async def ready(self, timeout_s: float) -> None:
        """Wait until `/readyz` says yes. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            while not await self._is_ready():  # noqa: ASYNC110 — the node is another process
                await asyncio.sleep(0.05)

    async def _is_ready(self) -> bool:
        try:
            async with self._http.get(f"{self._url}/readyz") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    async def finished(self, call_id: str, timeout_s: float) -> dict[str, Any]:
        """Wait until the record says `ended`, and return it. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            while (record := await self.read(call_id))["status"] != "ended":  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        return record

    async def recording(self, call_id: str) -> bytes | None:
        """The stereo WAV, or None where there is none."""
        async with self._http.get(f"{self._url}/v1/calls/{call_id}/recording") as answer:
            return await answer.read() if answer.status == 200 else None
