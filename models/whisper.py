"""Whisper through CTranslate2 on windows as short as the speech.

`WhisperEngine` lives in a child process and loads whatever faster-whisper loads, but encodes
and generates on its own: faster-whisper pads each window to 30 s, which costs twenty times the
work for a three-second answer. `WhisperTranscriber` is the node's side.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models import features, guards
from models.errors import EngineCorrupt, EngineMissing, NotOffered
from models.host import EngineHost, HostedEngine
from models.spelling import Speller

Pcm = npt.NDArray[np.int16]
Float32 = npt.NDArray[np.float32]

BUNDLED = Path(__file__).parent / "bundled"
"""The recogniser of this project: trained on windows as short as the speech, without prompts."""
LONGEST_WINDOW_MS = 29_000
"""Whisper's window is 30 s; longer audio is split where it is quietest."""
BUNDLED_WINDOW_MS = 7_000
"""The bundled recogniser was trained on short utterances."""
LEXICON = "lexicon.txt"
"""Beside a model that spells: the words it knows."""
MAX_TOKENS = 448

_SPLIT_SEARCH_MS = 4_000
_PAUSE_MS = 60
"""Length of the moment at which long audio is cut."""
_REST_MS = 150
"""Silence around a part, as if the speaker had paused there."""
_LETTERS = 5_000
"""A vocabulary smaller than this spells; its tokens repeat in any sound sentence."""
_LANGUAGE = "en"
_GREEDY = 1
"""A beam of 4 or 5 helps the bundled one in no set of voices without harm in another."""
_RETRY_BEAM = 5
_PAD_MS = 1500.0  # futo-org/whisper-acft#6: 64 encoder positions of 20 ms, and some


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was recognised in one stretch of audio."""

    text: str
    confidence: float = 0.0
    """Geometric mean of the token probabilities, 0..1."""
    no_speech: float = 0.0
    """Probability of the no-speech token, 0..1."""
    audio_ms: float = 0.0
    engine_ms: float = 0.0
    """Time the engine worked on it."""


@dataclass(frozen=True, slots=True)
class _Attempt:
    text: str
    logprob: float
    no_speech: float


class CallTranscriber:
    """A recogniser as one call wants it. Many share one process."""

    def __init__(
        self, host: EngineHost, language: str = _LANGUAGE, keywords: Sequence[str] = ()
    ) -> None:
        self._host, self._language, self._keywords = host, language, tuple(keywords)

    async def transcribe(self, pcm: Pcm, rate_hz: int, hints: Sequence[str] = ()) -> Transcript:
        """Recognise one stretch of speech. rate_hz: 8000 or 16000.

        hints: words to expect, besides the keywords: hotwords to the model, and to one that
        spells, words that it knows for the while.
        """
        words = tuple(dict.fromkeys((*self._keywords, *hints)))
        arguments = (pcm, rate_hz, words, self._language)
        transcript: Transcript = await self._host.call("transcribe", *arguments)
        return transcript

    async def open(self, language: str = "en", keywords: Sequence[str] = ()) -> "CallTranscriber":
        """The same engine for a call of its own.

        language: as in "en" or "pt-BR". keywords: words to expect. Raises NotOffered where the
        model does not know the language, and EngineError where the engine is down.
        """
        language = language.partition("-")[0].lower()
        if language != _LANGUAGE and language not in (known := await self.languages()):
            raise NotOffered(f"the recogniser does not know {language!r}; {_some(known)}")
        return CallTranscriber(self._host, language, keywords)

    async def languages(self) -> Sequence[str]:
        """The codes of the languages that the model knows; English is always among them."""
        known: Sequence[str] = await self._host.call("languages")
        return known


def _some(languages: Sequence[str]) -> str:
    return f"it knows {', '.join(languages[:5])}" + (" ..." if len(languages) > 5 else "")


class WhisperTranscriber(HostedEngine, CallTranscriber):
    """Speech to text in a child process; English, unless a call opens another language.

    path: a CTranslate2 Whisper directory; None is the bundled one. Silence is added behind the
    speech for all but the bundled one: they were never trained on short windows.
    """

    def __init__(self, path: Path | None = None) -> None:
        path = path or BUNDLED
        bundled = path.resolve() == BUNDLED.resolve()
        arguments = {
            "path": str(path),
            "pad_ms": 0.0 if bundled else _PAD_MS,
            "window_ms": BUNDLED_WINDOW_MS if bundled else LONGEST_WINDOW_MS,
        }
        HostedEngine.__init__(self, EngineHost("whisper", "models.whisper:load", arguments))
        CallTranscriber.__init__(self, self.host)


def load(path: str, pad_ms: float, window_ms: int) -> "WhisperEngine":
    """Load a CTranslate2 Whisper directory, in the child process."""
    for name in ("model.bin", "tokenizer.json"):
        if not (Path(path) / name).is_file():
            raise EngineMissing(
                f"{path} has no {name}; get a model with: offhook models pull whisper-base"
            )
    from faster_whisper import WhisperModel  # heavy: only in the child

    try:
        model = WhisperModel(path, device="cpu", compute_type="int8", cpu_threads=1, num_workers=1)
        lexicon = Path(path) / LEXICON
        words = lexicon.read_text(encoding="utf-8").split() if lexicon.is_file() else ()
        return WhisperEngine(model, pad_ms, window_ms, Speller(words) if words else None)
    except Exception as error:
        raise EngineCorrupt(f"{path} is not a Whisper model for CTranslate2: {error}") from error


class WhisperEngine:
    """The child's side: one model, one request at a time.

    speller: of a model that spells. Words to expect go to it, and not into the prompt: such a
    model was trained without.
    """

    def __init__(
        self, model: Any, pad_ms: float, window_ms: int, speller: Speller | None = None
    ) -> None:
        self._model = model
        self._pad_ms = pad_ms
        self._window_ms = window_ms
        self._speller = speller
        self._tokenizers: dict[str, Any] = {}
        self._vocabulary = model.hf_tokenizer.get_vocab_size()
        self._longest_repeat = 24 if self._vocabulary < _LETTERS else 3
        tokenizer = self._tokenizer(_LANGUAGE)
        self._counts_no_speech = tokenizer.no_speech is not None
        second = np.zeros(features.SAMPLE_RATE_HZ, np.float32)
        self._attempt(second, self._prompt(tokenizer, ()), _GREEDY, False)  # warm up

    def languages(self) -> list[str]:
        """The codes of the languages that the model knows."""
        return list(self._model.supported_languages)

    def transcribe(
        self, pcm: Pcm, rate_hz: int, hints: Sequence[str] = (), language: str = _LANGUAGE
    ) -> Transcript:
        """Recognise int16 mono audio of any length at 8 or 16 kHz."""
        begun_s = time.perf_counter()
        audio_ms = 1000 * len(pcm) / rate_hz
        parts = _split(pcm, rate_hz, self._window_ms)
        if len(parts) > 1:
            parts = [np.pad(part, rate_hz * _REST_MS // 1000) for part in parts]
        parts = [part for part in parts if not guards.is_silent(part)]
        attempts = [self._recognise(part, rate_hz, hints, language) for part in parts]
        said = [attempt for attempt in attempts if attempt.text]
        engine_ms = 1000 * (time.perf_counter() - begun_s)
        no_speech = max((attempt.no_speech for attempt in attempts), default=1.0)
        if not said:
            return Transcript("", 0.0, no_speech, audio_ms, engine_ms)
        logprob = sum(attempt.logprob for attempt in said) / len(said)
        text = " ".join(attempt.text for attempt in said)
        return Transcript(text, math.exp(min(0.0, logprob)), no_speech, audio_ms, engine_ms)

    def _recognise(self, pcm: Pcm, rate_hz: int, hints: Sequence[str], language: str) -> _Attempt:
        """Recognise one window, with at most one retry."""
        samples = _at_16k(pcm, rate_hz)
        tokenizer = self._tokenizer(language)
        unprompted = self._prompt(tokenizer, ())
        prompt = self._prompt(tokenizer, hints) if self._speller is None else unprompted
        attempt = self._attempt(samples, prompt, _GREEDY, False)
        if guards.is_repetitive(attempt.text) or attempt.logprob < guards.MIN_LOGPROB:
            again = self._attempt(samples, unprompted, _RETRY_BEAM, True)
            if again.logprob > attempt.logprob or guards.is_repetitive(attempt.text):
                attempt = again
        text = guards.without_repeats(attempt.text)
        if self._speller is not None:
            text = self._speller.knowing(hints).correct(text)
        if guards.is_phantom(text, attempt.no_speech, attempt.logprob):
            text = ""
        return _Attempt(text, attempt.logprob, attempt.no_speech)

    def _attempt(
        self, samples: Float32, prompt: list[int], beam_size: int, forbid_repeats: bool
    ) -> _Attempt:
        """Encode and generate once. samples: 16 kHz float32, at most 29 s."""
        import ctranslate2

        audio_ms = 1000 * len(samples) / features.SAMPLE_RATE_HZ
        cap = guards.token_cap(audio_ms, self._vocabulary)
        result = self._model.model.generate(
            ctranslate2.StorageView.from_array(self._features(samples)),
            [prompt],
            beam_size=beam_size,
            # CTranslate2 gives the text half of this, and what the prompt leaves of it.
            max_length=min(MAX_TOKENS, max(2 * cap, len(prompt) + cap)),
            no_repeat_ngram_size=self._longest_repeat if forbid_repeats else 0,
            return_scores=True,
            return_no_speech_prob=self._counts_no_speech,
        )[0]
        tokens = result.sequences_ids[0]
        # CTranslate2 divides by the tokens without the final one that ends the text.
        logprob = result.scores[0] * len(tokens) / (len(tokens) + 1)
        no_speech = result.no_speech_prob if self._counts_no_speech else 0.0
        text = self._tokenizer(_LANGUAGE).decode(tokens).strip()
        return _Attempt(text, logprob, no_speech)

    def _tokenizer(self, language: str) -> Any:
        """Tokens are the same in all languages; what differs is how the text begins."""
        if language not in self._tokenizers:
            from faster_whisper.tokenizer import Tokenizer

            self._tokenizers[language] = Tokenizer(
                self._model.hf_tokenizer,
                self._model.model.is_multilingual,
                task="transcribe",
                language=language,
            )
        return self._tokenizers[language]

    def _prompt(self, tokenizer: Any, hints: Sequence[str]) -> list[int]:
        begin = [*tokenizer.sot_sequence, tokenizer.no_timestamps]
        if not hints:
            return begin
        words = tokenizer.encode(" " + ", ".join(hints))[: MAX_TOKENS // 2 - 1]
        return [tokenizer.sot_prev, *words, *begin]

    def _features(self, samples: Float32) -> Float32:
        padding = int(self._pad_ms * features.SAMPLE_RATE_HZ / 1000)
        room = features.SAMPLE_RATE_HZ * 30 - features.HOP_SAMPLES - len(samples)
        padded = np.pad(samples, (0, max(0, min(padding, room))))
        if self._model.model.n_mels == features.MEL_BANDS:
            mel = features.log_mel(padded)
        else:  # large-v3 and its descendants hear 128 bands
            mel = self._model.feature_extractor(padded)
        return np.ascontiguousarray(mel[None], dtype=np.float32)


def _at_16k(pcm: Pcm, rate_hz: int) -> Float32:
    if rate_hz == features.SAMPLE_RATE_HZ // 2:
        return features.upsample_8k_to_16k(pcm)
    if rate_hz == features.SAMPLE_RATE_HZ:
        return pcm.astype(np.float32) * np.float32(1 / 32768)
    raise ValueError(f"audio at {rate_hz} Hz; 8000 or 16000 wanted")


def _split(pcm: Pcm, rate_hz: int, window_ms: int) -> list[Pcm]:
    """Cut audio into windows of at most `window_ms`, at the quietest moment of its last 4 s."""
    longest = window_ms * rate_hz // 1000
    pause = rate_hz * _PAUSE_MS // 1000
    parts = []
    while len(pcm) > longest:
        begin = longest - _SPLIT_SEARCH_MS * rate_hz // 1000
        power = np.square(pcm[begin:longest].astype(np.float64))
        total = np.concatenate(([0.0], np.cumsum(power)))
        cut = begin + int((total[pause:] - total[:-pause]).argmin()) + pause // 2
        parts.append(pcm[:cut])
        pcm = pcm[cut:]
    parts.append(pcm)
    return parts
