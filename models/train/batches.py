"""Training batches, made as they are needed: sentence, voice, line, features, padding."""

import multiprocessing
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from multiprocessing.queues import Queue
from random import Random

import numpy as np
import numpy.typing as npt

from models.features import FULL_WINDOW_FRAMES, MEL_BANDS, log_mel, upsample_8k_to_16k
from models.train import tokens
from models.train.espeak import Espeak
from models.train.line import no_speech, over_the_line, to_line_rate
from models.train.sentences import SentenceSource
from models.train.voices import draw_voice

_FRAME_BUDGET = 6_000
_POOL = 480  # utterances sorted by length before they are cut into batches
_TIMES_HEARD = 3  # each utterance comes again in the next pools
_NO_SPEECH_SHARE = 0.06
# The hardest sentences and voices come more often than in evaluation.
_FREE_SHARE = 0.5
_COMMON_SHARE = 0.35


@dataclass(frozen=True, slots=True)
class Example:
    """One utterance: features (80, frames) and transcript."""

    features: npt.NDArray[np.float32]
    written: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Padded arrays of one training step."""

    features: npt.NDArray[np.float32]
    """(batch, 80, frames), padded with zeros as faster-whisper pads."""
    codes: npt.NDArray[np.int64]
    """(batch, length): <|startoftranscript|><|notimestamps|> text, then END."""
    targets: npt.NDArray[np.int64]
    """(batch, length): what follows each code; -1 where nothing is learnt."""
    text_lengths: npt.NDArray[np.int64]
    """(batch,): characters with the leading space, 0 for no speech."""


class ExampleSource:
    """Utterances of the training voices, drawn from a seed."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._sentences = SentenceSource(self._random, _FREE_SHARE)
        self._espeak = Espeak()

    def draw(self, max_words: int) -> Example:
        """Draw one utterance of at most `max_words`, or a stretch without speech."""
        random = self._random
        if random.random() < _NO_SPEECH_SHARE:
            return Example(log_mel(upsample_8k_to_16k(no_speech(random))), "")
        sentence = self._sentences.draw(max_words)
        pcm = self._espeak.speak(sentence.spoken, draw_voice(random, _COMMON_SHARE))
        speech = to_line_rate(pcm, self._espeak.sample_rate_hz, random)
        heard = over_the_line(speech, random)
        return Example(log_mel(upsample_8k_to_16k(heard)), sentence.written)


def draw_batches(seed: int, max_words: int) -> Iterator[Batch]:
    """Yield batches of about `_FRAME_BUDGET` feature frames, without end."""
    source, random = ExampleSource(seed), Random(seed + 1)
    recent: deque[list[Example]] = deque(maxlen=_TIMES_HEARD)
    while True:
        recent.append([source.draw(max_words) for _ in range(_POOL // _TIMES_HEARD)])
        pool = sorted(chain(*recent), key=lambda example: example.features.shape[1])
        batches = _cut(pool)
        random.shuffle(batches)
        for examples in batches:
            yield collate(examples, _frames_to_pad(examples, random))


def _cut(pool: list[Example]) -> list[list[Example]]:
    batches: list[list[Example]] = [[]]
    for example in pool:
        if (len(batches[-1]) + 1) * example.features.shape[1] > _FRAME_BUDGET:
            batches.append([])
        batches[-1].append(example)
    return batches


def _frames_to_pad(examples: list[Example], random: Random) -> int:
    """Return a window length: mostly just long enough, sometimes as long as faster-whisper's."""
    longest = max(example.features.shape[1] for example in examples)
    draw = random.random()
    if draw < 0.01:
        random.shuffle(examples)
        del examples[2:]
        return FULL_WINDOW_FRAMES
    if draw < 0.07:
        window = longest + random.randint(100, 800)
        random.shuffle(examples)
        del examples[max(4, _FRAME_BUDGET // window) :]
        return window
    return longest


def collate(examples: list[Example], window: int) -> Batch:
    """Pad features with zeros to `window` frames and transcripts to the longest."""
    texts = [tokens.encode(example.written) for example in examples]
    length = max(map(len, texts)) + 2
    features = np.zeros((len(examples), MEL_BANDS, window), np.float32)
    codes = np.full((len(examples), length), tokens.END, np.int64)
    targets = np.full((len(examples), length), -1, np.int64)
    for i, (example, text) in enumerate(zip(examples, texts, strict=True)):
        features[i, :, : example.features.shape[1]] = example.features
        codes[i, : 2 + len(text)] = [tokens.START, tokens.NO_TIMESTAMPS, *text]
        first = tokens.NO_TIMESTAMPS if text else tokens.NO_SPEECH
        targets[i, : 2 + len(text)] = [first, *text, tokens.END]
    return Batch(features, codes, targets, np.array([len(text) for text in texts]))


def _fill(queue: "Queue[Batch]", seed: int, max_words: int) -> None:
    for batch in draw_batches(seed, max_words):
        queue.put(batch)


class BatchProcess:
    """A process that synthesises batches ahead of the training loop."""

    def __init__(self, seed: int, max_words: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.max_words = max_words
        self.queue: Queue[Batch] = context.Queue(12)
        self._process = context.Process(
            target=_fill, args=(self.queue, seed, max_words), daemon=True
        )
        self._process.start()

    def stop(self) -> None:
        """End the process."""
        self._process.terminate()
        self._process.join()
