"""Voice detection: batching, the gate, and what counts as speech."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from models import silero
from models.errors import EngineCorrupt, EngineMissing
from models.silero import SileroDetector

Pcm = npt.NDArray[np.int16]


async def listen(detector: SileroDetector, pcm: Pcm) -> list[float]:
    """Feed one leg in packets of 20 ms and return its probabilities."""
    heard: list[float] = []
    stream = detector.open(lambda probability, _: heard.append(probability))
    for begin in range(0, len(pcm), 160):
        stream.feed(pcm[begin : begin + 160], begin / 8000)
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    stream.close()
    return heard


def silence(seconds: float) -> Pcm:
    return np.zeros(int(8000 * seconds), np.int16)


async def test_speech_is_heard_and_silence_is_not(speech: Pcm) -> None:
    pcm = np.concatenate([silence(1), speech, silence(1)])
    heard = await listen(SileroDetector(gate=False), pcm)
    assert max(heard[:30]) < 0.2
    assert max(heard[32:-32]) > 0.9
    assert max(heard[-15:]) < 0.2


@pytest.mark.parametrize("kind", ["noise", "tone"])
async def test_noise_and_tones_are_not_speech(kind: str) -> None:
    random = np.random.default_rng(7)
    noise = random.normal(0, 800, 16000)
    tone = 8000 * np.sin(2 * np.pi * 425 * np.arange(16000) / 8000)
    pcm = (noise if kind == "noise" else tone).astype(np.int16)
    assert np.mean(await listen(SileroDetector(gate=False), pcm)) < 0.2


async def test_a_batch_scores_as_each_leg_alone(speech: Pcm) -> None:
    starts = (0, 333, 1024, 2900)
    alone = [await listen(SileroDetector(gate=False), speech[start:]) for start in starts]
    detector = SileroDetector(gate=False)
    together = await asyncio.gather(*(listen(detector, speech[start:]) for start in starts))
    for one, other in zip(alone, together, strict=True):
        assert np.allclose(one, other, atol=1e-3)


async def test_windows_of_one_round_are_one_run() -> None:
    detector = SileroDetector(gate=False)
    runs: list[int] = []
    score = detector._score

    def counted(batch: list[tuple[silero.SileroStream, Pcm, float]]) -> list[float]:
        runs.append(len(batch))
        return score(batch)

    detector._score = counted  # type: ignore[method-assign]
    for stream in [detector.open(lambda *_: None) for _ in range(5)]:
        stream.feed(silence(0.032), 0.0)
    await asyncio.sleep(0)
    assert runs == [5]


async def test_more_legs_than_the_first_capacity_find_room() -> None:
    detector = SileroDetector(gate=False)
    heard: list[float] = []
    streams = [detector.open(lambda p, _: heard.append(p)) for _ in range(70)]
    for stream in streams:
        stream.feed(silence(0.032), 0.0)
    await asyncio.sleep(0)
    assert len(heard) == 70
    assert np.allclose(heard, heard[0], atol=1e-3)


async def test_audio_of_any_length_gives_its_windows_with_the_arrival_time() -> None:
    times: list[float] = []
    stream = SileroDetector().open(lambda _, now: times.append(now))
    for samples, now in ((255, 1.0), (1, 2.0), (700, 3.0), (0, 4.0), (68, 5.0)):
        stream.feed(np.zeros(samples, np.int16), now)
    await asyncio.sleep(0)
    assert times == [2.0, 3.0, 3.0, 5.0]


async def test_the_gate_spares_silence_and_misses_no_speech(speech: Pcm) -> None:
    pcm = np.concatenate([silence(2), speech, silence(2)])
    open_gate, gated = SileroDetector(gate=False), SileroDetector()
    every, some = await listen(open_gate, pcm), await listen(gated, pcm)
    assert gated.windows_skipped > 60
    assert gated.windows_scored + gated.windows_skipped == open_gate.windows_scored

    def onset(heard: Sequence[float]) -> int:
        return next(i for i, probability in enumerate(heard) if probability > 0.5)

    assert onset(some) <= onset(every) + 1
    assert abs(sum(p > 0.5 for p in some) - sum(p > 0.5 for p in every)) <= 4


async def test_a_leg_in_speech_is_never_skipped(speech: Pcm) -> None:
    detector = SileroDetector()
    heard = await listen(detector, speech)
    assert detector.windows_scored == len(heard)


async def test_reset_starts_from_nothing(speech: Pcm) -> None:
    fresh = await listen(SileroDetector(gate=False), speech[:2560])
    heard: list[float] = []
    stream = SileroDetector(gate=False).open(lambda probability, _: heard.append(probability))
    stream.feed(np.concatenate([speech[:2560], silence(0.032)]), 0.0)
    await asyncio.sleep(0)
    stream.reset()
    stream.feed(speech[:2560], 0.0)
    await asyncio.sleep(0)
    assert heard[-10:] == pytest.approx(fresh, abs=1e-3)


def reported() -> list[object]:
    """What the running loop is told of exceptions from now on."""
    errors: list[object] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: errors.append(context["exception"])
    )
    return errors


async def test_a_leg_that_fails_costs_the_others_no_window() -> None:
    errors = reported()
    fault = ValueError("broken")

    def fail(*_: float) -> None:
        raise fault

    detector = SileroDetector(gate=False)
    heard: list[float] = []
    first, second = detector.open(fail), detector.open(lambda _, now: heard.append(now))
    for now in (1.0, 2.0):
        first.feed(silence(0.096), now)
        second.feed(silence(0.096), now)
        await asyncio.sleep(0)
    assert heard == [1.0] * 3 + [2.0] * 3
    assert errors == [fault] * 6


async def test_a_batch_that_cannot_be_scored_changes_nothing_and_the_next_one_is(
    speech: Pcm, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors = reported()
    detector = SileroDetector(gate=False)
    heard: list[float] = []
    stream = detector.open(lambda probability, _: heard.append(probability))
    stream.feed(speech[:2560], 0.0)
    await asyncio.sleep(0)
    fault = RuntimeError("onnxruntime")

    def fail(_: object) -> list[float]:
        raise fault

    with monkeypatch.context() as broken:
        broken.setattr(detector, "_score", fail)
        stream.feed(speech[2560:3072], 0.0)
        await asyncio.sleep(0)
    stream.feed(silence(0.64), 0.0)
    await asyncio.sleep(0)
    assert heard[9] > 0.5
    assert heard[10:12] == [heard[9]] * 2
    assert heard[-1] < 0.2
    assert errors == [fault] * 2


async def test_after_a_reset_the_gate_stays_open_until_the_state_has_settled() -> None:
    detector = SileroDetector()
    stream = detector.open(lambda *_: None)
    stream.feed(silence(0.64), 0.0)
    await asyncio.sleep(0)
    stream.reset()
    before = detector.windows_scored
    stream.feed(silence(0.64), 0.0)
    await asyncio.sleep(0)
    assert detector.windows_scored - before == silero.QUIET_WINDOWS


async def test_no_call_back_comes_after_close() -> None:
    heard: list[float] = []
    detector = SileroDetector(gate=False)
    first = detector.open(lambda *_: second.close())
    second = detector.open(lambda probability, _: heard.append(probability))
    first.feed(silence(0.032), 0.0)
    second.feed(silence(0.096), 0.0)
    await asyncio.sleep(0)
    assert heard == []
    first.close()
    first.close()


def test_a_missing_package_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(EngineMissing, match="pip install --no-deps silero-vad"):
        SileroDetector()


def test_a_corrupt_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "torn.onnx").write_bytes(b"not a model")
    with pytest.raises(EngineCorrupt, match=r"torn\.onnx"):
        SileroDetector(tmp_path / "torn.onnx")
    with pytest.raises(EngineMissing, match=r"gone\.onnx"):
        SileroDetector(tmp_path / "gone.onnx")
