"""Small engines for the tests of the host; loaded in its child processes."""

import os
import time
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from models.errors import EngineCorrupt


class Echo:
    """Answers with what it was told."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def echo(self, value: object) -> object:
        return value

    def double(self, pcm: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
        return pcm * 2

    def note(self, name: str) -> None:
        self.calls.append(name)

    def noted(self) -> list[str]:
        return self.calls

    def count(self, name: str, to: int) -> Iterator[int]:
        try:
            yield from range(to)
        finally:
            self.calls.append(f"{name} closed")

    def wait_for(self, path: str) -> str:
        while not os.path.exists(path):
            time.sleep(0.001)
        self.calls.append(path)
        return path

    def hang(self, begun: str) -> None:
        with open(begun, "w"):
            time.sleep(600)

    def think(self, steps: int, step_s: float) -> Iterator[None]:
        """Work without a word."""
        for _ in range(steps):
            time.sleep(step_s)
            yield None

    def fail(self) -> None:
        raise ValueError("no such thing")

    def die(self) -> None:
        os._exit(3)

    def priority(self) -> int:
        return os.nice(0)

    def threads(self) -> str | None:
        return os.environ.get("OMP_NUM_THREADS")


def load() -> Echo:
    return Echo()


def load_corrupt() -> Echo:
    raise EngineCorrupt("a torn file")


def load_dying() -> Echo:
    os._exit(4)


def load_once(path: str) -> Echo:
    """Load the first time only."""
    if os.path.exists(path):
        raise EngineCorrupt("gone bad")
    with open(path, "w"):
        return Echo()
