"""schemathesis over the whole description, against a served node: no answer breaks it."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

from server.settings import Settings

CONFIG = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx", 400, 403, 404, 409, 412, 422, 429, 502]
"""
"""What fits its schema may be refused all the same: numbers have plans, calls have a state."""


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """A client that generates its requests may take its time."""
    http = settings.http.model_copy(update={"read_timeout_s": 10.0})
    return settings.model_copy(update={"http": http})


@pytest.mark.timeout(400)
async def test_no_answer_breaks_the_description(node: Any, tmp_path: Path) -> None:
    # `--phases=coverage` looks at every constraint by itself: some 6,000 requests.
    config = tmp_path / "schemathesis.toml"
    config.write_text(CONFIG)
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        f"--config-file={config}",
        "run",
        f"{node.url}/openapi.json",
        f"--header=Authorization: Bearer {node.key}",
        "--phases=examples,fuzzing",
        "--max-examples=4",
        "--seed=1",
        "--generation-deterministic",
        "--no-shrink",
        "--continue-on-failure",
        "--no-color",
    ]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    out, _ = await process.communicate()
    assert process.returncode == 0, out.decode()
