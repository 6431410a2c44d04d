"""The host of an engine process: answers, streams, cancellation, loss and restart."""

import asyncio
import errno
import os
import select
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from models.errors import EngineBusy, EngineCorrupt, EngineError, EngineLost
from models.host import EngineHost

ROOT = Path(__file__).parents[2]


def open_descriptors() -> int:
    """How many this process has."""
    return len(os.listdir("/proc/self/fd"))


@pytest.fixture
async def host() -> AsyncIterator[EngineHost]:
    host = EngineHost("echo", "tests.models.engines:load", queue_limit=4)
    await host.start()
    yield host
    await host.close()


@pytest.fixture
async def impatient() -> AsyncIterator[EngineHost]:
    host = EngineHost("echo", "tests.models.engines:load", answer_s=0.5)
    await host.start()
    yield host
    await host.close()


async def test_a_call_returns_the_methods_result(host: EngineHost) -> None:
    assert await host.call("echo", {"a": (1, "b")}) == {"a": (1, "b")}


async def test_arrays_cross_the_border_unchanged(host: EngineHost) -> None:
    pcm = np.arange(-5000, 5000, dtype=np.int16)
    doubled = await host.call("double", pcm)
    assert doubled.dtype == np.int16
    assert np.array_equal(doubled, pcm * 2)


async def test_a_stream_yields_every_piece_in_order(host: EngineHost) -> None:
    assert [n async for n in host.stream("count", "a", 300)] == list(range(300))


async def test_streams_take_turns(host: EngineHost) -> None:
    order: list[str] = []

    async def follow(name: str) -> None:
        async for _ in host.stream("count", name, 2000):
            order.append(name)  # noqa: PERF401  (the order of arrival is what counts)

    await asyncio.gather(follow("a"), follow("b"))
    assert order.index("b") < 1000
    assert order[-1000:].count("a") > 100


async def test_closing_a_stream_stops_its_generator(host: EngineHost) -> None:
    stream = host.stream("count", "endless", 10**12)
    assert await anext(stream) == 0
    await stream.aclose()
    assert await host.call("noted") == ["endless closed"]


async def test_cancelling_a_task_in_a_stream_stops_its_generator(host: EngineHost) -> None:
    begun = asyncio.Event()

    async def follow() -> None:
        async for _ in host.stream("count", "endless", 10**12):
            begun.set()

    task = asyncio.create_task(follow())
    await begun.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert await host.call("noted") == ["endless closed"]


async def test_cancelled_queued_work_is_never_begun(host: EngineHost, tmp_path: Path) -> None:
    running = asyncio.create_task(host.call("wait_for", str(tmp_path / "go")))
    queued = asyncio.create_task(host.call("note", "queued"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    queued.cancel()
    await asyncio.gather(queued, return_exceptions=True)
    await asyncio.sleep(0.1)  # the child reads on while its engine works
    (tmp_path / "go").touch()
    await running
    assert "queued" not in await host.call("noted")


async def test_the_result_of_a_cancelled_running_call_is_dropped(
    host: EngineHost, tmp_path: Path
) -> None:
    running = asyncio.create_task(host.call("wait_for", str(tmp_path / "go")))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    (tmp_path / "go").touch()
    assert await host.call("echo", "next") == "next"


async def test_a_full_queue_refuses_at_once(host: EngineHost, tmp_path: Path) -> None:
    waiting = [asyncio.create_task(host.call("wait_for", str(tmp_path / "go"))) for _ in range(4)]
    await asyncio.sleep(0)
    with pytest.raises(EngineBusy, match="4 requests"):
        await host.call("echo", 1)
    (tmp_path / "go").touch()
    await asyncio.gather(*waiting)


async def test_an_error_in_a_method_reaches_the_caller(host: EngineHost) -> None:
    with pytest.raises(EngineError, match="ValueError: no such thing"):
        await host.call("fail")
    assert await host.call("echo", 1) == 1


async def test_a_post_needs_no_answer(host: EngineHost) -> None:
    host.post("note", "posted")
    assert await host.call("noted") == ["posted"]


async def test_the_child_is_nicer_than_its_parent_and_has_one_thread(host: EngineHost) -> None:
    assert await host.call("priority") == min(19, os.nice(0) + 10)
    assert await host.call("threads") == "1"


async def test_an_error_while_loading_keeps_its_class() -> None:
    host = EngineHost("echo", "tests.models.engines:load_corrupt")
    with pytest.raises(EngineCorrupt, match="a torn file"):
        await host.start()
    with pytest.raises(EngineLost, match="not been started"):
        await host.call("echo", 1)
    await host.close()


async def test_a_death_while_loading_is_an_error() -> None:
    host = EngineHost("echo", "tests.models.engines:load_dying")
    with pytest.raises(EngineLost, match="ended while loading"):
        await host.start()
    await host.close()


async def test_an_unknown_factory_is_an_error() -> None:
    host = EngineHost("echo", "tests.models.engines:no_such_thing")
    with pytest.raises(EngineError, match="no_such_thing"):
        await host.start()
    await host.close()


async def test_a_killed_process_fails_what_is_pending_and_is_replaced(
    host: EngineHost, tmp_path: Path
) -> None:
    pending = asyncio.create_task(host.call("wait_for", str(tmp_path / "never")))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    first = host.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    with pytest.raises(EngineLost, match="process ended"):
        await pending
    assert await host.call("echo", "again") == "again"
    assert host.pid != first
    assert host.restarts == 1


async def test_a_stream_ends_with_an_error_when_the_process_dies(host: EngineHost) -> None:
    stream = host.stream("count", "endless", 10**12)
    await anext(stream)
    assert host.pid is not None
    os.kill(host.pid, signal.SIGKILL)
    with pytest.raises(EngineLost):
        async for _ in stream:
            pass


async def test_a_process_that_hangs_is_killed_and_replaced(
    impatient: EngineHost, tmp_path: Path
) -> None:
    first = impatient.pid
    with pytest.raises(EngineLost, match=r"hung for 0\.5 s"):
        await impatient.call("wait_for", str(tmp_path / "never"))
    assert await impatient.call("echo", "again") == "again"
    assert impatient.pid != first


async def test_a_hanging_process_is_found_out_though_nobody_waits_for_it_any_more(
    impatient: EngineHost, tmp_path: Path
) -> None:
    first = impatient.pid
    running = asyncio.create_task(impatient.call("hang", str(tmp_path / "begun")))
    while not (tmp_path / "begun").exists():  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    while impatient.pid == first:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    assert await impatient.call("echo", 1) == 1


async def test_long_work_that_shows_a_sign_of_life_is_let_be(impatient: EngineHost) -> None:
    first = impatient.pid
    assert [piece async for piece in impatient.stream("think", 40, 0.02)] == []
    assert impatient.pid == first


async def test_an_idle_process_is_let_be_also_after_cancelled_work(impatient: EngineHost) -> None:
    first = impatient.pid
    stream = impatient.stream("count", "endless", 10**12)
    await anext(stream)
    await stream.aclose()
    await asyncio.sleep(0.8)
    assert impatient.pid == first
    assert impatient.restarts == 0


async def test_a_restart_that_finds_no_resources_is_tried_again(
    host: EngineHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    shortages = [OSError(errno.EMFILE, "no descriptors"), OSError(errno.ENOMEM, "no memory")]
    popen = subprocess.Popen

    def short(*args: object, **options: object) -> object:
        if shortages:
            raise shortages.pop(0)
        return popen(*args, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(subprocess, "Popen", short)
    sockets = open_descriptors()
    with pytest.raises(EngineLost, match="process ended"):
        await host.call("die")
    with pytest.raises(EngineLost, match=r"does not restart: .* no descriptors"):
        await host.call("echo", 1)
    while host.pid is None:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    assert await host.call("echo", 1) == 1
    assert open_descriptors() == sockets


async def test_a_start_without_resources_is_an_error_of_the_tree(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def short(*_: object, **__: object) -> object:
        raise OSError(errno.EAGAIN, "no processes")

    monkeypatch.setattr(subprocess, "Popen", short)
    before = open_descriptors()
    with pytest.raises(EngineLost, match=r"no process for the echo engine: .*no processes"):
        await EngineHost("echo", "tests.models.engines:load").start()
    assert open_descriptors() == before


async def test_an_engine_that_does_not_restart_says_why(tmp_path: Path) -> None:
    once = {"path": str(tmp_path / "loaded")}
    host = EngineHost("echo", "tests.models.engines:load_once", once)
    await host.start()
    with pytest.raises(EngineLost, match="process ended"):
        await host.call("die")
    with pytest.raises(EngineLost, match="does not restart: gone bad"):
        await host.call("echo", 1)
    await host.close()


async def test_closing_ends_the_process_and_what_is_pending(tmp_path: Path) -> None:
    host = EngineHost("echo", "tests.models.engines:load")
    await host.start()
    pid = host.pid
    assert pid is not None
    pending = asyncio.create_task(host.call("wait_for", str(tmp_path / "never")))
    await asyncio.sleep(0)
    await host.close()
    with pytest.raises(EngineLost):
        await pending
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_closing_right_after_the_start_ends_the_process() -> None:
    host = EngineHost("echo", "tests.models.engines:load")
    await host.start()
    pid = host.pid
    await host.close()
    assert pid is not None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


NODE = """
import asyncio, sys
from models.host import EngineHost

async def main():
    host = EngineHost("echo", "tests.models.engines:load")
    await host.start()
    print(host.pid, flush=True)
    await host.call("wait_for", "/nonexistent")

asyncio.run(main())
"""


def test_a_killed_node_leaves_no_orphan() -> None:
    node = subprocess.Popen([sys.executable, "-c", NODE], stdout=subprocess.PIPE, cwd=ROOT)
    with node:
        assert node.stdout is not None
        engine = int(node.stdout.readline())
        watch = os.pidfd_open(engine)
        node.kill()
    gone, _, _ = select.select([watch], [], [], 10)
    os.close(watch)
    assert gone
