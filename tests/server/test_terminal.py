"""`offhook call` against a served API."""

import io
from typing import Any

import pytest
from rich.console import Console

from server.client import NodeClient
from server.errors import NodeRefused
from server.terminal import show_call


def client_of(node: Any) -> NodeClient:
    return NodeClient(node.url, node.client.headers["Authorization"].removeprefix("Bearer "))


async def test_a_call_is_shown_from_the_dial_to_the_verdict(node: Any) -> None:
    shown = io.StringIO()
    request = {"to": "+14165550123", "task": {"goal": "Collect", "script": "none"}}
    async with client_of(node) as client:
        await show_call(client, request, Console(file=shown, width=100))
    text = shown.getvalue()
    for words in ("script-not-found", "ringing", "callee  Hello?", "agent_hangup", "30 s"):
        assert words in text


async def test_a_refusal_is_told_in_the_words_of_the_problem(node: Any) -> None:
    async with client_of(node) as client:
        with pytest.raises(NodeRefused, match=r"validation-failed: to: not an E\.164 number"):
            await client.place({"to": "0044", "objective": "x"})
