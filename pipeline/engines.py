"""The three engines of a conversation, of a node or as one call wants them."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.ports import Transcriber, Voice, VoiceDetector


@dataclass(frozen=True, slots=True)
class Engines:
    """The three engines of a conversation."""

    detector: VoiceDetector
    transcriber: Transcriber
    voice: Voice

    async def opened(
        self,
        *,
        voice_id: str = "",
        speed: float = 1.0,
        language: str = "en",
        keywords: Sequence[str] = (),
    ) -> "Engines":
        """The engines as one call wants them; where it wants nothing, no engine is asked.

        Raises ValueError for what they do not have, and RuntimeError where one is down.
        """
        voice, transcriber = self.voice, self.transcriber
        if voice_id or speed != 1.0:
            voice = await voice.open(voice_id, speed)
        if language != "en" or keywords:
            transcriber = await transcriber.open(language, keywords)
        return Engines(self.detector, transcriber, voice)
