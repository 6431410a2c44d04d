"""The do-not-call list, on SQLite and PostgreSQL, and the lines it is read from."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncEngine

from server.calls.do_not_call import DoNotCall, Line, read_lines
from server.calls.errors import NotFound

NUMBERS = ("+14165550123", "+14165550124", "+442079460958")


@pytest.fixture
async def numbers(engine: AsyncEngine) -> DoNotCall:
    numbers = DoNotCall(engine)
    for number in NUMBERS:
        await numbers.add(number, "asked us")
    return numbers


async def test_a_number_is_on_the_list_until_it_is_taken_off(numbers: DoNotCall) -> None:
    assert await numbers.contains(NUMBERS[0])
    assert not await numbers.contains("+14165550199")
    await numbers.remove(NUMBERS[0])
    assert not await numbers.contains(NUMBERS[0])
    with pytest.raises(NotFound):
        await numbers.remove(NUMBERS[0])


async def test_a_number_that_is_there_keeps_its_reason(numbers: DoNotCall) -> None:
    assert not await numbers.add(NUMBERS[0], "again")
    assert (await numbers.get(NUMBERS[0])).reason == "asked us"


async def test_the_list_is_in_order_and_can_be_paged(numbers: DoNotCall) -> None:
    first = await numbers.list(limit=2)
    assert [entry.number for entry in first] == list(NUMBERS[:2])
    assert [entry.number for entry in await numbers.list(first[-1].number)] == [NUMBERS[2]]


def test_lines_are_read_with_what_is_wrong_with_them() -> None:
    lines = [
        "\ufeffnumber,reason\r\n",
        "+1 416 555 0123,asked us\n",
        "(416) 555-0124\n",
        '"+44 20 7946 0958","moved, no address"\n',
        "\n",
        "# a comment\n",
        "nobody\n",
        "+1416,short\n",
        f"+14165550125,{'x' * 501}\n",
    ]
    read = read_lines(lines, "CA")
    assert read[:3] == (
        Line(2, "+14165550123", "asked us"),
        Line(3, "+14165550124", ""),
        Line(4, "+442079460958", "moved, no address"),
    )
    assert [line.line for line in read[3:]] == [7, 8, 9]
    assert all(line.error and not line.number for line in read[3:])


@given(st.lists(st.text(max_size=40)))
def test_no_line_is_too_odd(lines: list[str]) -> None:
    assert all(bool(line.number) != bool(line.error) for line in read_lines(lines, "US"))
