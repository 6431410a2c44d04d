"""A client of VoiceOS, written from its document alone."""

from typing import Any

import aiohttp

from tests.server.api.clients.shape import MOMENT, Nullable, Number, misfits

VOICE = {
    "provider": str,
    "credential_id": Nullable(str),
    "model": str,
    "speed": Number,
    "temperature": Number,
    "text_guidance": Number,
    "style_guidance": Number,
}
FUNCTION = {"name": str, "description": str, "parameters": Any}
LANGUAGE_MODEL = {
    "provider": str,
    "credential_id": Nullable(str),
    "model": str,
    "tools": [{"type": ("function",), "function": FUNCTION}],
    "temperature": Number,
    "max_tokens": int,
}
TRANSCRIBER = {
    "provider": str,
    "credential_id": Nullable(str),
    "model": str,
    "language": str,
    "keywords": [str],
}
WEBHOOK = {
    "events": [str],
    "filter": Nullable(str),
    "url": str,
    "method": ("GET", "POST", "PUT", "PATCH", "DELETE"),
    "headers": Any,
}
HOOK = {"events": [str], "filter": Nullable(str), "instructions": Any}
AGENT_CONFIG = {
    "initial_message": Nullable(str),
    "prompt": Nullable(str),
    "voice": VOICE,
    "language_model": LANGUAGE_MODEL,
    "transcriber": TRANSCRIBER,
    "max_duration_seconds": int,
    "webhooks": [WEBHOOK],
    "hooks": [HOOK],
    "metadata": Any,
}
TIMED = {"provider": str, "cost": Number, "seconds": Number}
COST_BREAKDOWN = {
    "total": Number,
    "voice": {"provider": str, "cost": Number, "characters": int},
    "transcriber": TIMED,
    "language_model": {
        "provider": str,
        "cost": Number,
        "input_tokens": int,
        "output_tokens": int,
    },
    "telephony": TIMED,
    "agent": TIMED,
}
CONVERSATION = {
    "uri": str,
    "type": ("inbound_phone_call", "outbound_phone_call", "web_call"),
    "account_id": str,
    "status": ("started", "ended", "queued"),
    "started_at": Nullable(MOMENT),
    "ended_at": Nullable(MOMENT),
    "agent_config": AGENT_CONFIG,
    "agent_id": Nullable(str),
    "messages": [Any],
    "phone_call": Nullable({"provider": str, "to_number": str, "from_number": str}),
    "ended_reason": Nullable(("agent_ended", "user_ended", "unknown")),
    "cost_breakdown": Nullable(COST_BREAKDOWN),
    "id": str,
}
REQUEST = ("from_number", "to_number", "agent_id", "agent_config")


class VoiceOS:
    """One account."""

    def __init__(self, url: str, token: str, session: aiohttp.ClientSession) -> None:
        self._url, self._session = url, session
        self._headers = {"Authorization": f"Bearer {token}"}

    async def create_phone_call(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """POST /conversations/create_phone_call."""
        assert set(body) <= set(REQUEST)
        return await self._ask("POST", "/conversations/create_phone_call", body)

    async def get(self, conversation_id: str) -> tuple[int, dict[str, Any]]:
        """GET /conversations/{id}."""
        return await self._ask("GET", f"/conversations/{conversation_id}")

    async def end(self, conversation_id: str) -> tuple[int, dict[str, Any]]:
        """POST /conversations/{id}/end."""
        return await self._ask("POST", f"/conversations/{conversation_id}/end")

    async def list(self) -> list[dict[str, Any]]:
        """GET /conversations."""
        url = f"{self._url}/conversations"
        async with self._session.get(url, headers=self._headers) as answer:
            found: list[dict[str, Any]] = (await answer.json())["data"]
        assert misfits(found, [CONVERSATION]) == []
        return found

    async def _ask(
        self, method: str, path: str, body: dict[str, Any] | None = None
    ) -> tuple[int, dict[str, Any]]:
        url = f"{self._url}{path}"
        async with self._session.request(method, url, json=body, headers=self._headers) as answer:
            got = await answer.json(content_type=None)
            if answer.status == 200:
                assert misfits(got, CONVERSATION) == []
            return answer.status, got
