"""Piper voices: an ONNX file and its JSON, spoken in a child process on one thread.

Loudness is one fixed gain for each voice: the package's own normalisation brings every chunk
to full scale, so that clauses jump. Where a voice reports samples for each phoneme, words end
exactly there; elsewhere each phoneme gets an equal share of its sentence.
"""

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing
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
from models.errors import EngineCorrupt, EngineMissing
from models.host import EngineHost
from models.spoken import pieces

_WORD_BREAK = " "


class PiperVoice:
    """Text to speech by a Piper voice in a child process.

    path: the .onnx file; its .onnx.json lies beside it. speaker: of a voice with several.
    length_scale: below 1 is faster. volume: 1.0 is the level of all voices of this project.
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
        self.host = EngineHost("piper", "models.piper:load", arguments)

    async def start(self) -> None:
        """Load the voice; EngineMissing or EngineCorrupt if that cannot be done."""
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
    synthesis = piper.SynthesisConfig(
        speaker_id=speaker, length_scale=length_scale, normalize_audio=False
    )
    try:
        config = piper.PiperConfig.from_dict(json.loads(Path(f"{path}.json").read_text("utf-8")))
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        return PiperEngine(piper.PiperVoice(session=session, config=config), synthesis, volume)
    except Exception as error:
        raise EngineCorrupt(f"{path} is not a Piper voice: {error}") from error


class PiperEngine:
    """The child's side: one voice, one clause at a time."""

    def __init__(self, voice: Any, synthesis: Any, volume: float) -> None:
        self._voice = voice
        self._synthesis = synthesis
        self._rate_hz: int = voice.config.sample_rate
        self._english = voice.config.espeak_voice.startswith("en")
        audio, _ = self._synthesise(CALIBRATION)
        self._gain = volume * gain_to_level(audio, self._rate_hz)

    def speak(self, text: str, rate_hz: int) -> Iterator[tuple[Pcm, list[SpokenWord]]]:
        """Yield one clause as a single chunk; nothing for a text that is silent."""
        parts = pieces(text, english=self._english)
        utterance, starts = placed(parts)
        if not utterance:
            return
        audio, word_starts = self._synthesise(utterance)
        events = _begun(utterance, word_starts, len(audio))
        ends = word_ends(events, starts, len(audio))
        yield as_chunk(audio * np.float32(self._gain), ends, parts, self._rate_hz, rate_hz)

    def _synthesise(self, text: str) -> tuple[Float32, list[int]]:
        """Return the audio, on the scale of int16, and where its phonetic words begin."""
        parts: list[Float32] = []
        word_starts: list[int] = []
        done = 0
        for chunk in self._voice.synthesize(text, self._synthesis, include_alignments=True):
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
