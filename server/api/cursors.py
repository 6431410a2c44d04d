"""Cursors of lists: the place behind which a list goes on, as text that means nothing to others."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import TypeVar

from server.calls.errors import CursorInvalid

T = TypeVar("T")


def write_cursor(kind: str, place: str) -> str:
    """A cursor of one kind of list."""
    return base64.urlsafe_b64encode(f"{kind} {place}".encode()).decode().rstrip("=")


def read_cursor(kind: str, cursor: str | None) -> str | None:
    """The place that `write_cursor` was given. Raises `CursorInvalid`."""
    if cursor is None:
        return None
    try:
        padded = cursor.encode() + b"=" * (-len(cursor) % 4)
        text = base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, UnicodeError) as error:
        raise CursorInvalid(cursor) from error
    found, _, place = text.partition(" ")
    if found != kind or not place:
        raise CursorInvalid(cursor)
    return place


def page_of(
    kind: str, found: Sequence[T], limit: int, place: Callable[[T], str]
) -> tuple[Sequence[T], str | None]:
    """A page, and the cursor to the next one. found: up to one item more than the limit."""
    page = found[:limit]
    return page, write_cursor(kind, place(page[-1])) if len(found) > limit else None
