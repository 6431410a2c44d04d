from collections.abc import Callable
from pathlib import Path
from random import Random

import ctranslate2
import numpy as np
import pytest

from models.train.espeak import Espeak
from models.train.evaluate import NodeEngine, PaddedWindow, word_errors
from models.train.line import no_speech, over_the_line, to_line_rate
from models.train.sentences import is_held_out
from models.train.voices import Voice

BUNDLED = Path(__file__).parents[2] / "models" / "bundled"
NEW_SENTENCES = (
    "my husband will call the police about your purchase tomorrow morning",
    "hello grace this is ava and i want to confirm a table for seven",
)
PHRASES = (
    "yes this is bobby",
    "no you have the wrong number",
    "hello",
    "stop",
    "thank you goodbye",
)
Recognise = Callable[[np.ndarray], str]


@pytest.fixture(scope="module")
def espeak() -> Espeak:
    return Espeak()


@pytest.fixture(scope="module", params=[NodeEngine, PaddedWindow])
def recognise(request: pytest.FixtureRequest) -> Recognise:
    way: Recognise = request.param(BUNDLED)
    return way


def spoken(espeak: Espeak, text: str, voice: str = "en-us+m3") -> np.ndarray:
    random = Random(text)
    pcm = espeak.speak(text, Voice(voice, 160, 50))
    return over_the_line(to_line_rate(pcm, espeak.sample_rate_hz, random), random)


def test_the_model_is_small_enough_to_ship() -> None:
    assert sum(path.stat().st_size for path in BUNDLED.iterdir()) <= 12_000_000


def test_it_recognises_new_sentences(recognise: Recognise, espeak: Espeak) -> None:
    assert all(map(is_held_out, NEW_SENTENCES))
    for sentence in NEW_SENTENCES:
        heard = recognise(spoken(espeak, sentence))
        assert word_errors(sentence, heard) <= 1, heard


def test_it_recognises_the_phrases_of_simulated_callees(
    recognise: Recognise, espeak: Espeak
) -> None:
    heard = [recognise(spoken(espeak, phrase, "en-us+f2")) for phrase in PHRASES]
    assert sum(map(word_errors, PHRASES, heard)) <= 1, heard


def test_names_of_the_call_are_not_corrected_away(espeak: Espeak) -> None:
    engine = NodeEngine(BUNDLED)._engine
    pcm = spoken(espeak, "hello this is brimley calling about your payment")
    assert "brimley" not in engine.transcribe(pcm, 8_000).text
    assert "brimley" in engine.transcribe(pcm, 8_000, ["Brimley"]).text


def test_it_hears_nothing_where_nothing_is_said(recognise: Recognise) -> None:
    assert recognise(np.zeros(8_000, np.int16)) == ""
    random = Random(1)
    assert [recognise(no_speech(random)) for _ in range(5)] == [""] * 5


def test_it_says_how_likely_it_is_that_nobody_spoke(espeak: Espeak) -> None:
    from models.features import phone_features

    model = ctranslate2.models.Whisper(str(BUNDLED), device="cpu", compute_type="int8")
    prompt = ["<|startoftranscript|>", "<|notimestamps|>"]

    def no_speech_probability(pcm: np.ndarray) -> float:
        features = ctranslate2.StorageView.from_array(phone_features(pcm))
        (result,) = model.generate(features, [prompt], beam_size=1, return_no_speech_prob=True)
        return float(result.no_speech_prob)

    assert no_speech_probability(np.zeros(8_000, np.int16)) > 0.6
    assert no_speech_probability(spoken(espeak, "yes this is bobby")) < 0.3
