"""An engine for the tests of the node that loads once and never again; see `models.host`."""

from pathlib import Path

from models.errors import EngineCorrupt
from models.host import EngineHost, HostedEngine


class ShortLivedTranscriber(HostedEngine):
    """Hears "yes" in everything, until its process is gone."""

    def __init__(self, folder: Path) -> None:
        arguments = {"mark": str(folder / "loaded-once")}
        super().__init__(EngineHost("short-lived", "tests.server.faulty:load_once", arguments))

    async def transcribe(self, pcm: object, rate_hz: int, hints: object = ()) -> "Yes":
        """Recognise nothing."""
        await self.host.call("listen")
        return Yes()

    async def open(self, language: str = "en", keywords: object = ()) -> "ShortLivedTranscriber":
        """All calls are alike."""
        return self


class Yes:
    """What it always hears."""

    text = "yes"
    confidence = 1.0


class _Ear:
    def listen(self) -> None:
        """Take no time."""


def load_once(mark: str) -> _Ear:
    """Load the first time only."""
    if Path(mark).exists():
        raise EngineCorrupt("gone bad")
    Path(mark).touch()
    return _Ear()
