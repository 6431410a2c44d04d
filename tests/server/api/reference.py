"""The documents of the four APIs, where they lie beside the project.

Tests that read them are marked `documents`; without the documents there are no such tests.
"""

import re
from pathlib import Path

FOLDER = Path(__file__).parents[3].parent / "shared/reference"


def reference(name: str) -> str:
    """The text of a document."""
    return (FOLDER / name).read_text(encoding="utf-8")


def curl_of(text: str, start: str) -> str:
    """The first curl command behind `start`, up to the quote that closes its body."""
    found = re.search(re.escape(start) + r".*?(curl .*?-(?:d|-data) '.*?\}\s*')", text, re.DOTALL)
    assert found, f"no curl command behind {start!r}"
    return found[1]
