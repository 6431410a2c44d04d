"""A client of TalkToMyAgent's Voice API, written from its document alone."""

from typing import Any
from uuid import uuid4

import aiohttp

from tests.server.api.clients.shape import MOMENT, misfits

REQUEST = (
    "from", "to", "targetName", "triggeredBy", "maxDurationSecs", "task", "purpose",
)  # fmt: skip
TASK = ("goal", "script", "facts", "escalation")
SUCCESS = {"data": {"callControlId": str, "expectedDialAt": MOMENT, "warnings": [str]}}
ERRORS = {
    "validation-failed": 400,
    "voice-self-call": 400,
    "voice-country-blocked": 403,
    "not-found": 404,
    "voice-not-provisioned": 409,
    "rate-limit-exceeded": 429,
    "dial-failed": 502,
}


class TalkToMyAgent:
    """One key."""

    def __init__(self, url: str, key: str, session: aiohttp.ClientSession) -> None:
        self._url, self._session = url, session
        self._headers = {"Authorization": f"Bearer {key}"}

    async def place(
        self, body: dict[str, Any], idempotency_key: str | None = ""
    ) -> tuple[int, dict[str, Any], str | None]:
        """POST /v1/voice/calls; returns status, body and Retry-After, all checked.

        idempotency_key: a new one where empty, none where None.
        """
        assert set(body) <= set(REQUEST)
        headers = dict(self._headers)
        if idempotency_key is not None:
            headers["Idempotency-Key"] = idempotency_key or str(uuid4())
        url = f"{self._url}/v1/voice/calls"
        async with self._session.post(url, json=body, headers=headers) as answer:
            if answer.status == 200:
                got = await answer.json()
                assert misfits(got, SUCCESS) == []
            else:
                assert answer.content_type == "application/problem+json"
                got = await answer.json(content_type=None)
                assert {"type", "title", "status", "detail"} <= set(got)
                assert got["status"] == answer.status
            return answer.status, got, answer.headers.get("Retry-After")
