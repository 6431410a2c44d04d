"""Places for calls: exact, in order, and nobody waits behind a call that may not go yet."""

import asyncio

from server.calls.slots import Capacity, Claim, Slots


def claim(name: str, number: str = "", due: float = 0.0, key: str | None = None) -> Claim:
    return Claim(name, (number or name,), key, None, due)


async def settled() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_the_last_place_goes_to_one() -> None:
    slots = Slots(Capacity(1))
    assert [slots.take(claim(name)) for name in "ab"] == [True, False]
    slots.release("a")
    assert slots.take(claim("b"))


async def test_a_place_that_is_held_is_not_counted_twice() -> None:
    slots = Slots(Capacity(2))
    assert slots.take(claim("a"))
    assert slots.take(claim("a"))
    assert slots.take(claim("b"))
    slots.release("a")
    slots.release("a")
    assert slots.take(claim("c"))
    assert not slots.take(claim("d"))


async def test_who_was_due_first_goes_first() -> None:
    slots = Slots(Capacity(1))
    slots.take(claim("now"))
    went: list[str] = []

    async def go(name: str, due: float) -> None:
        await slots.wait(claim(name, due=due))
        went.append(name)
        slots.release(name)

    tasks = [asyncio.create_task(go(name, due)) for name, due in (("c", 3), ("a", 1), ("b", 2))]
    await settled()
    slots.release("now")
    await asyncio.gather(*tasks)
    assert went == ["a", "b", "c"]


async def test_a_busy_number_holds_up_nobody_else() -> None:
    slots = Slots(Capacity(2, per_number=1, per_key=1))
    assert slots.take(claim("first", "+1", key="k"))
    waiting = [
        asyncio.create_task(slots.wait(claim("same number", "+1", due=1))),
        asyncio.create_task(slots.wait(claim("same key", "+2", due=2, key="k"))),
    ]
    await settled()
    assert slots.take(claim("other", "+3", due=3))
    slots.release("first")
    await settled()
    assert [task.done() for task in waiting] == [True, False]
    slots.release("other")
    await asyncio.gather(*waiting)


async def test_who_gives_up_waiting_gives_its_place_to_the_next() -> None:
    slots = Slots(Capacity(1))
    slots.take(claim("a"))
    gone = asyncio.create_task(slots.wait(claim("b", due=1)))
    stays = asyncio.create_task(slots.wait(claim("c", due=2)))
    await settled()
    gone.cancel()
    slots.release("a")
    await settled()
    assert stays.done()
    assert slots.waiting == 0
