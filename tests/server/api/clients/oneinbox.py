"""A client of OneInbox's calls, written from its document alone."""

from typing import Any

import aiohttp

from tests.server.api.clients.shape import MOMENT, Nullable, Number, misfits

REQUEST = (
    "agent_id", "to_number", "from_number", "scheduled_at", "variables", "webhook_url",
    "overrides", "metadata",
)  # fmt: skip
RECORD = {
    "id": str,
    "agent_id": str,
    "type": str,
    "status": str,
    "from_number": Nullable(str),
    "to_number": Nullable(str),
    "room_name": Nullable(str),
    "direction": str,
    "scheduled_at": Nullable(MOMENT),
    "variables": Any,
    "started_at": Nullable(MOMENT),
    "ended_at": Nullable(MOMENT),
    "duration_seconds": Nullable(Number),
    "end_reason": Nullable(str),
    "transcript": Nullable(str),
    "messages": [Any],
    "recording_url": Nullable(str),
    "analysis": Any,
    "latency": Any,
    "cost_cents": Nullable(int),
    "metadata": Any,
    "created_at": MOMENT,
    "updated_at": MOMENT,
    "twilio_call_sid": Nullable(str),
    "outcome": Nullable(str),
    "ai_summary": Nullable(str),
    "credits_used": Nullable(Number),
}


class OneInbox:
    """One account."""

    def __init__(self, url: str, token: str, session: aiohttp.ClientSession) -> None:
        self._url, self._session = url, session
        self._headers = {"Authorization": f"Bearer {token}"}

    async def create(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """POST /v1/calls."""
        assert set(body) <= set(REQUEST)
        return await self._ask("POST", "/v1/calls", body)

    async def get(self, call_id: str) -> tuple[int, dict[str, Any]]:
        """GET /v1/calls/{id}."""
        return await self._ask("GET", f"/v1/calls/{call_id}")

    async def _ask(
        self, method: str, path: str, body: dict[str, Any] | None = None
    ) -> tuple[int, dict[str, Any]]:
        url = f"{self._url}{path}"
        async with self._session.request(method, url, json=body, headers=self._headers) as answer:
            got = await answer.json(content_type=None)
            if answer.status in (200, 201):
                assert misfits(got, RECORD) == []
            return answer.status, got
