"""espeak-ng in a child process."""

import asyncio
from collections.abc import AsyncIterator

import numpy as np
import pytest

from models.errors import EngineMissing, NotOffered
from models.espeak import EspeakVoice
from models.voice import CallVoice


@pytest.fixture
async def voice() -> AsyncIterator[EspeakVoice]:
    voice = EspeakVoice()
    await voice.start()
    yield voice
    await voice.close()


async def test_a_clause_is_voiced_from_its_first_packet(voice: EspeakVoice) -> None:
    chunks = [chunk async for chunk in voice.speak("Hello there, Anna.", 8000)]
    ((pcm, _),) = chunks
    assert pcm.dtype == np.int16
    assert 0.5 < len(pcm) / 8000 < 3
    assert np.abs(pcm[: 2 * 160 + 80]).max() > 100


async def test_words_are_reported_as_written_in_order(voice: EspeakVoice) -> None:
    text = "You owe $154.56 today 😀 Anna."
    async for pcm, words in voice.speak(text, 8000):
        assert [word for word, _ in words] == text.split()
        ends = [end for _, end in words]
        assert ends == sorted(ends)
        assert ends[-1] == len(pcm)
        dollars = ends[2] - ends[1]
        assert dollars > 2 * (ends[1] - ends[0])
        assert ends[4] == ends[3]


async def test_the_rate_changes_the_samples_and_not_the_time(voice: EspeakVoice) -> None:
    ((narrow, marks),) = [chunk async for chunk in voice.speak("One moment please.", 8000)]
    ((wide, wide_marks),) = [chunk async for chunk in voice.speak("One moment please.", 16000)]
    assert len(wide) == pytest.approx(2 * len(narrow), abs=2)
    assert wide_marks[0][1] == pytest.approx(2 * marks[0][1], abs=2)


async def test_silent_text_gives_no_audio(voice: EspeakVoice) -> None:
    assert [chunk async for chunk in voice.speak(" 😀 ** ", 8000)] == []


async def test_voices_speak_equally_loud(voice: EspeakVoice) -> None:
    other = EspeakVoice("en-gb+m3", rate_wpm=140, pitch=30)
    await other.start()
    levels = []
    for speaker in (voice, other):
        async for pcm, _ in speaker.speak("The meeting is at noon today.", 8000):
            levels.append(20 * np.log10(np.sqrt(np.mean(np.square(pcm, dtype=np.float64)))))
    await other.close()
    assert abs(levels[0] - levels[1]) < 2.5


async def seconds(voice: CallVoice, text: str = "Good morning, how are you today?") -> float:
    return sum([len(pcm) async for pcm, _ in voice.speak(text, 8000)]) / 8000


async def test_the_speed_of_a_call_is_its_own(voice: EspeakVoice) -> None:
    usual = await seconds(voice)
    slow = await seconds(await voice.open(speed=0.5))
    fast = await seconds(await voice.open(speed=2.0))
    assert slow > 1.7 * usual
    assert fast < 0.6 * usual
    assert await seconds(voice) == pytest.approx(usual, rel=0.01)


async def test_calls_at_once_have_their_own_voices(voice: EspeakVoice) -> None:
    low, high = await voice.open("en-gb+m2"), await voice.open("en-us+f4")
    alone = [await seconds(low), await seconds(high)]
    together = await asyncio.gather(*(seconds(one) for one in (low, high) * 5))
    assert together == pytest.approx(alone * 5, rel=0.01)
    assert abs(alone[0] - alone[1]) > 0.03 * alone[0]


@pytest.mark.parametrize(
    "name",
    ["xx-none", "en-us+zz", "en-us+../../lang/gmw/de", "../en", "en-us+m3+f2", "mb-en1", "en us"],
)
async def test_a_voice_that_is_not_there_is_refused(voice: EspeakVoice, name: str) -> None:
    with pytest.raises(NotOffered, match="no voice"):
        await voice.open(name)


@pytest.mark.parametrize("speed", [0.49, 2.01, float("nan")])
async def test_a_speed_out_of_range_is_refused(voice: EspeakVoice, speed: float) -> None:
    with pytest.raises(ValueError, match="speed"):
        await voice.open(speed=speed)


async def test_an_unknown_voice_is_missing() -> None:
    voice = EspeakVoice("xx-none")
    with pytest.raises(EngineMissing, match="xx-none"):
        await voice.start()
    await voice.close()
