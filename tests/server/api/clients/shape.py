"""Says whether JSON has the fields that a document lists, each of its type."""

from collections.abc import Mapping
from datetime import datetime
from types import UnionType
from typing import Any

Number = int | float


def misfits(value: object, shape: object, at: str = "answer") -> list[str]:
    """Where the value differs from the shape; every listed field must be there, and no other.

    shape: a type or union of types; an object as a dict of shapes; `[shape]` for an array;
    `Moment` for a date-time; `Any`. A tuple of literal values allows only these.
    """
    if shape is Any:
        return []
    if isinstance(shape, dict):
        return _object(value, shape, at)
    if isinstance(shape, list):
        if not isinstance(value, list):
            return [f"{at} is no array"]
        return [m for i, one in enumerate(value) for m in misfits(one, shape[0], f"{at}[{i}]")]
    if isinstance(shape, Moment):
        return [] if shape.fits(value) else [f"{at} is no date-time: {value!r}"]
    if isinstance(shape, Nullable):
        return [] if value is None else misfits(value, shape.shape, at)
    if isinstance(shape, tuple):
        return [] if value in shape else [f"{at} is none of {shape}: {value!r}"]
    assert isinstance(shape, type | UnionType)
    fits = isinstance(value, shape) and (shape is bool or not isinstance(value, bool))
    return [] if fits else [f"{at} is no {shape}: {value!r}"]


def _object(value: object, shape: Mapping[str, object], at: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{at} is no object"]
    missing = [f"{at}.{name} is missing" for name in shape if name not in value]
    unknown = [f"{at}.{name} is not in the document" for name in value if name not in shape]
    inner = [
        misfit
        for name, one in shape.items()
        if name in value
        for misfit in misfits(value[name], one, f"{at}.{name}")
    ]
    return missing + unknown + inner


class Nullable:
    """The shape, or null."""

    def __init__(self, shape: object) -> None:
        self.shape = shape


class Moment:
    """A date-time of RFC 3339."""

    def fits(self, value: object) -> bool:
        try:
            return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
        except ValueError:
            return False


MOMENT = Moment()
