"""Piper voices: an ONNX file and its JSON, spoken in a child process on one thread.

Loudness is one fixed gain for each voice: the package's own normalisation brings every chunk
to full scale, so that clauses jump. Where a voice reports samples for each phoneme, words end
exactly there; elsewhere each phoneme gets an equal share of its sentence.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from models.clause import (
    CALIBRATION,
    Float32,
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

_WORD_BREAK = " "


class PiperVoice(HostedVoice):
    """Text to speech by a Piper voice in a child process.

    path: the .onnx file; its .onnx.json lies beside it. speaker: of a voice with several, the
    one that speaks where a call opens no other (by name or number). length_scale: below 1 is
    faster. volume: 1.0 is the level of all voices of this project.
    """

    def __init__(
        self,
        path: Path,
        *,
        speaker: int | None = None,
        length_scale: float = 1.0,
        volume: float = 1.0,
    ) -> None:
        arguments = {
            "path": str(path),
            "speaker": speaker,
            "length_scale": length_scale,
            "volume": volume,
        }
        super().__init__(EngineHost("piper", "models.piper:load", arguments))


def load(path: str, speaker: int | None, length_scale: float, volume: float) -> "PiperEngine":
    """Load a voice, in the child process."""
    for file in (path, f"{path}.json"):
        if not Path(file).is_file():
            raise EngineMissing(
                f"there is no file {file}; get a voice with: offhook models pull piper-en"
            )
    try:
        import piper
    except ImportError as error:
        raise EngineMissing("this voice needs: pip install piper-tts") from error
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        config = piper.PiperConfig.from_dict(json.loads(Path(f"{path}.json").read_text("utf-8")))
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        voice = piper.PiperVoice(session=session, config=config)
        return PiperEngine(voice, piper.SynthesisConfig, speaker, length_scale, volume)
    except Exception as error:
        raise EngineCorrupt(f"{path} is not a Piper voice: {error}") from error


class PiperEngine:
    """The child's side: one clause at a time, each by any speaker of the voice."""

    def __init__(
        self,
        voice: Any,
        synthesis: Callable[..., Any],
        speaker: int | None,
        length_scale: float,
        volume: float,
    ) -> None:
        self._voice = voice
        self._synthesis = synthesis
        self._own_speaker, self._length_scale, self._volume = speaker, length_scale, volume
        self._rate_hz: int = voice.config.sample_rate
        self._english = voice.config.espeak_voice.startswith("en")
        self._gains: dict[int | None, float] = {}
        self._gain_of(speaker)

    def check(self, speaker: str) -> None:
        """Get a speaker ready; the empty name is the engine's own. Raises NotOffered."""
        self._gain_of(self._number_of(speaker))

    def speak(
        self, text: str, rate_hz: int, speaker: str = "", speed: float = 1.0
    ) -> Iterator[tuple[Pcm, list[SpokenWord]]]:
        """Yield one clause as a single chunk; nothing for a text that is silent."""
        parts = pieces(text, english=self._english)
        utterance, starts = placed(parts)
        if not utterance:
            return
        number = self._number_of(speaker)
        audio, word_starts = self._synthesise(utterance, number, speed)
        events = _begun(utterance, word_starts, len(audio))
        ends = word_ends(events, starts, len(audio))
        gain = np.float32(self._gain_of(number))
        yield as_chunk(audio * gain, ends, parts, self._rate_hz, rate_hz)

    def _number_of(self, speaker: str) -> int | None:
        """Find a speaker by name or number. Raises NotOffered."""
        if not speaker:
            return self._own_speaker
        config = self._voice.config
        number = config.speaker_id_map.get(speaker)
        if number is None and speaker.isdecimal() and int(speaker) < config.num_speakers:
            number = int(speaker)
        if number is None:
            raise NotOffered(f"the voice has no speaker {speaker!r}")
        return int(number)

    def _gain_of(self, speaker: int | None) -> float:
        if speaker not in self._gains:
            audio, _ = self._synthesise(CALIBRATION, speaker, 1.0)
            self._gains[speaker] = self._volume * gain_to_level(audio, self._rate_hz)
        return self._gains[speaker]

    def _synthesise(
        self, text: str, speaker: int | None, speed: float
    ) -> tuple[Float32, list[int]]:
        """Return the audio, on the scale of int16, and where its phonetic words begin."""
        parts: list[Float32] = []
        word_starts: list[int] = []
        done = 0
        synthesis = self._synthesis(
            speaker_id=speaker, length_scale=self._length_scale / speed, normalize_audio=False
        )
        for chunk in self._voice.synthesize(text, synthesis, include_alignments=True):
            samples = chunk.audio_float_array.astype(np.float32).reshape(-1) * 32767
            word_starts += [done + start for start in _word_starts(chunk, len(samples))]
            parts.append(samples)
            done += len(samples)
        return np.concatenate(parts) if parts else np.zeros(0, np.float32), word_starts


def _word_starts(chunk: Any, length: int) -> list[int]:
    """Where the words of one sentence begin, from its alignments or by equal shares."""
    share = length / max(1, len(chunk.phonemes))
    phonemes = [(phoneme, share) for phoneme in chunk.phonemes]
    if chunk.phoneme_alignments:
        marks = chunk.phoneme_alignments
        phonemes = [(mark.phoneme, float(mark.num_samples)) for mark in marks]
    starts = [0]
    position = 0.0
    for phoneme, samples in phonemes:
        position += samples
        if phoneme == _WORD_BREAK:
            starts.append(int(position))
    return starts


def _begun(text: str, word_starts: Sequence[int], length: int) -> list[tuple[int, int]]:
    """Pair each word's first character with its first sample.

    The phonetic words are used where there are as many as written ones (espeak runs some
    together, such as "of the"); otherwise time is shared out by characters.
    """
    characters = [0] + [i + 1 for i, character in enumerate(text) if character == " "]
    if len(characters) == len(word_starts):
        return list(zip(characters, word_starts, strict=True))
    return [(character, length * character // len(text)) for character in characters]
