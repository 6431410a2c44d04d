"""espeak-ng through ctypes: the voice that needs no download, 2 s of speech in milliseconds.

Library and data come in the `espeakng_loader` wheel. The library is global to its process and
not thread-safe, so `EspeakEngine` lives in a child process; `EspeakVoice` is the node's side.
Names and numbers below are those of espeak-ng's speak_lib.h.
"""

import ctypes
from collections.abc import Iterator
from pathlib import Path
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
from models.errors import EngineCorrupt, EngineMissing, NotOffered
from models.host import EngineHost
from models.spoken import pieces
from models.voice import HostedVoice

_SYNCHRONOUS = 2  # AUDIO_OUTPUT_SYNCHRONOUS
_RATE, _VOLUME, _PITCH = 1, 2, 3  # espeak_PARAMETER
_WORD, _END_OF_LIST = 1, 0  # espeak_EVENT_TYPE
_UTF8 = 1  # espeakCHARS_UTF8
_SLOWEST_WPM, _FASTEST_WPM = 80, 450  # espeakRATE_MINIMUM, espeakRATE_MAXIMUM


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


class EspeakVoice(HostedVoice):
    """Text to speech by espeak-ng in a child process.

    voice: an espeak-ng voice with an optional variant, such as "en-us+f3"; a call may open
    another. rate_wpm: words per minute at the speed 1. pitch: 0..99. volume: 1.0 is the level at
    which all voices of this project speak.
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
        super().__init__(EngineHost("espeak", "models.espeak:load", arguments))


def load(voice: str, rate_wpm: int, pitch: int, volume: float) -> "EspeakEngine":
    """Initialise the library with one voice, in the child process."""
    try:
        import espeakng_loader
    except ImportError as error:
        raise EngineMissing("this voice needs: pip install espeakng-loader") from error
    try:
        library = ctypes.CDLL(espeakng_loader.get_library_path())
        data = Path(espeakng_loader.get_data_path())
    except (OSError, RuntimeError) as error:
        raise EngineCorrupt(f"espeak-ng does not load: {error}") from error
    rate_hz = int(library.espeak_Initialize(_SYNCHRONOUS, 0, str(data).encode(), 0))
    if rate_hz <= 0:
        raise EngineCorrupt("espeak-ng does not initialise; is its data folder complete?")
    engine = EspeakEngine(library, data, rate_hz, voice, rate_wpm, pitch, volume)
    try:
        engine.check(voice)
    except NotOffered as error:
        raise EngineMissing(str(error)) from error
    return engine


def _listed(library: Any) -> dict[str, str]:
    """The file of every voice, by its language as in "en-gb", and by its file."""
    library.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_VoiceEntry))
    listed = library.espeak_ListVoices(None)
    found: dict[str, str] = {}
    index = 0
    while listed[index]:
        entry = listed[index].contents
        identifier = entry.identifier.decode()
        found.setdefault(entry.languages[1:].decode(), identifier)  # a priority byte comes first
        found[identifier.lower()] = identifier
        index += 1
    return found


class EspeakEngine:
    """The child's side: one clause at a time, each in any voice."""

    def __init__(
        self,
        library: Any,
        data: Path,
        rate_hz: int,
        voice: str,
        rate_wpm: int,
        pitch: int,
        volume: float,
    ) -> None:
        self._library = library
        self._rate_hz, self._rate_wpm, self._pitch = rate_hz, rate_wpm, pitch
        self._own_voice, self._volume = voice, volume
        self._files = _listed(library)
        # Asked for a variant that it does not know, or by a path, the library obeys in silence.
        self._variants = {path.name for path in (data / "voices" / "!v").iterdir()}
        self._gains: dict[str, float] = {}
        self._loaded: tuple[str, int] | None = None
        self._audio: list[bytes] = []
        self._events: list[tuple[int, int]] = []
        self._callback = _Callback(self._collect)
        library.espeak_SetSynthCallback(self._callback)

    def check(self, voice: str) -> None:
        """Get a voice ready; the empty name is the engine's own. Raises NotOffered."""
        self._gain_of(voice or self._own_voice)

    def speak(
        self, text: str, rate_hz: int, voice: str = "", speed: float = 1.0
    ) -> Iterator[tuple[Pcm, list[SpokenWord]]]:
        """Yield one clause as a single chunk; nothing for a text that is silent."""
        voice = voice or self._own_voice
        parts = pieces(text, english=voice.lower().startswith(("en", "gmw/en")))
        utterance, starts = placed(parts)
        if not utterance:
            return
        gain = self._gain_of(voice)
        self._take(voice, speed)
        audio, events = self._synthesise(utterance)
        ends = word_ends(events, starts, len(audio))
        yield as_chunk(audio * np.float32(gain), ends, parts, self._rate_hz, rate_hz)

    def _gain_of(self, voice: str) -> float:
        if voice not in self._gains:
            self._take(voice, 1.0)
            heard, _ = self._synthesise(CALIBRATION)
            self._gains[voice] = self._volume * gain_to_level(heard, self._rate_hz)
        return self._gains[voice]

    def _take(self, voice: str, speed: float) -> None:
        """Speak in this voice from now on. Raises NotOffered."""
        rate_wpm = min(_FASTEST_WPM, max(_SLOWEST_WPM, round(self._rate_wpm * speed)))
        if self._loaded == (voice, rate_wpm):
            return
        language, plus, variant = voice.partition("+")
        file = self._files.get(language.lower())
        if file is None or (plus and variant not in self._variants):
            raise NotOffered(f"espeak-ng has no voice {voice!r}; `en-us` or `en-us+f3` will do")
        self._loaded = None
        if self._library.espeak_SetVoiceByName(f"{file}{plus}{variant}".encode()):
            raise NotOffered(f"espeak-ng cannot load the voice {voice!r}")
        self._library.espeak_SetParameter(_RATE, rate_wpm, 0)
        self._library.espeak_SetParameter(_PITCH, self._pitch, 0)
        self._library.espeak_SetParameter(_VOLUME, 60, 0)  # headroom: the library clips at 100
        self._loaded = voice, rate_wpm

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
