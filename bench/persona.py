"""Who picks up a rehearsal call: a persona file, checked, and the one rule by which it answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

from bench.fuzzy import resembles, spoken_form

FOLDER = Path(__file__).parent / "personas"

Words = Annotated[str, Field(pattern=r"^[a-z' ]+$", max_length=200)]
"""Plain lower-case words: numbers written out, since a small recogniser has to hear them."""


class _Checked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Line(_Checked):
    """What to say to whom speaks like this."""

    when: list[Words] | Literal["any"]
    """Phrases; one that the other side's words resemble is enough. `any` always fits."""
    say: Words
    pause_s: Annotated[float, Field(ge=0, le=5)] = 0.0
    """Thinking before speaking."""
    once: bool = False
    hang_up: bool = False
    """Put the phone down after these words."""

    def fits(self, heard: str) -> bool:
        """Whether the line answers `heard`, already in spoken form."""
        return self.when == "any" or any(resembles(phrase, heard) for phrase in self.when)


class BargeIn(_Checked):
    """Break into the other side's speech, once."""

    after_s: Annotated[float, Field(gt=0, le=10)]
    """Seconds into a turn of theirs; short turns are let pass."""
    say: Words


class Noise(_Checked):
    """What is behind the voice all the time."""

    kind: Literal["white", "pink", "hum"]
    snr_db: Annotated[float, Field(ge=0, le=60)]


class Expect(_Checked):
    """How the call must end for the scenario to count as passed."""

    success: bool
    disposition: str | None
    ended_reason: str


class Persona(_Checked):
    """One simulated callee: how they sound, when they pick up, what they say."""

    about: str
    """One sentence for the operator."""
    call: Literal["debt-collection", "restaurant"] = "debt-collection"
    """Which request the demo posts to reach them."""
    voice: str = "en-us+m3"
    """An espeak-ng voice."""
    rate: Annotated[int, Field(ge=100, le=220)] = 150
    """Words per minute."""
    pitch: Annotated[int, Field(ge=0, le=99)] = 50
    ring_s: Annotated[float, Field(ge=0, le=60)] = 1.5
    answer: Literal["answer", "busy", "no-answer", "decline"] = "answer"
    greeting: Words | None = "hello"
    lines: list[Line] = []
    default: Words | None = None
    """Said when no line fits; without it, nothing is."""
    silence: Words | None = None
    """Said when the other side says nothing for long."""
    barge_in: BargeIn | None = None
    noise: Noise | None = None
    beep: bool = False
    """It is an answering machine: deaf, and a 1 kHz tone follows the greeting."""
    expect: Expect

    @classmethod
    def load(cls, name: str) -> Persona:
        """Read one of ours by name, or any by path. Raises ValueError with the reason."""
        path = Path(name) if name.endswith(".yaml") else FOLDER / f"{name}.yaml"
        if not path.is_file():
            raise ValueError(f"no scenario {name!r}; there are: {', '.join(names())}")
        return cls.model_validate(yaml.safe_load(path.read_text("utf-8")))

    def line_for(self, heard: str, said: Sequence[str] = ()) -> Line | None:
        """Choose the answer to what was heard, or None to stay silent.

        The first line that fits wins; a `once` line that is among what was `said` is used up.
        """
        heard = spoken_form(heard)
        if not heard:
            return Line(when="any", say=self.silence) if self.silence else None
        for line in self.lines:
            if line.fits(heard) and not (line.once and line.say in said):
                return line
        return Line(when="any", say=self.default) if self.default else None


def names() -> list[str]:
    """All scenarios that come with the bench."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))
