"""A call on the terminal: what is said as it is said, then what came of it."""

import asyncio
import signal
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from rich.console import Console
from rich.text import Text

from server.client import NodeClient
from server.errors import NodeRefused

SPEAKERS = {"assistant": ("agent ", "magenta"), "user": ("callee", "cyan")}


async def show_call(client: NodeClient, request: Mapping[str, object], console: Console) -> bool:
    """Place a call and print it to its end; Ctrl-C hangs up. Returns the verdict.

    Raises `NodeRefused` and `NodeUnreachable`.
    """
    call = await client.place(request)
    call_id = call["id"]
    console.print(Text(f"{call_id} to {call['to']}", style="bright_black"))
    for warning in call["warnings"]:
        console.print(Text(f"warning: {warning}", style="yellow"))
    hanging_up: list[asyncio.Task[None]] = []
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(
        signal.SIGINT, lambda: hanging_up.append(loop.create_task(_hang_up(client, call_id)))
    )
    try:
        async for event in client.events(call_id):
            show_event(console, event)
    finally:
        loop.remove_signal_handler(signal.SIGINT)
    return show_verdict(console, await client.read(call_id))


def show_event(console: Console, event: Mapping[str, Any]) -> None:
    """Print one event, if it is one to see."""
    data = event.get("data") or {}
    match event.get("type"):
        case "status":
            console.print(Text(str(data.get("status")), style="bold"))
        case "transcript.final" if data.get("content"):
            name, colour = SPEAKERS.get(str(data.get("role")), ("", ""))
            cut = " …" if data.get("interrupted") else ""
            console.print(Text(f"{name}  {data['content']}{cut}", style=colour))
        case "tool.called":
            console.print(Text(f"tool    {data.get('name')}", style="yellow"))
        case "dtmf.received":
            console.print(Text(f"key     {data.get('digit')}", style="yellow"))
        case _:
            pass


def show_record(console: Console, call: Mapping[str, Any]) -> None:
    """Print a call as far as it has come."""
    console.print(Text(f"{call['id']} to {call['to']}: {call['status']}", style="bold"))
    for warning in call["warnings"]:
        console.print(Text(f"warning: {warning}", style="yellow"))
    for message in call["messages"]:
        show_event(console, {"type": "transcript.final", "data": message})
    if call["status"] == "ended":
        show_verdict(console, call)


def show_verdict(console: Console, call: Mapping[str, Any]) -> bool:
    """Print what came of a call; True where it succeeded."""
    outcome = call.get("outcome") or {}
    success = bool(outcome.get("success"))
    sip = f" (SIP {call['sip_status']})" if call.get("sip_status") else ""
    console.print(Text(f"\n{call['ended_reason']}{sip} after {call.get('duration_s') or 0:.0f} s"))
    if call.get("summary"):
        console.print(Text(str(call["summary"])))
    for criterion in outcome.get("criteria", ()):
        sign = "✓" if criterion["met"] else "✗"
        evidence = f" — “{criterion['evidence']}”" if criterion.get("evidence") else ""
        console.print(Text(f"{sign} {criterion['text']}{evidence}"))
    verdict = Text("success", style="bold green") if success else Text("no success", "bold red")
    console.print(verdict)
    return success


async def _hang_up(client: NodeClient, call_id: str) -> None:
    with suppress(NodeRefused):  # It ended by itself in the meantime.
        await client.hang_up(call_id)
