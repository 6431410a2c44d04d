"""What a call uses of its engines, counted on the way to them."""

from collections.abc import AsyncIterator, Sequence

from media.audio import Pcm
from pipeline.ports import SpokenWord, Voice


class MeteredVoice:
    """The voice of one call. Stands before the engine."""

    def __init__(self, voice: Voice) -> None:
        self._voice = voice
        self.characters = 0
        """Of all that was to be spoken, heard or not."""

    def speak(self, text: str, rate_hz: int) -> AsyncIterator[tuple[Pcm, Sequence[SpokenWord]]]:
        """Speak one clause."""
        self.characters += len(text)
        return self._voice.speak(text, rate_hz)

    async def open(self, voice_id: str = "", speed: float = 1.0) -> Voice:
        """The engine in another voice; nothing of that is counted here."""
        return await self._voice.open(voice_id, speed)
