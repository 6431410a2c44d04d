"""The picture of a call, and what it reads from record and recording."""

import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imread

from bench import timeline
from bench.noise import tones
from bench.recorded import Handover, Turn, handovers, read_wav, row_starts, turns_of
from bench.voiced import Span

TURNS = (
    ("user", "hello", 0.3, 0.9, False),
    ("assistant", "Hi, is this Bobby?", 1.3, 2.6, False),
    ("user", "yes this is bobby", 3.2, 4.4, False),
    ("assistant", "Hi Bobby, this is Ava about $154.56", 4.8, 9.0, True),
    ("user", "wait a moment", 8.8, 10.0, False),
    ("assistant", "Goodbye.", 10.5, 24.0, False),
)


def record() -> dict[str, Any]:
    keys = ("role", "content", "start_s", "end_s", "interrupted")
    messages = [dict(zip(keys, turn, strict=True)) for turn in TURNS]
    return {
        "id": "call_1", "from": "+16473705600", "to": "+16478359044", "duration_s": 24.5,
        "ended_reason": "agent_hangup", "messages": messages,
    }  # fmt: skip


def recording(path: Path) -> Path:
    stereo = np.zeros((int(24.5 * 8000), 2), np.int16)
    for role, _, start, end, _ in TURNS:
        tone = tones((300.0,), end - start)
        first = int(start * 8000)
        stereo[first : first + len(tone), 0 if role == "user" else 1] = tone
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(stereo.tobytes())
    return path


def test_a_call_is_drawn_as_a_readable_picture(tmp_path: Path) -> None:
    wav, png = recording(tmp_path / "call.wav"), tmp_path / "out" / "timeline.png"
    timeline.draw(record(), wav, png, title="agrees: Bobby pays")
    height, width = imread(png).shape[:2]
    assert width > 1400
    assert 500 < height < 2000
    assert png.stat().st_size > 20_000


def test_a_call_without_a_word_is_drawn_too(tmp_path: Path) -> None:
    png = tmp_path / "timeline.png"
    timeline.draw({"id": "call_1"}, recording(tmp_path / "call.wav"), png)
    assert png.exists()


def test_the_left_channel_is_the_callee(tmp_path: Path) -> None:
    callee, agent, rate_hz = read_wav(recording(tmp_path / "call.wav"))
    assert rate_hz == 8000
    assert np.abs(callee[3000:6000]).max() > 1000
    assert np.abs(agent[3000:6000]).max() == 0


def test_empty_messages_are_no_turns() -> None:
    silent = {"role": "user", "content": "", "start_s": 1.0, "end_s": 1.0}
    assert turns_of({"messages": [silent]}) == []


def test_latency_is_read_from_sound_to_sound() -> None:
    turns = [Turn("user", "hello", 0.3, 0.95), Turn("assistant", "hi", 1.25, 2.0)]
    [gap] = handovers(turns, [Span(0.31, 0.9)], [Span(1.3, 2.0)])
    assert gap == Handover(0.9, 1.3)
    assert gap.ms == pytest.approx(400)


def test_rows_do_not_begin_inside_a_turn_that_could_be_whole() -> None:
    turns = [Turn("assistant", "long", 10.0, 20.0)]
    starts = row_starts(turns, 24.0)
    assert starts[0] == 0.0
    assert starts[1] == pytest.approx(9.7)
