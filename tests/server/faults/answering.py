"""Somebody who takes every call, however many nodes make them, and keeps count."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from server.sip.events import Ended, Established, IncomingInvite
from tests.server.real_node import Peer, Phone, media_address


@dataclass
class Answering:
    """What has come in so far."""

    peer: Peer
    hangs_up: bool = True
    """Whether they hang up as soon as they hear something."""
    dialled: "Counter[str]" = field(default_factory=Counter)
    """How often each number was called: INVITEs, without their repetitions."""
    let_go: list[str] = field(default_factory=list)
    """The numbers that were hung up on."""
    _talks: dict[str, tuple[IncomingInvite, Phone]] = field(default_factory=dict)
    _tasks: "set[asyncio.Task[None]]" = field(default_factory=set)

    async def run(self) -> None:
        """Take every call."""
        while True:
            match await self.peer.events.get():
                case IncomingInvite() as invite:
                    await self._takes(invite)
                case Established(call_id=call_id):
                    self._talks[call_id][1].start(media_address(self._talks[call_id][0].sdp))
                    if self.hangs_up:
                        self.begin(self._listens(call_id))
                case Ended(call_id=call_id, by="remote"):
                    self.let_go.append(number_of(self._talks[call_id][0]))

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something beside."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def end(self) -> None:
        """Take no more calls."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, Exception):
                raise result

    async def _takes(self, invite: IncomingInvite) -> None:
        self.dialled[number_of(invite)] += 1
        phone = await Phone.open()
        self.peer.phones.append(phone)
        self._talks[invite.call_id] = invite, phone
        self.peer.do(lambda agent, now: agent.answer(invite.call_id, phone.sdp(), now))

    async def _listens(self, call_id: str) -> None:
        invite, phone = self._talks[call_id]
        with suppress(TimeoutError):  # the node is gone
            await phone.hears()
        self.peer.hangs_up(invite)
        phone.falls_silent()


def number_of(invite: IncomingInvite) -> str:
    """Who is called."""
    return invite.request_uri.partition("@")[0].removeprefix("sip:")


@asynccontextmanager
async def answering(peer: Peer) -> AsyncIterator[Answering]:
    """Have every call to the peer taken."""
    callee = Answering(peer)
    callee.begin(callee.run())
    try:
        yield callee
    finally:
        await callee.end()
