"""A client of OneShot's Voice Call API, written from its document alone.

The document describes the fields of answers without naming them; the names are those that
docs/dialects.md settles.
"""

import asyncio
from typing import Any

import aiohttp

from tests.server.api.clients.shape import Nullable, Number, misfits

REQUEST = ("objective", "target_number", "caller_persona", "context", "max_duration_minutes")
QUOTE = {
    "quote_id": str,
    "objective_summary": str,
    "talking_points": [str],
    "success_criteria": [str],
    "is_conference": bool,
    "total_cost_usd": int | float,
}
EXECUTION = {
    "request_id": str,
    "status": ("processing",),
    "from_number": Nullable(str),
    "target_numbers": [str],
    "is_conference": bool,
}
RESULT = {
    **EXECUTION,
    "status": ("processing", "completed"),
    "transcript": Nullable(str),
    "summary": Nullable(str),
    "success_evaluation": Nullable(("pass", "fail")),
    "duration_seconds": Nullable(Number),
    "actual_cost_usd": Nullable(Number),
}
ERRORS = ("content_blocked", "emergency_number_blocked", "invalid_request")


class OneShot:
    """One agent."""

    def __init__(
        self, url: str, key: str | None, wallet: str, session: aiohttp.ClientSession
    ) -> None:
        """key: which the document does not know; None where the wallet is enough."""
        self._url, self._session = url, session
        self._headers = {"X-Agent-ID": wallet}
        if key is not None:
            self._headers["Authorization"] = f"Bearer {key}"

    async def voice(self, body: dict[str, Any], quote: bool = False) -> tuple[int, dict[str, Any]]:
        """POST /v1/tools/voice/call."""
        assert set(body) <= set(REQUEST)
        url = f"{self._url}/v1/tools/voice/call{'?quote=true' if quote else ''}"
        async with self._session.post(url, json=body, headers=self._headers) as answer:
            got = await answer.json(content_type=None)
            if answer.status in (200, 202):
                assert misfits(got, QUOTE if quote else EXECUTION) == []
            return answer.status, got

    async def result(self, request_id: str) -> dict[str, Any]:
        """Poll /v1/requests/{request_id} until it is completed."""
        url = f"{self._url}/v1/requests/{request_id}"
        while True:
            async with self._session.get(url, headers=self._headers) as answer:
                assert answer.status == 200
                got: dict[str, Any] = await answer.json()
            assert misfits(got, RESULT) == []
            if got["status"] == "completed":
                return got
            await asyncio.sleep(0.02)
