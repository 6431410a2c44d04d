"""One live call of a node in virtual time, without a database: the node, a peer, its phone."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

from pipeline.session import Engines
from pipeline.task import Task
from server.calls.conversation import Conversation
from server.calls.request import CallRequest
from server.calls.terms import terms
from server.live_actions import Refusal
from server.live_call import Attached
from server.node import Node
from server.settings import CallSettings, MediaSettings
from server.sip.events import IncomingInvite
from server.sip.transport import SipEndpoint
from tests.pipeline.stage import EchoBrain, LevelDetector, ListTranscriber, ToneVoice
from tests.server.real_node import NUMBER, Peer, Phone, scripted_peer, settings, tone
from tests.virtual_time import run, virtual_loop

CALL = "call_1"
T = TypeVar("T")


@dataclass
class Line:
    """Both ends of the call."""

    node: Node
    peer: Peer
    events: list[tuple[str, Mapping[str, object]]]
    conversation: "asyncio.Task[Conversation]"
    invite: IncomingInvite
    transcriber: ListTranscriber
    brain: EchoBrain
    phones: list[Phone] = field(default_factory=list)

    @property
    def phone(self) -> Phone:
        """The callee's, once the call is answered."""
        return self.phones[-1]

    async def answers(self, *, muted: bool = False) -> Phone:
        """Pick up."""
        phone = await self.peer.answers(self.invite, muted=muted)
        self.phones.append(phone)
        return phone

    async def speaks(self, seconds: float, then_s: float = 1.5) -> None:
        """Let the callee speak, and be silent afterwards."""
        self.phone.say(tone(400, seconds))
        await asyncio.sleep(seconds + then_s)

    def act(self, action: str, **arguments: object) -> Refusal | None:
        """As the API does."""
        return self.node.act(CALL, action, arguments)

    def of(self, kind: str) -> list[Mapping[str, Any]]:
        """The data of the events of a kind."""
        return [data for name, data in self.events if name == kind]

    async def hang_up(self) -> Conversation:
        """The callee puts the phone down."""
        self.peer.hangs_up(self.invite)
        return await self.conversation


@asynccontextmanager
async def line(
    folder: Path,
    *texts: str,
    brain: EchoBrain | None = None,
    call: CallSettings | None = None,
    media: MediaSettings | None = None,
    attached: Attached | None = None,
    **fields: Any,
) -> AsyncIterator[Line]:
    """Dial; the peer rings. `texts`: what is recognised, one after the other."""
    brain = brain or EchoBrain("good morning")
    transcriber = ListTranscriber(*texts)
    async with scripted_peer() as peer:
        engines = Engines(LevelDetector(), transcriber, ToneVoice())
        sections = {"call": call or CallSettings(record=False), "media": media or MediaSettings()}
        configured = settings(folder, peer.port, **sections)
        equipped = attached or Attached()
        node = Node(configured, engines, lambda _task, _id: brain, lambda _id, _terms: equipped)
        await node.start()
        request = terms(CallRequest(to=NUMBER, objective="hello", **fields), configured)
        events: list[tuple[str, Mapping[str, object]]] = []
        conversation = asyncio.ensure_future(
            node.converse(
                CALL,
                request,
                Task("hello"),
                lambda kind, data: events.append((kind, dict(data))),
            )
        )
        try:
            invite = await peer.rings()
            yield Line(node, peer, events, conversation, invite, transcriber, brain)
        finally:
            node.hang_up(CALL)
            await conversation
            await node.stop()


def virtually(story: Callable[[], Awaitable[T]]) -> T:
    """Run a story in virtual time, SIP included."""

    async def main() -> T:
        loop = virtual_loop()
        with mock.patch.object(SipEndpoint, "now", staticmethod(loop.time)):
            return await story()

    return run(main())
