"""Word error rate of an exported model: `python -m models.train.evaluate FOLDER`.

Every sentence is held out (`models.train.sentences.is_held_out`), spoken in voices that
training knows, in the two espeak-ng variants it never heard, and by flite if that program
is installed. Each set is recognised twice: by the engine of a node, on windows just as long as
the speech, and by faster-whisper's `transcribe`, which pads to 30 s. Needs no torch.
"""

import argparse
import json
import shutil
import subprocess
import tempfile
import time
import wave
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import numpy.typing as npt
from faster_whisper import WhisperModel

from models.features import upsample_8k_to_16k
from models.train.espeak import Espeak
from models.train.line import no_speech, over_the_line, to_line_rate
from models.train.sentences import SentenceSource
from models.train.voices import Voice, draw_common_voice, draw_held_out_voice, draw_voice
from models.whisper import BUNDLED_WINDOW_MS, load

Int16 = npt.NDArray[np.int16]
Recognise = Callable[[Int16], str]

FLITE_VOICES = ("slt", "rms", "awb", "kal16")


@dataclass(frozen=True, slots=True)
class Utterance:
    """A telephone segment and what was said."""

    pcm: Int16
    """8 kHz int16."""
    written: str


def word_errors(said: str, heard: str) -> int:
    """Return the edit distance in words (Levenshtein, 1966)."""
    reference, words = said.split(), heard.split()
    row = list(range(len(words) + 1))
    for i, expected in enumerate(reference, 1):
        diagonal, row[0] = row[0], i
        for j, word in enumerate(words, 1):
            diagonal, row[j] = (
                row[j],
                min(row[j] + 1, row[j - 1] + 1, diagonal + (expected != word)),
            )
    return row[-1]


class NodeEngine:
    """The engine of a node: `generate` on windows as short as the speech, then the lexicon."""

    def __init__(self, folder: Path) -> None:
        self._engine = load(str(folder), 0.0, BUNDLED_WINDOW_MS)

    def __call__(self, pcm: Int16) -> str:
        return self._engine.transcribe(pcm, 8_000).text


class PaddedWindow:
    """`faster_whisper.WhisperModel.transcribe`, as with any other Whisper model."""

    def __init__(self, folder: Path, threads: int = 1) -> None:
        self._model = WhisperModel(
            str(folder), device="cpu", compute_type="int8", cpu_threads=threads
        )

    def __call__(self, pcm: Int16) -> str:
        segments, _ = self._model.transcribe(
            upsample_8k_to_16k(pcm), language="en", beam_size=1, without_timestamps=True
        )
        return " ".join(segment.text.strip() for segment in segments)


def espeak_set(
    espeak: Espeak, seed: int, count: int, draw: Callable[[Random], Voice], held_out: bool = True
) -> list[Utterance]:
    """Return sentences in drawn voices; held out, or else short ones that training knows."""
    random = Random(seed)
    sentences = SentenceSource(random)
    utterances = []
    for _ in range(count):
        sentence = sentences.draw(45 if held_out else 4, held_out)
        pcm = espeak.speak(sentence.spoken, draw(random))
        heard = over_the_line(to_line_rate(pcm, espeak.sample_rate_hz, random), random)
        utterances.append(Utterance(heard, sentence.written))
    return utterances


def flite_set(seed: int, count: int) -> Iterator[Utterance]:
    """Yield held-out sentences spoken by flite, another synthesiser."""
    random = Random(seed)
    sentences = SentenceSource(random)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "speech.wav"
        for _ in range(count):
            sentence = sentences.draw(45, held_out=True)
            text = sentence.spoken.replace("[[eI]]", "a")
            voice = random.choice(FLITE_VOICES)
            subprocess.run(["flite", "-voice", voice, "-t", text, "-o", str(path)], check=True)
            with wave.open(str(path)) as file:
                pcm = np.frombuffer(file.readframes(file.getnframes()), dtype=np.int16)
                speech = to_line_rate(pcm, file.getframerate(), random)
            yield Utterance(over_the_line(speech, random), sentence.written)


def measure(recognise: Recognise, utterances: list[Utterance], show: int = 0) -> dict[str, float]:
    """Return the word error rate in percent and the time per utterance in ms."""
    errors = words = 0
    started = time.perf_counter()
    for utterance in utterances:
        heard = recognise(utterance.pcm)
        wrong = word_errors(utterance.written, heard)
        if wrong and show:
            show -= 1
            print(f"  said  {utterance.written}\n  heard {heard}")
        errors += wrong
        words += len(utterance.written.split())
    spent_ms = 1000 * (time.perf_counter() - started)
    return {
        "wer_percent": round(100 * errors / words, 2),
        "words": words,
        "ms_per_utterance": round(spent_ms / len(utterances), 1),
    }


def evaluate(folder: Path, count: int, seed: int, show: int) -> dict[str, object]:
    """Measure every set both ways."""
    espeak = Espeak()
    sets = {
        "common voices": espeak_set(espeak, seed + 5, count, draw_common_voice),
        "all known voices": espeak_set(espeak, seed, count, draw_voice),
        "unknown variants f4, m6": espeak_set(espeak, seed + 1, count, draw_held_out_voice),
        "common voices, short known phrases": espeak_set(
            espeak, seed + 2, count, draw_common_voice, held_out=False
        ),
    }
    if shutil.which("flite"):
        sets["flite, unknown synthesiser"] = list(flite_set(seed + 3, max(1, count // 3)))
    random = Random(seed + 4)
    noises = [no_speech(random) for _ in range(count)]
    ways: dict[str, Recognise] = {
        "as the node hears it": NodeEngine(folder),
        "faster-whisper transcribe": PaddedWindow(folder),
    }
    report: dict[str, object] = {}
    for way, recognise in ways.items():
        for name, utterances in sets.items():
            part = utterances if way.startswith("as the node") else utterances[: max(1, count // 3)]
            result = measure(recognise, part, show)
            report[f"{name} | {way}"] = result
            print(f"{name:36} {way:27} {result}", flush=True)
        part_noises = noises if way.startswith("as the node") else noises[: max(1, count // 3)]
        invented = sum(1 for pcm in part_noises if recognise(pcm))
        report[f"no speech | {way}"] = {"not_empty": invented, "of": len(part_noises)}
        print(f"{'no speech':36} {way:27} {invented} of {len(part_noises)} not empty", flush=True)
    return report


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=300, help="utterances of each set")
    parser.add_argument("--seed", type=int, default=20_000)
    parser.add_argument("--show", type=int, default=0, help="errors to print of each set")
    parser.add_argument("--write", type=Path, help="file for the figures, JSON")
    arguments = parser.parse_args()
    figures = evaluate(arguments.folder, arguments.count, arguments.seed, arguments.show)
    if arguments.write:
        arguments.write.write_text(json.dumps(figures, indent=2) + "\n")
