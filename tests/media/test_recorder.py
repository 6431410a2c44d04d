import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import wave
from pathlib import Path

import numpy as np

from media.audio import Pcm
from media.errors import RecordingFailed
from media.recorder import AGENT, BUFFER_S, CALLEE, StereoRecorder
from media.writer import writer

PATIENCE_S = 30
ROOT = Path(__file__).parents[2]


def level(value: int, samples: int = 160) -> Pcm:
    return np.full(samples, value, np.int16)


def read(path: Path) -> "np.ndarray":
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, 8000)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)


def recorded(path: Path, *pieces: tuple[int, Pcm, int]) -> "np.ndarray":
    recorder = StereoRecorder(path)
    for channel, pcm, at_sample in pieces:
        recorder.write(channel, pcm, at_sample)
    recorder.close().result(PATIENCE_S)
    assert recorder.failure is None
    return read(path)


def test_the_callee_is_left_and_the_agent_right(tmp_path: Path) -> None:
    audio = recorded(tmp_path / "a.wav", (CALLEE, level(5), 0), (AGENT, level(7), 0))
    assert audio.tolist() == [[5, 7]] * 160


def test_what_was_never_written_is_silence_at_its_true_length(tmp_path: Path) -> None:
    audio = recorded(tmp_path / "a.wav", (CALLEE, level(5), 800), (CALLEE, level(6), 80_000))
    assert audio.shape[0] == 80_160
    assert not audio[:800].any()
    assert audio[800:960, 0].tolist() == [5] * 160
    assert not audio[960:80_000].any()
    assert audio[80_000:, 0].tolist() == [6] * 160


def test_pieces_may_come_in_any_order(tmp_path: Path) -> None:
    audio = recorded(tmp_path / "a.wav", (CALLEE, level(2), 160), (CALLEE, level(1), 0))
    assert audio[:, 0].tolist() == [1] * 160 + [2] * 160


def test_a_piece_that_comes_after_its_place_was_written_still_gets_there(tmp_path: Path) -> None:
    recorder = StereoRecorder(tmp_path / "a.wav")
    recorder.write(AGENT, level(9, 8000), 0)
    writer().flush_all()
    recorder.write(CALLEE, level(4), 160)
    recorder.close().result(PATIENCE_S)
    audio = read(tmp_path / "a.wav")
    assert audio[160:320].tolist() == [[4, 9]] * 160
    assert audio[320].tolist() == [0, 9]


def test_a_call_without_audio_is_an_empty_file(tmp_path: Path) -> None:
    assert recorded(tmp_path / "a.wav").shape[0] == 0


def test_a_time_before_the_recording_is_its_beginning(tmp_path: Path) -> None:
    assert recorded(tmp_path / "a.wav", (CALLEE, level(5), -40))[0].tolist() == [5, 0]


def test_closing_can_be_awaited_and_twice_is_once(tmp_path: Path) -> None:
    async def main() -> None:
        recorder = StereoRecorder(tmp_path / "a.wav")
        recorder.write(CALLEE, level(5), 0)
        await recorder.aclose()
        await recorder.aclose()

    asyncio.run(main())
    assert read(tmp_path / "a.wav").shape[0] == 160


def test_writing_after_the_close_is_ignored(tmp_path: Path) -> None:
    recorder = StereoRecorder(tmp_path / "a.wav")
    recorder.close().result(PATIENCE_S)
    recorder.write(CALLEE, level(5), 0)
    assert read(tmp_path / "a.wav").shape[0] == 0


def test_all_recordings_share_one_thread(tmp_path: Path) -> None:
    recorders = [StereoRecorder(tmp_path / f"{n}.wav") for n in range(20)]
    names = [thread.name for thread in threading.enumerate()]
    assert names.count("recordings") == 1
    for recorder in recorders:
        recorder.close().result(PATIENCE_S)


def test_a_path_that_cannot_be_opened_is_a_typed_failure_and_the_close_still_ends(
    tmp_path: Path,
) -> None:
    failures: list[RecordingFailed] = []
    recorder = StereoRecorder(tmp_path / "missing" / "a.wav", on_failure=failures.append)
    recorder.write(CALLEE, level(5), 0)
    recorder.close().result(PATIENCE_S)
    assert failures == [recorder.failure]
    assert isinstance(failures[0].__cause__, FileNotFoundError)


def test_a_full_disk_is_reported_once_and_never_raised_where_packets_pass() -> None:
    failures: list[RecordingFailed] = []
    recorder = StereoRecorder("/dev/full", on_failure=failures.append)
    recorder.write(CALLEE, level(5), 0)
    writer().flush_all()
    recorder.write(CALLEE, level(5), 160)
    recorder.close().result(PATIENCE_S)
    assert len(failures) == 1
    assert "No space left" in str(failures[0])


def test_a_disk_that_fills_up_leaves_a_readable_beginning(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    script = """
        import resource, sys
        import numpy as np
        from media.recorder import StereoRecorder
        from media.writer import writer
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        recorder = StereoRecorder(sys.argv[1], on_failure=lambda failure: print(failure))
        for n in range(10):
            recorder.write(0, np.full(8000, 5, np.int16), n * 8000)
            writer().flush_all()
        recorder.close().result(30)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=True,
    )
    assert "File too large" in done.stdout
    assert read(path).shape[0] >= 16_000


def test_a_failed_callback_does_not_stop_the_other_recordings(tmp_path: Path) -> None:
    def broken(failure: RecordingFailed) -> None:
        raise ValueError("broken")

    StereoRecorder(tmp_path / "missing" / "a.wav", on_failure=broken).close().result(PATIENCE_S)
    assert recorded(tmp_path / "b.wav", (CALLEE, level(5), 0)).shape[0] == 160


def test_memory_is_bounded_while_the_disk_does_not_follow(tmp_path: Path) -> None:
    recorder = StereoRecorder(tmp_path / "a.wav")
    second = level(5, 8000)
    for n in range(1000):  # in far less time than the writer's turn takes to come round
        recorder.write(CALLEE, second, n * 8000)
    recorder.close().result(PATIENCE_S)
    assert recorder.dropped_samples >= 8000 * (1000 - 4 * 2 * BUFFER_S)


def test_a_killed_process_leaves_a_readable_file_short_of_at_most_a_second(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.wav"
    script = """
        import sys, time
        import numpy as np
        from media.recorder import StereoRecorder
        recorder = StereoRecorder(sys.argv[1])
        start, n = time.monotonic(), 0
        while True:
            recorder.write(n % 2, np.full(160, 5, np.int16), n // 2 * 160)
            n += 1
            if n % 2 == 0:
                print(n // 2 * 160, flush=True)
                time.sleep(max(0.0, start + n // 2 * 0.02 - time.monotonic()))
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), str(path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        written = 0
        while written < 20_000:
            written = int(process.stdout.readline())
        os.kill(process.pid, signal.SIGKILL)
        written = max([written, *(int(line) for line in process.stdout if line.endswith("\n"))])
    audio = read(path)
    assert audio.shape[0] >= written - 8000
    assert np.all(audio[:-160] == 5)  # the last frame may have been half written


def test_a_file_is_readable_while_the_call_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    recorder = StereoRecorder(path)
    recorder.write(CALLEE, level(5), 0)
    deadline = time.monotonic() + PATIENCE_S
    while not (path.exists() and path.stat().st_size >= 44 + 640):
        assert time.monotonic() < deadline
        os.sched_yield()
    assert read(path).shape[0] == 160
    recorder.close().result(PATIENCE_S)


def test_a_pause_is_silence_of_its_true_length_in_both_channels(tmp_path: Path) -> None:
    recorder = StereoRecorder(tmp_path / "a.wav")
    recorder.write(CALLEE, level(1), 0)
    recorder.pause()
    recorder.write(CALLEE, level(2), 160)
    recorder.write(AGENT, level(3), 160)
    recorder.resume()
    recorder.write(AGENT, level(4), 320)
    recorder.close().result(PATIENCE_S)
    audio = read(tmp_path / "a.wav")
    assert audio[:160].tolist() == [[1, 0]] * 160
    assert not audio[160:320].any()
    assert audio[320:].tolist() == [[0, 4]] * 160


def test_a_recording_that_ends_in_a_pause_is_as_long_as_the_call(tmp_path: Path) -> None:
    recorder = StereoRecorder(tmp_path / "a.wav")
    recorder.write(CALLEE, level(1), 0)
    recorder.pause()
    recorder.write(CALLEE, level(2), 40_000)
    recorder.close().result(PATIENCE_S)
    audio = read(tmp_path / "a.wav")
    assert audio.shape[0] == 40_160
    assert not audio[160:].any()


def test_a_recording_paused_from_its_first_moment_is_silent(tmp_path: Path) -> None:
    recorder = StereoRecorder(tmp_path / "a.wav")
    recorder.pause()
    recorder.write(CALLEE, level(2), 0)
    recorder.close().result(PATIENCE_S)
    assert not read(tmp_path / "a.wav").any()
    assert read(tmp_path / "a.wav").shape[0] == 160
