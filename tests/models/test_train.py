import json
from pathlib import Path
from random import Random

import numpy as np
import pytest
from faster_whisper.feature_extractor import FeatureExtractor
from faster_whisper.tokenizer import Tokenizer
from tokenizers import Tokenizer as BpeTokenizer

from models.features import log_mel, phone_features, upsample_8k_to_16k
from models.train import tokens
from models.train.batches import Example, collate
from models.train.evaluate import word_errors
from models.train.line import LINE_RATE_HZ, no_speech, over_the_line, to_line_rate
from models.train.numbers import cardinal, ordinal
from models.train.sentences import SentenceSource, is_held_out, written_form
from models.train.voices import HELD_OUT_VARIANTS, draw_held_out_voice, draw_voice


def tone(hz: float, samples: int = 4_000) -> np.ndarray:
    return (8_000 * np.sin(2 * np.pi * hz * np.arange(samples) / LINE_RATE_HZ)).astype(np.int16)


def level_db(audio: np.ndarray, hz: float, rate_hz: int) -> float:
    """Level of one frequency in the middle of a signal, dB relative to full scale."""
    middle = audio[len(audio) // 4 : -len(audio) // 4]
    window = np.blackman(len(middle))
    wave_ = np.exp(-2j * np.pi * hz * np.arange(len(middle)) / rate_hz)
    return 20 * np.log10(2 * abs(np.sum(middle * window * wave_)) / window.sum() + 1e-12)


@pytest.mark.parametrize("hz", [300, 1_000, 2_000, 3_000, 3_350])
def test_upsampling_keeps_a_tone_and_leaves_no_image(hz: float) -> None:
    doubled = upsample_8k_to_16k(tone(hz))
    wanted = level_db(doubled, hz, 16_000)
    assert wanted == pytest.approx(20 * np.log10(8_000 / 32_768), abs=0.1)
    assert level_db(doubled, 8_000 - hz, 16_000) < wanted - 60


def test_upsampling_keeps_the_original_samples() -> None:
    pcm = np.random.default_rng(1).integers(-20_000, 20_000, 500).astype(np.int16)
    doubled = upsample_8k_to_16k(pcm)
    assert doubled.dtype == np.float32
    assert np.array_equal(doubled[::2] * 32_768, pcm)


def test_upsampling_a_cut_with_margins_gives_identical_samples() -> None:
    pcm = np.random.default_rng(2).integers(-20_000, 20_000, 2_000).astype(np.int16)
    whole = upsample_8k_to_16k(pcm)
    for start, stop in ((100, 260), (260, 700), (701, 1_900)):
        cut = upsample_8k_to_16k(pcm[start - 16 : stop + 16])
        assert np.array_equal(cut[32:-32], whole[2 * start : 2 * stop])


@pytest.mark.parametrize("samples", [200, 1_600, 32_001])
def test_features_equal_those_of_faster_whisper(samples: int) -> None:
    audio = np.random.default_rng(3).normal(0, 0.1, samples).astype(np.float32)
    expected = FeatureExtractor()(audio)
    found = log_mel(audio)
    assert found.shape == expected.shape
    assert np.allclose(found, expected, atol=1e-5)


def test_telephone_features_have_a_batch_axis_and_100_frames_a_second() -> None:
    assert phone_features(tone(440, 8_000)).shape == (1, 80, 101)


def test_equal_seeds_draw_equal_sentences() -> None:
    first, second = (SentenceSource(Random(7)) for _ in range(2))
    assert [first.draw() for _ in range(200)] == [second.draw() for _ in range(200)]


def test_sentences_are_plain_words_of_a_large_vocabulary() -> None:
    source = SentenceSource(Random(8))
    sentences = [source.draw().written for _ in range(3_000)]
    assert set("".join(sentences)) <= set(tokens.CHARACTERS)
    assert len({word for sentence in sentences for word in sentence.split()}) > 2_000


def test_training_never_draws_what_evaluation_draws() -> None:
    training, evaluation = SentenceSource(Random(9)), SentenceSource(Random(10))
    assert not any(is_held_out(training.draw().written) for _ in range(2_000))
    assert all(is_held_out(evaluation.draw(held_out=True).written) for _ in range(20))


def test_no_training_voice_has_a_held_out_variant() -> None:
    random = Random(11)
    names = {draw_voice(random).name for _ in range(5_000)}
    assert len(names) > 200
    assert not any(name.partition("+")[2] in HELD_OUT_VARIANTS for name in names)
    assert draw_held_out_voice(random).name.partition("+")[2] in HELD_OUT_VARIANTS


def test_a_sound_has_one_spelling() -> None:
    assert written_form("OK, at 7?? p m -- alright!") == "okay at pm all right"


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "zero"),
        (21, "twenty one"),
        (154, "one hundred and fifty four"),
        (1_000, "one thousand"),
        (2_026, "two thousand and twenty six"),
        (9_999, "nine thousand nine hundred and ninety nine"),
    ],
)
def test_cardinals(number: int, words: str) -> None:
    assert cardinal(number, with_and=True) == words


def test_ordinals() -> None:
    assert [ordinal(day) for day in (1, 12, 25, 30, 31)] == [
        "first",
        "twelfth",
        "twenty fifth",
        "thirtieth",
        "thirty first",
    ]


def test_a_line_is_8_khz_g711_around_the_speech() -> None:
    random = Random(12)
    speech = to_line_rate(tone(1_000, 22_050), 22_050, random)
    assert len(speech) == LINE_RATE_HZ
    heard = over_the_line(speech, random)
    assert heard.dtype == np.int16
    assert LINE_RATE_HZ < len(heard) < 2.2 * LINE_RATE_HZ
    assert np.abs(heard).max() > 300


def test_noises_differ_and_are_short() -> None:
    random = Random(13)
    noises = [no_speech(random) for _ in range(20)]
    assert all(0.2 * LINE_RATE_HZ < len(noise) <= 3 * LINE_RATE_HZ for noise in noises)


def test_the_tokenizer_writes_what_the_network_learns(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(tokens.tokenizer_json())
    bpe = BpeTokenizer.from_file(str(path))
    ids = tokens.exported_ids()
    written = "it's two p m"
    codes = [ids[code] for code in tokens.encode(written)]
    assert codes == bpe.encode(f" {written}", add_special_tokens=False).ids
    assert bpe.decode(codes) == f" {written}"


def test_faster_whisper_does_not_ban_a_letter(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(tokens.tokenizer_json())
    tokenizer = Tokenizer(BpeTokenizer.from_file(str(path)), multilingual=False)
    characters = tokens.exported_ids()[tokens.FIRST_CHARACTER : tokens.OUTPUTS]
    assert not set(tokenizer.non_speech_tokens) & set(characters)
    assert tokenizer.timestamp_begin + 1_501 == len(tokens.vocabulary())
    assert json.loads(path.read_text())["model"]["type"] == "BPE"


def test_a_batch_teaches_text_or_no_speech() -> None:
    features = np.ones((80, 50), np.float32)
    batch = collate([Example(features, "no"), Example(features[:, :20], "")], 60)
    n, o, space = tokens.encode("no")[1], tokens.encode("no")[2], tokens.encode("no")[0]
    assert batch.codes[0].tolist() == [tokens.START, tokens.NO_TIMESTAMPS, space, n, o]
    assert batch.targets[0].tolist() == [tokens.NO_TIMESTAMPS, space, n, o, tokens.END]
    assert batch.targets[1].tolist() == [tokens.NO_SPEECH, tokens.END, -1, -1, -1]
    assert batch.features[1, :, 20:].max() == 0


def test_word_errors_are_edits() -> None:
    assert word_errors("yes this is bobby", "yes this is bobby") == 0
    assert word_errors("yes this is bobby", "this was bobby bob") == 3
