"""A document's own command, run as its reader would: only host and key are put in."""

import asyncio
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MARK = "\n%{http_code} %{content_type}"


@dataclass(frozen=True)
class Answer:
    """What curl got."""

    status: int
    content_type: str
    body: Any


async def run(command: str, host: str, url: str, key: str, folder: Path) -> Answer:
    """Run a curl command against a node.

    host: the document's, `https://…`. The key replaces the document's placeholder, or is added
    where the document shows none.
    """
    assert host in command
    placeholders = ("mbn_live_YOUR_API_KEY", "mbn_live_YOUR_KEY", "<token>")
    for placeholder in placeholders:
        command = command.replace(f"Bearer {placeholder}", f"Bearer {key}")
    if "Authorization" not in command:
        command = command.replace("curl ", f"curl -H 'Authorization: Bearer {key}' ", 1)
    command = command.replace(host, url).replace("curl ", f"curl -sS -w '{MARK}' ", 1)
    # Commands of the documents that stand on one line have lost their line ends.
    command = command.replace(" \\ -", " -")
    uuidgen = folder / "uuidgen"
    uuidgen.write_text("#!/bin/sh\ncat /proc/sys/kernel/random/uuid\n")
    uuidgen.chmod(0o755)
    process = await asyncio.create_subprocess_exec(
        "bash",
        "-c",
        command,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "no_proxy": "*"},
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    text, _, tail = out.decode().rpartition("\n")
    status, _, content_type = tail.partition(" ")
    return Answer(int(status), content_type, json.loads(text))
