"""The documents of the four APIs, where they lie beside the project."""

import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[3].parent / "shared/reference"


def reference(name: str) -> str:
    """The text of a document; the test is skipped where they are not there."""
    path = FOLDER / name
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    return path.read_text(encoding="utf-8")


def curl_of(text: str, start: str) -> str:
    """The first curl command behind `start`, up to the quote that closes its body."""
    found = re.search(re.escape(start) + r".*?(curl .*?-(?:d|-data) '.*?\}\s*')", text, re.DOTALL)
    assert found, f"no curl command behind {start!r}"
    return found[1]
