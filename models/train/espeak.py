"""espeak-ng through ctypes: sentences to 22.05 kHz PCM in a few milliseconds.

The library is process-global and not thread-safe: one process per synthesiser. Its data and
shared object come with the `espeakng_loader` package. Source: espeak-ng's `speak_lib.h`.
"""

import ctypes

import espeakng_loader
import numpy as np
import numpy.typing as npt

from models.train.voices import Voice

_SYNCHRONOUS = 2  # AUDIO_OUTPUT_SYNCHRONOUS: samples come through the callback, in this thread
_RATE, _PITCH, _RANGE = 1, 3, 4  # espeak_PARAMETER
_UTF8, _PHONEMES = 1, 0x100  # espeakCHARS_UTF8, [[...]] marks phoneme names

_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)


class Espeak:
    """One synthesiser; make at most one per process."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        data = espeakng_loader.get_data_path().encode()
        self.sample_rate_hz = int(self._library.espeak_Initialize(_SYNCHRONOUS, 0, data, 0))
        if self.sample_rate_hz <= 0:
            raise RuntimeError("espeak-ng did not initialise; is its data folder complete?")
        self._chunks: list[bytes] = []
        self._callback = _CALLBACK(self._collect)
        self._library.espeak_SetSynthCallback(self._callback)
        self._voice = ""

    def _collect(self, samples: object, count: int, _events: object) -> int:
        if samples and count > 0:
            self._chunks.append(ctypes.string_at(samples, 2 * count))  # type: ignore[arg-type]
        return 0

    def speak(self, text: str, voice: Voice) -> npt.NDArray[np.int16]:
        """Return the speech, shape (n,) int16 at `sample_rate_hz`; `[[...]]` are phonemes."""
        if voice.name != self._voice:
            if self._library.espeak_SetVoiceByName(voice.name.encode()):
                raise ValueError(f"espeak-ng has no voice {voice.name}")
            self._voice = voice.name
        self._library.espeak_SetParameter(_RATE, voice.words_per_minute, 0)
        self._library.espeak_SetParameter(_PITCH, voice.pitch, 0)
        self._library.espeak_SetParameter(_RANGE, voice.pitch_range, 0)
        self._chunks.clear()
        encoded = text.encode()
        self._library.espeak_Synth(
            encoded, len(encoded) + 1, 0, 0, 0, _UTF8 | _PHONEMES, None, None
        )
        self._library.espeak_Synchronize()
        return np.frombuffer(b"".join(self._chunks), dtype=np.int16)
