"""Silero voice detection at 8 kHz, batched over the legs that are ready in one loop round.

Stands after the decoder and before the turn machine, in the node's own process: a window costs
less than a message to another process would. webrtcvad gates it: a leg in silence costs almost
nothing. The file is found without importing `silero_vad`, which would pull in torch. Input as
in snakers4/silero-vad utils_vad.py: 256 samples after the 32 before them, state (2, B, 128).
"""

import asyncio
import importlib.util
from collections import deque
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
import webrtcvad

from models.errors import EngineCorrupt, EngineMissing

Pcm = npt.NDArray[np.int16]
OnWindow = Callable[[float, float], None]

RATE_HZ = 8000
WINDOW_SAMPLES = 256
CONTEXT_SAMPLES = 32
QUIET_WINDOWS = 10
"""Windows (of 32 ms) without any sign of speech before the gate closes."""
LEAVE_SPEECH = 0.35
"""Silero's own lower threshold; a leg above it is in speech and never gated."""

_GATE_SAMPLES = 240  # 30 ms, webrtcvad's longest frame
_GATE_MODE = 1  # 2 and 3 are late on quiet speech in noise
_FIRST_CAPACITY = 32
_SCALE = np.float32(1 / 32768)


def weights_path() -> Path:
    """Where the `silero_vad` package keeps its ONNX file; EngineMissing if it is not there."""
    spec = importlib.util.find_spec("silero_vad")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / "data" / "silero_vad.onnx"
        if path.is_file():
            return path
    raise EngineMissing("voice detection needs: pip install --no-deps silero-vad")


class SileroStream:
    """One leg: its samples, its gate and its row in the detector's state."""

    def __init__(self, detector: "SileroDetector", row: int, on_window: OnWindow) -> None:
        self.row = row
        self.on_window = on_window
        self.windows: deque[tuple[Pcm, float]] = deque()
        self.open = True
        self._detector = detector
        self._vad = webrtcvad.Vad(_GATE_MODE)
        self._samples = np.zeros(CONTEXT_SAMPLES + WINDOW_SAMPLES, np.int16)
        self._filled = CONTEXT_SAMPLES
        self._quiet = 0
        self._probability = 0.0

    def feed(self, pcm: Pcm, now: float) -> None:
        """Take 8 kHz audio of any length; a full window is scored later in this loop round.

        now: monotonic seconds, given back with the windows that this audio completes.
        """
        while len(pcm):
            part = pcm[: len(self._samples) - self._filled]
            self._samples[self._filled : self._filled + len(part)] = part
            self._filled += len(part)
            pcm = pcm[len(part) :]
            if self._filled == len(self._samples):
                self.windows.append((self._samples.copy(), now))
                self._samples[:CONTEXT_SAMPLES] = self._samples[-CONTEXT_SAMPLES:]
                self._filled = CONTEXT_SAMPLES
                self._detector.expect(self)

    def reset(self) -> None:
        """Forget what was heard, apart from the part of a window that is still filling.

        In noise an onset right after this comes up to 0.4 s late and a short word may be missed;
        `QUIET_WINDOWS` later nothing is left of that. The gate stays open until then, so that
        the state settles on the line as it is.
        """
        self._detector.forget(self.row)
        self._probability = 0.0
        self._quiet = 0

    def close(self) -> None:
        """End the leg; no call-back comes after this."""
        if self.open:
            self.open = False
            self.windows.clear()
            self._detector.release(self.row)

    def passes_gate(self, window: Pcm) -> bool:
        """Say whether Silero must hear this window.

        A closed gate leaves the state as silence has left it and does not zero it: an onset is
        not to meet a fresh state, see `reset`.
        """
        frame = window[-_GATE_SAMPLES:].tobytes()
        if self._probability >= LEAVE_SPEECH or self._vad.is_speech(frame, RATE_HZ):
            self._quiet = 0
        else:
            self._quiet += 1
        return self._quiet <= QUIET_WINDOWS

    def deliver(self, probability: float | None, now: float) -> None:
        """Report one window. probability: None where it could not be scored; the last one holds."""
        if probability is not None:
            self._probability = probability
        if self.open:
            self.on_window(self._probability, now)


_Window = tuple[SileroStream, Pcm, float]
"""Who waits, 288 samples, and when the last of them came."""


class SileroDetector:
    """Scores 32 ms windows of 8 kHz audio for any number of legs, on one thread.

    model: the ONNX file; None finds the one in the `silero_vad` package. gate: spare Silero the
    windows of legs that have been silent. Raises EngineMissing or EngineCorrupt.
    """

    window_ms = 1000 * WINDOW_SAMPLES / RATE_HZ

    def __init__(self, model: Path | None = None, *, gate: bool = True) -> None:
        self.windows_scored = 0
        self.windows_skipped = 0
        self._gate = gate
        self._session = _session(model or weights_path())
        self._waiting: list[SileroStream] = []
        self._free: list[int] = []
        self._state = np.zeros((2, 0, 128), np.float32)
        self._grow(_FIRST_CAPACITY)

    def open(self, on_window: OnWindow) -> SileroStream:
        """Begin a leg. `on_window(probability, now)` runs on the event loop once a window."""
        if not self._free:
            self._grow(2 * self._state.shape[1])
        row = self._free.pop()
        self.forget(row)
        return SileroStream(self, row, on_window)

    def forget(self, row: int) -> None:
        """Zero one leg's recurrent state."""
        self._state[:, row] = 0.0

    def release(self, row: int) -> None:
        """Take a closed leg's row back."""
        self._free.append(row)

    def expect(self, stream: SileroStream) -> None:
        """Score this leg's next window with the others of this loop round."""
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._round)
        if len(stream.windows) == 1:
            self._waiting.append(stream)

    def _grow(self, capacity: int) -> None:
        old = self._state.shape[1]
        self._state = np.concatenate(
            [self._state, np.zeros((2, capacity - old, 128), np.float32)], axis=1
        )
        self._inputs = np.zeros((capacity, CONTEXT_SAMPLES + WINDOW_SAMPLES), np.float32)
        self._states = np.zeros(2 * capacity * 128, np.float32)
        self._free.extend(reversed(range(old, capacity)))

    def _round(self) -> None:
        """Score and deliver until no leg waits; nothing that fails may stop the other legs."""
        while self._waiting:
            ready = [
                (stream, *stream.windows.popleft()) for stream in self._waiting if stream.windows
            ]
            self._waiting = [stream for stream in self._waiting if stream.windows]
            try:
                probabilities = self._probabilities(ready)
            except Exception as error:  # onnxruntime's own types differ from version to version
                _report("voice detection failed on a batch", error)
                probabilities = [None] * len(ready)
            for (stream, _, now), probability in zip(ready, probabilities, strict=True):
                try:
                    stream.deliver(probability, now)
                except Exception as error:
                    _report("a leg failed on its window", error)

    def _probabilities(self, ready: list[_Window]) -> list[float | None]:
        """Score what passes the gate; what does not is silence."""
        heard = [item for item in ready if not self._gate or item[0].passes_gate(item[1])]
        scores = self._score(heard) if heard else []
        by_row = {item[0].row: score for item, score in zip(heard, scores, strict=True)}
        self.windows_scored += len(heard)
        self.windows_skipped += len(ready) - len(heard)
        return [by_row.get(stream.row, 0.0) for stream, _, _ in ready]

    def _score(self, batch: list[_Window]) -> list[float]:
        """Gather the legs' windows and states, run them as one batch, scatter the states."""
        size = len(batch)
        rows = [stream.row for stream, _, _ in batch]
        inputs = self._inputs[:size]
        for target, (_, window, _) in zip(inputs, batch, strict=True):
            np.multiply(window, _SCALE, out=target)
        states = self._states[: 2 * size * 128].reshape(2, size, 128)
        np.take(self._state, rows, axis=1, out=states)
        probabilities, after = self._session.run(
            None, {"input": inputs, "state": states, "sr": np.array(RATE_HZ, np.int64)}
        )
        self._state[:, rows] = after
        scores: list[float] = probabilities[:, 0].tolist()
        return scores


def _report(message: str, error: Exception) -> None:
    asyncio.get_running_loop().call_exception_handler({"message": message, "exception": error})


def _session(model: Path) -> onnxruntime.InferenceSession:
    if not model.is_file():
        raise EngineMissing(f"voice detection: there is no file {model}")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own types differ from version to version
        raise EngineCorrupt(f"{model} is not a Silero model: {error}") from error
