"""Lists of calls; what they are filtered by is tested over HTTP."""

import pytest

from server.calls.errors import CursorInvalid
from server.calls.listing import Wanted, list_calls
from server.calls.store import CallStore


@pytest.mark.parametrize("cursor", ["", "x", "%%%", "bm9uc2Vuc2U", "Y2FsbA=", "é"])
async def test_a_cursor_of_somebody_else_is_refused(store: CallStore, cursor: str) -> None:
    with pytest.raises(CursorInvalid):
        await list_calls(store.engine, Wanted(cursor=cursor))
