"""The demo's stories in the words of each API."""

from typing import Any

import pytest
from pydantic import BaseModel

from bench.faces import DIALECTS, native, posting
from bench.requests import REQUESTS
from server.api import oneinbox, oneshot, talktomyagent, voiceos
from server.api.wire import unknown_fields
from server.calls.request import CallRequest

MODELS: dict[str, type[BaseModel]] = {
    "native": CallRequest,
    "talktomyagent": talktomyagent.VoiceCall,
    "oneshot": oneshot.VoiceCall,
    "voiceos": voiceos.PhoneCallRequest,
    "oneinbox": oneinbox.CreateCall,
}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("story", sorted(REQUESTS))
def test_a_story_is_a_body_of_each_face_and_of_no_unknown_field(dialect: Any, story: str) -> None:
    posted = posting(REQUESTS[story], dialect, "demo")
    body = MODELS[dialect].model_validate(posted.body)
    assert list(unknown_fields(body)) == []


def test_the_debt_story_is_the_documents_own_example() -> None:
    posted = posting(REQUESTS["debt-collection"], "talktomyagent")
    assert posted.body == talktomyagent.EXAMPLES["debt collection"]


def test_the_restaurant_story_is_the_documents_own_example() -> None:
    assert posting(REQUESTS["restaurant"], "oneshot").body == oneshot.EXAMPLES["reservation"]


def test_a_record_of_oneinbox_is_read_in_native_words() -> None:
    record = {
        "id": "call_1",
        "to_number": "+14155551234",
        "from_number": None,
        "end_reason": "agent_hangup",
        "duration_seconds": 3.5,
        "ai_summary": "They paid.",
        "analysis": {"disposition": "agreed", "success": True, "criteria": []},
    }
    call = native(record)
    assert (call["ended_reason"], call["duration_s"]) == ("agent_hangup", 3.5)
    assert call["outcome"] == {"success": True, "criteria": []}
    assert native({"ended_reason": "canceled"}) == {"ended_reason": "canceled"}
