"""espeak-ng through ctypes: the voice that needs no download, 2 s of speech in milliseconds.

Library and data come in the `espeakng_loader` wheel. The library is global to its process and
not thread-safe, so `EspeakEngine` lives in a child process; `EspeakVoice` is the node's side.
Names and numbers below are those of espeak-ng's speak_lib.h.
"""

import ctypes
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing
from typing import Any

import numpy as np
import numpy.typing as npt

from models.clause import (
    CALIBRATION,
    Pcm,
    SpokenWord,
    as_chunk,
    gain_to_level,
    placed,
    word_ends,
)
from models.errors import EngineCorrupt, EngineMissing
from models.host import EngineHost
from models.spoken import pieces

_SYNCHRONOUS = 2  # AUDIO_OUTPUT_SYNCHRONOUS
_RATE, _VOLUME, _PITCH = 1, 2, 3  # espeak_PARAMETER
_WORD, _END_OF_LIST = 1, 0  # espeak_EVENT_TYPE
_UTF8 = 1  # espeakCHARS_UTF8


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),  # characters, from 1
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),  # ms
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_char * 8),
    )


class _VoiceEntry(ctypes.Structure):
    """The first fields of espeak_VOICE."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_char_p),
        ("identifier", ctypes.c_char_p),
    )


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


class EspeakVoice:
    """Text to speech by espeak-ng in a child process.

    voice: an espeak-ng voice with an optional variant, such as "en-us+f3". rate_wpm: words per
    minute. pitch: 0..99. volume: 1.0 is the level at which all voices of this project speak.
    """

    def __init__(
        self,
        voice: str = "en-us+f3",
        *,
        rate_wpm: int = 165,
        pitch: int = 50,
        volume: float = 1.0,
    ) -> None:
        arguments = {"voice": voice, "rate_wpm": rate_wpm, "pitch": pitch, "volume": volume}
        self.host = EngineHost("espeak", "models.espeak:load", arguments)

    async def start(self) -> None:
        """Load the voice; EngineMissing if there is no such voice."""
        await self.host.start()

    async def close(self) -> None:
        """End the engine's process."""
        await self.host.close()

    async def speak(
        self, text: str, rate_hz: int
    ) -> AsyncIterator[tuple[Pcm, Sequence[SpokenWord]]]:
        """Speak one clause; yields int16 audio at `rate_hz` with the words it contains."""
        async with aclosing(self.host.stream("speak", text, rate_hz)) as chunks:
            async for chunk in chunks:
                yield chunk


def load(voice: str, rate_wpm: int, pitch: int, volume: float) -> "EspeakEngine":
    """Initialise the library with one voice, in the child process."""
    try:
        import espeakng_loader
    except ImportError as error:
        raise EngineMissing("this voice needs: pip install espeakng-loader") from error
    try:
        library = ctypes.CDLL(espeakng_loader.get_library_path())
        data = espeakng_loader.get_data_path().encode()
    except (OSError, RuntimeError) as error:
        raise EngineCorrupt(f"espeak-ng does not load: {error}") from error
    rate_hz = int(library.espeak_Initialize(_SYNCHRONOUS, 0, data, 0))
    if rate_hz <= 0:
        raise EngineCorrupt("espeak-ng does not initialise; is its data folder complete?")
    if library.espeak_SetVoiceByName(_identifier(library, voice).encode()):
        raise EngineMissing(f"espeak-ng has no voice {voice!r}; `en-us` or `en-us+f3` will do")
    library.espeak_SetParameter(_RATE, rate_wpm, 0)
    library.espeak_SetParameter(_PITCH, pitch, 0)
    library.espeak_SetParameter(_VOLUME, 60, 0)  # leaves headroom: the library clips at 100
    return EspeakEngine(library, rate_hz, volume, english=voice.startswith("en"))


def _identifier(library: Any, voice: str) -> str:
    """Find the file of a voice asked for by language, as in "en-gb"; others stay as they are."""
    language, plus, variant = voice.partition("+")
    library.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_VoiceEntry))
    listed = library.espeak_ListVoices(None)
    index = 0
    while listed[index]:
        entry = listed[index].contents
        if entry.languages[1:].decode() == language.lower():  # a priority byte, then the name
            return f"{entry.identifier.decode()}{plus}{variant}"
        index += 1
    return voice


class EspeakEngine:
    """The child's side: one voice, one clause at a time."""

    def __init__(self, library: Any, rate_hz: int, volume: float, *, english: bool) -> None:
        self._library = library
        self._rate_hz = rate_hz
        self._english = english
        self._audio: list[bytes] = []
        self._events: list[tuple[int, int]] = []
        self._callback = _Callback(self._collect)
        library.espeak_SetSynthCallback(self._callback)
        self._gain = volume * gain_to_level(self._synthesise(CALIBRATION)[0], rate_hz)

    def speak(self, text: str, rate_hz: int) -> Iterator[tuple[Pcm, list[SpokenWord]]]:
        """Yield one clause as a single chunk; nothing for a text that is silent."""
        parts = pieces(text, english=self._english)
        utterance, starts = placed(parts)
        if not utterance:
            return
        audio, events = self._synthesise(utterance)
        ends = word_ends(events, starts, len(audio))
        yield as_chunk(audio * np.float32(self._gain), ends, parts, self._rate_hz, rate_hz)

    def _synthesise(self, text: str) -> tuple[npt.NDArray[np.float32], list[tuple[int, int]]]:
        """Return the audio and, for each word begun, (character, sample)."""
        self._audio.clear()
        self._events.clear()
        encoded = text.encode()
        self._library.espeak_Synth(encoded, len(encoded) + 1, 0, 0, 0, _UTF8, None, None)
        self._library.espeak_Synchronize()
        audio = np.frombuffer(b"".join(self._audio), np.int16).astype(np.float32)
        return audio, list(self._events)

    def _collect(self, samples: Any, count: int, events: Any) -> int:
        if samples and count > 0:
            self._audio.append(ctypes.string_at(samples, 2 * count))
        index = 0
        while events and events[index].type != _END_OF_LIST:
            event = events[index]
            if event.type == _WORD:
                self._events.append((event.text_position - 1, event.sample))
            index += 1
        return 0
