"""The picture of one call: both voices, the turns found in them, and the time between."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

from bench import plotting
from bench.recorded import (
    Handover,
    Turn,
    handovers,
    read_wav,
    row_length_s,
    row_starts,
    silent_from,
    turns_of,
)
from bench.voiced import Span, voiced_spans
from media.audio import Pcm

_WIDTH_IN = 15.0
_ROW_IN = 2.75
_MARGIN_IN = 0.9
_CHARACTER_IN = 0.078
_LINES = 4
_CALLEE_Y, _AGENT_Y, _HALF = 1.15, -1.15, 0.72
_TOP = 3.0


def draw(call: Mapping[str, Any], wav: Path, path: Path, *, title: str = "") -> None:
    """Draw the call's record over its recording as a PNG."""
    callee, agent, rate_hz = read_wav(wav)
    turns = turns_of(call)
    total_s = max(len(callee) / rate_hz, *(turn.end_s for turn in turns), 1.0)
    spans = voiced_spans(callee, rate_hz), voiced_spans(agent, rate_hz)
    gaps = handovers(turns, *spans)
    starts, row_s = row_starts(turns, total_s), row_length_s(total_s)
    made = plotting.figure(_WIDTH_IN, 1.25 + _ROW_IN * len(starts))
    height_in = made.get_figheight()
    _heading(made.add_axes((0, 1 - 0.95 / height_in, 1, 0.95 / height_in)), call, gaps, title)
    for number, start in enumerate(starts):
        bottom = height_in - 0.95 - _ROW_IN * (number + 1) + 0.12
        axes = made.add_axes(
            (
                _MARGIN_IN / _WIDTH_IN,
                bottom / height_in,
                1 - (_MARGIN_IN + 0.35) / _WIDTH_IN,
                (_ROW_IN - 0.3) / height_in,
            )
        )
        end = starts[number + 1] if number + 1 < len(starts) else start + row_s
        _Row(axes, start, min(end, start + row_s), row_s).draw(
            (callee, agent), rate_hz, spans, turns, gaps
        )
    plotting.save(made, path)


def _heading(axes: Axes, call: Mapping[str, Any], gaps: Sequence[Handover], title: str) -> None:
    axes.axis("off")
    left = _MARGIN_IN / _WIDTH_IN
    axes.text(
        left,
        0.66,
        title or str(call.get("id", "")),
        fontsize=17,
        color=plotting.INK,
        fontweight="bold",
        va="center",
    )
    axes.text(left, 0.28, _facts(call, gaps), fontsize=10.5, color=plotting.MUTED, va="center")
    legend = (
        ("callee", plotting.CALLEE),
        ("agent", plotting.AGENT),
        ("reply latency", plotting.LATENCY),
        ("barge-in", plotting.ALARM),
    )
    at = 1 - 0.35 / _WIDTH_IN
    for name, colour in reversed(legend):
        at -= 0.018 + 0.0062 * len(name)
        axes.plot([at], [0.28], "s", color=colour, markersize=8, clip_on=False)
        axes.text(at + 0.008, 0.28, name, fontsize=10, color=plotting.INK, va="center")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)


def _facts(call: Mapping[str, Any], gaps: Sequence[Handover]) -> str:
    facts = [f"{call.get('from', '')} → {call.get('to', '')}".strip(" →")]
    if call.get("duration_s") is not None:
        facts.append(f"{float(call['duration_s']):.1f} s")
    if call.get("ended_reason"):
        facts.append(str(call["ended_reason"]).replace("_", " "))
    if gaps:
        ms = [gap.ms for gap in gaps]
        facts.append(
            f"replies after {np.median(ms):.0f} ms (median of {len(ms)}), slowest {max(ms):.0f} ms"
        )
    return "   ·   ".join(fact for fact in facts if fact)


class _Row:
    """One line of the picture: `start_s` … `end_s` of the call, of which all hold `row_s`."""

    def __init__(self, axes: Axes, start_s: float, end_s: float, row_s: float) -> None:
        self._axes, self._start_s, self._end_s, self._row_s = axes, start_s, end_s, row_s
        self._per_s_in = (_WIDTH_IN - _MARGIN_IN - 0.35) / row_s

    def draw(
        self,
        voices: tuple[Pcm, Pcm],
        rate_hz: int,
        spans: tuple[list[Span], list[Span]],
        turns: Sequence[Turn],
        gaps: Sequence[Handover],
    ) -> None:
        """Draw everything that lies in the row."""
        self._frame()
        lanes = ((_CALLEE_Y, plotting.CALLEE), (_AGENT_Y, plotting.AGENT))
        for voice, voiced, (y, colour) in zip(voices, spans, lanes, strict=True):
            self._waveform(voice, rate_hz, y, colour)
            self._spoken(voiced, y, colour)
        self._turns(turns, spans[1])
        for gap in gaps:
            if self._holds(gap.from_s):
                self._latency(gap)

    def _frame(self) -> None:
        axes = self._axes
        axes.set_xlim(self._start_s, self._start_s + self._row_s)
        axes.set_ylim(-_TOP, _TOP)
        axes.set_yticks([_CALLEE_Y, _AGENT_Y], ["callee", "agent"], fontsize=10.5)
        for label, colour in zip(
            axes.get_yticklabels(), (plotting.CALLEE, plotting.AGENT), strict=True
        ):
            label.set_color(colour)
            label.set_fontweight("bold")
        first = int(np.ceil(self._start_s))
        seconds = range(first, int(self._start_s + self._row_s) + 1)
        axes.set_xticks(list(seconds), [f"{s} s" if s % 2 == 0 else "" for s in seconds])
        axes.tick_params(colors=plotting.MUTED, length=0, labelsize=8.5, axis="x", pad=1)
        axes.tick_params(length=0, axis="y")
        axes.grid(axis="x", color=plotting.GRID, linewidth=0.7)
        axes.set_axisbelow(True)
        for spine in axes.spines.values():
            spine.set_visible(False)

    def _holds(self, at_s: float) -> bool:
        return self._start_s <= at_s < self._end_s

    def _waveform(self, voice: Pcm, rate_hz: int, y: float, colour: str) -> None:
        first, last = int(self._start_s * rate_hz), int(self._end_s * rate_hz)
        part = voice[first:last].astype(np.float64) / 32768
        step = max(1, rate_hz // 100)
        whole = part[: len(part) // step * step].reshape(-1, step)
        at = self._start_s + (np.arange(len(whole)) + 0.5) * step / rate_hz
        if not len(whole):
            return
        # Compressed, so that quiet consonants are seen beside loud vowels.
        high = np.sqrt(np.clip(whole.max(axis=1), 0, 1)) * _HALF
        low = np.sqrt(np.clip(-whole.min(axis=1), 0, 1)) * _HALF
        self._axes.fill_between(at, y - low, y + high, color=colour, alpha=0.85, linewidth=0)
        self._axes.plot([at[0], at[-1]], [y, y], color=colour, linewidth=0.6, alpha=0.6)

    def _spoken(self, voiced: Sequence[Span], y: float, colour: str) -> None:
        """A bar at the inner edge of the lane wherever there is sound."""
        edge = y - np.sign(y) * (_HALF + 0.1)
        for span in voiced:
            start, end = max(span.start_s, self._start_s), min(span.end_s, self._end_s)
            if end > start:
                self._axes.plot(
                    [start, end], [edge, edge], color=colour, linewidth=3.2, solid_capstyle="butt"
                )

    def _turns(self, turns: Sequence[Turn], agent: Sequence[Span]) -> None:
        for number, turn in enumerate(turns):
            following = next((t.start_s for t in turns[number + 1 :] if t.role == turn.role), 1e9)
            if turn.end_s > self._start_s and turn.start_s < self._end_s:
                self._turn(turn, min(following, self._start_s + self._row_s))
            silent_s = silent_from(turn, agent)
            if turn.interrupted and self._holds(silent_s):
                self._barge_in(silent_s)

    def _turn(self, turn: Turn, until_s: float) -> None:
        theirs = turn.role == "user"
        y, colour = (_CALLEE_Y, plotting.CALLEE) if theirs else (_AGENT_Y, plotting.AGENT)
        start, end = max(turn.start_s, self._start_s), min(turn.end_s, self._end_s)
        self._axes.add_patch(
            FancyBboxPatch(
                (start, y - _HALF),
                max(end - start, 0.05),
                2 * _HALF,
                boxstyle="round,pad=0,rounding_size=0.08",
                mutation_aspect=0.5,
                facecolor=colour,
                alpha=0.10,
                edgecolor=colour,
                linewidth=0.8,
            )
        )
        if self._holds(turn.start_s):
            self._words(turn, until_s, colour)

    def _words(self, turn: Turn, until_s: float, colour: str) -> None:
        theirs = turn.role == "user"
        room_in = max(until_s - turn.start_s - 0.15, 0.8) * self._per_s_in
        text = turn.text.replace("$", r"\$") + ("\u00a0—" if turn.interrupted else "")
        lines = textwrap.wrap(text, max(10, int(room_in / _CHARACTER_IN)))
        if len(lines) > _LINES:
            lines = [*lines[: _LINES - 1], lines[_LINES - 1] + " …"]
        self._axes.text(
            turn.start_s,
            (_CALLEE_Y + _HALF + 0.12) if theirs else (_AGENT_Y - _HALF - 0.12),
            "\n".join(lines),
            fontsize=9,
            color=colour,
            linespacing=1.15,
            va="bottom" if theirs else "top",
        )

    def _latency(self, gap: Handover) -> None:
        axes, colour = self._axes, plotting.LATENCY
        axes.axvspan(
            gap.from_s, gap.to_s, ymin=0.40, ymax=0.60, color=colour, alpha=0.22, linewidth=0
        )
        axes.plot(
            [gap.from_s, gap.to_s],
            [0, 0],
            color=colour,
            linewidth=1.6,
            marker="|",
            markersize=10,
            markeredgewidth=1.6,
        )
        crowded = gap.to_s > self._start_s + self._row_s - 1.0
        axes.annotate(
            f"{gap.ms:.0f} ms",
            (gap.from_s if crowded else gap.to_s, 0),
            xytext=(-5 if crowded else 5, 0),
            textcoords="offset points",
            fontsize=9.5,
            fontweight="bold",
            color=colour,
            va="center",
            ha="right" if crowded else "left",
        )

    def _barge_in(self, at_s: float) -> None:
        axes = self._axes
        axes.plot(
            [at_s, at_s],
            [_AGENT_Y - _HALF, _CALLEE_Y + _HALF],
            color=plotting.ALARM,
            linewidth=1.6,
            linestyle=(0, (3, 2)),
        )
        axes.annotate(
            "barge-in",
            (at_s, -0.22),
            xytext=(4, 0),
            textcoords="offset points",
            fontsize=9,
            fontweight="bold",
            color=plotting.ALARM,
            va="center",
        )
