"""What the voices' sides in the node share: one process, and for each call a manner of its own."""

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing

from models.clause import Pcm, SpokenWord
from models.errors import NotOffered
from models.host import EngineHost, HostedEngine

SLOWEST, FASTEST = 0.5, 2.0


class CallVoice:
    """A voice as one call wants it. Many may share one process."""

    def __init__(self, host: EngineHost, voice_id: str = "", speed: float = 1.0) -> None:
        self._host, self._voice_id, self._speed = host, voice_id, speed

    async def speak(
        self, text: str, rate_hz: int
    ) -> AsyncIterator[tuple[Pcm, Sequence[SpokenWord]]]:
        """Speak one clause; yields int16 audio at `rate_hz` with the words it contains."""
        arguments = (text, rate_hz, self._voice_id, self._speed)
        async with aclosing(self._host.stream("speak", *arguments)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def open(self, voice_id: str = "", speed: float = 1.0) -> "CallVoice":
        """The same engine in another manner.

        voice_id: the engine's own default where empty. speed: 0.5 to 2, 1 is the engine's own.
        Raises NotOffered, and EngineError where the engine is down.
        """
        if not SLOWEST <= speed <= FASTEST:
            raise NotOffered(f"a speed of {speed:g}; {SLOWEST:g} to {FASTEST:g} can be had")
        if voice_id:
            await self._host.call("check", voice_id)
        return CallVoice(self._host, voice_id, speed)


class HostedVoice(HostedEngine, CallVoice):
    """A voice with its process, in the manner it was made with."""

    def __init__(self, host: EngineHost) -> None:
        HostedEngine.__init__(self, host)
        CallVoice.__init__(self, host)
