"""What a node has begun goes on after a crash: workflows of DBOS, in a thread of their own.

Stands between whoever begins work and `Worker`, which does it on the node's loop. A workflow
holds names of work and nothing of its content: what is said on the phone is in our tables, and
each step looks there how far it has come, so that it may be run again.
"""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import closing
from contextvars import Context
from pathlib import Path
from typing import Any, Protocol, TypeVar

from dbos import DBOS, DBOSConfig, SetEnqueueOptions, SetWorkflowID

from server.calls.database import Place
from server.private import make_file, make_folder

QUEUE = "calls"
POLL_S = 0.5
THREADS = 16
"""For the statements of workflows; as many as it likes would be hundreds."""
WINDOW = 4
"""A node takes so many times its capacity from the queue: the next call is at hand when a place
becomes free, and one whose number is busy does not hold up those behind it."""
VERSION = "1"
"""Of the workflows, not of the program: a newer program takes up what an older one began."""
UNLIMITED = None
"""However often a node crashes, its calls are closed in the end."""

T = TypeVar("T")


class Worker(Protocol):
    """Does on the node's loop what the workflows are about. Neither method raises."""

    async def carry_out(self, call_id: str) -> float | None:
        """Take a call as far as it goes; returns when to go on, in Unix seconds."""

    async def deliver(self, delivery_id: str) -> float | None:
        """Try once to deliver a webhook; returns how many seconds to wait for the next try."""


class _Bridge:
    """Where steps find the worker of this process; without one they wait until they are ended."""

    def __init__(self) -> None:
        self._worker: Worker | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._under_way: set[asyncio.Task[Any]] = set()
        """What steps have begun on the node's loop."""

    def open(self, worker: Worker) -> None:
        """Let steps work on the running loop."""
        self._worker, self._loop = worker, asyncio.get_running_loop()

    def close(self) -> None:
        """Let no further step begin."""
        self._worker = self._loop = None

    async def run(self, work: Callable[[Worker], Coroutine[Any, Any, T]]) -> T:
        """Do something on the node's loop."""
        if self._worker is None or self._loop is None or self._loop.is_closed():
            await asyncio.Event().wait()
        assert self._worker is not None
        assert self._loop is not None
        return await _on(self._loop, self._watched(work(self._worker)))

    async def settle(self) -> None:
        """On the node's loop: end what steps have begun there, and wait until it has ended."""
        await asyncio.sleep(0)  # what another thread has just handed over begins
        while self._under_way:
            for task in self._under_way:
                task.cancel()
            await asyncio.wait(self._under_way)

    async def _watched(self, work: Coroutine[Any, Any, T]) -> T:
        task = asyncio.current_task()
        assert task is not None
        self._under_way.add(task)
        try:
            return await work
        finally:
            self._under_way.discard(task)


async def _on(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T]) -> T:
    """Await work on another thread's loop.

    In a context of its own: DBOS must not take what the work begins for part of the step that
    asked for it.
    """
    done = Context().run(asyncio.run_coroutine_threadsafe, work, loop)
    return await asyncio.wrap_future(done)


_bridge = _Bridge()


@DBOS.step(name="carry_out")
async def _carry_out(call_id: str) -> float | None:
    return await _bridge.run(lambda worker: worker.carry_out(call_id))


@DBOS.step(name="deliver")
async def _deliver(delivery_id: str) -> float | None:
    return await _bridge.run(lambda worker: worker.deliver(delivery_id))


@DBOS.workflow(name="call", max_recovery_attempts=UNLIMITED)
async def _call(call_id: str) -> None:
    """One turn of a call: until it is over, or until it is due again."""
    due = await _carry_out(call_id)
    if due is not None:
        await _enqueue(call_id, f"{DBOS.workflow_id}+", due)


@DBOS.workflow(name="delivery", max_recovery_attempts=UNLIMITED)
async def _delivery(delivery_id: str) -> None:
    while (wait_s := await _deliver(delivery_id)) is not None:
        await DBOS.sleep_async(wait_s)


async def _enqueue(call_id: str, workflow_id: str, due: float) -> None:
    delay_s = due - time.time()
    options = SetEnqueueOptions(
        priority=max(1, int(due)), delay_seconds=delay_s if delay_s > 0 else None
    )
    with SetWorkflowID(workflow_id), options:
        await DBOS.enqueue_workflow_async(QUEUE, _call, call_id)


class Durable:
    """The workflows of this process; DBOS allows one of it at a time."""

    def __init__(self, place: Place, node_id: str, capacity: int) -> None:
        """place: the node's database; beside a SQLite file, workflows have one of their own."""
        self._url = _url(place)
        self.node_id = node_id
        self._capacity = capacity
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="workflows", daemon=True)
        self._over = asyncio.Event()
        self._launched = threading.Event()
        self._failure: BaseException | None = None

    async def start(self, worker: Worker) -> None:
        """Open the database, and go on with what was begun. Raises what DBOS raises."""
        self.attach(worker)
        await asyncio.to_thread(self.launch)

    def attach(self, worker: Worker) -> None:
        """Have the running loop do the work."""
        _bridge.open(worker)

    def launch(self) -> None:
        """Begin, and wait until workflows can be started. Raises what DBOS raises."""
        self._thread.start()
        self._launched.wait()
        if self._failure is not None:
            raise self._failure

    async def detach(self) -> None:
        """Let no further step begin, and end those that have begun here."""
        _bridge.close()
        await _bridge.settle()

    async def stop(self) -> None:
        """Let go of everything that is under way; the next start goes on with it."""
        await self.detach()
        await asyncio.to_thread(self.close)

    def close(self) -> None:
        """The same, from a thread without a loop."""
        _bridge.close()
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._over.set)
            self._thread.join()

    async def begin(self, call_id: str, run: str = "1") -> None:
        """Begin a call now, once for each `run`. Raises what the database raises."""

        async def start() -> None:
            with SetWorkflowID(f"{call_id}.{run}"):
                await DBOS.start_workflow_async(_call, call_id)

        await self._run_there(start())

    async def enqueue(self, call_id: str, due: float) -> None:
        """Have a call begun when it is due and there is room."""
        await self._run_there(_enqueue(call_id, f"{call_id}.1", due))

    async def send(self, delivery_id: str, run: str = "1") -> None:
        """Have a webhook delivered. run: names a later, second delivery of the same."""

        async def start() -> None:
            with SetWorkflowID(f"{delivery_id}.{run}"):
                await DBOS.start_workflow_async(_delivery, delivery_id)

        await self._run_there(start())

    async def under_way(self) -> frozenset[str]:
        """The ids of all calls and deliveries that a workflow of some node cares for."""

        async def ids() -> frozenset[str]:
            states = ["PENDING", "ENQUEUED", "DELAYED"]
            found = await DBOS.list_workflows_async(
                status=states, load_input=False, load_output=False
            )
            return frozenset(one.workflow_id.partition(".")[0] for one in found)

        return await self._run_there(ids())

    async def take_over(self, node_id: str) -> None:
        """Go on with what another node left behind. Idempotent."""
        await asyncio.to_thread(DBOS._recover_pending_workflows, [node_id])

    async def _run_there(self, work: Coroutine[Any, Any, T]) -> T:
        return await _on(self._loop, work)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        except BaseException as error:
            self._failure = error
        finally:
            self._launched.set()
            DBOS.destroy()
            self._loop.close()

    async def _serve(self) -> None:
        config = DBOSConfig(
            name="offhook",
            system_database_url=self._url,
            executor_id=self.node_id,
            application_version=VERSION,
            console_log_level="ERROR",
            enable_otlp=False,
            max_executor_threads=THREADS,
        )
        DBOS(config=config)
        DBOS.launch()  # adopts this loop: every workflow runs here
        await DBOS.register_queue_async(
            QUEUE, worker_concurrency=WINDOW * self._capacity, polling_interval_sec=POLL_S
        )
        self._launched.set()
        await self._over.wait()
        await _end(task for task in asyncio.all_tasks() if task is not asyncio.current_task())


async def _end(tasks: Iterable["asyncio.Task[Any]"]) -> None:
    """Cancel: a workflow that is cut short counts as pending."""
    ending: list[Awaitable[Any]] = []
    for task in tasks:
        task.cancel()
        ending.append(task)
    await asyncio.gather(*ending, return_exceptions=True)


def _url(place: Place) -> str:
    if isinstance(place, str):
        return place
    path = Path(place).absolute().with_name("workflows.sqlite3")
    make_folder(path.parent)
    make_file(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")  # stays with the file
    return f"sqlite:///{path}"
