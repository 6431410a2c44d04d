"""JSON in the one form that is hashed (RFC 8785): sorted names, no spaces, nothing escaped
that need not be.

Numbers are written as Python writes them: integers up to 2**53 as RFC 8785 wants them, floats
only nearly so. The audit hashes strings, integers and null alone.
"""

import json
from collections.abc import Mapping
from typing import Any


def canonical(value: object) -> str:
    """The text of a JSON value; equal values have equal texts.

    Half of a surrogate pair, which UTF-8 cannot carry, becomes U+FFFD.
    Raises ValueError for NaN and infinities, TypeError for what is no JSON.
    """
    text = json.dumps(_sorted(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _sorted(value: object) -> Any:
    if isinstance(value, Mapping):
        if not all(isinstance(name, str) for name in value):
            raise TypeError("a name in JSON is a string")
        # RFC 8785 §3.2.3: by UTF-16 code units, which differs from code points above the BMP.
        names = sorted(value, key=lambda name: name.encode("utf-16-be", "surrogatepass"))
        return {name: _sorted(value[name]) for name in names}
    if isinstance(value, list | tuple):
        return [_sorted(item) for item in value]
    return value
