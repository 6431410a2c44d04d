"""One look for every picture of the bench: matplotlib without pyplot's global state."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

INK = "#0f172a"
MUTED = "#64748b"
GRID = "#e2e8f0"
CALLEE = "#0f766e"
AGENT = "#4338ca"
LATENCY = "#b45309"
ALARM = "#dc2626"
GOOD = "#15803d"


def figure(width_in: float, height_in: float) -> Figure:
    """A white figure that can be saved at once."""
    made = Figure(figsize=(width_in, height_in), dpi=110, facecolor="white")
    FigureCanvasAgg(made)
    return made


def tidy(axes: Axes, *, title: str = "", x: str = "", y: str = "") -> None:
    """Quiet frame, light grid, readable labels."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(GRID)
    axes.tick_params(colors=MUTED, labelsize=9, length=0)
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    if title:
        axes.set_title(title, loc="left", fontsize=12, color=INK, fontweight="bold", pad=10)
    axes.set_xlabel(x, fontsize=9.5, color=MUTED)
    axes.set_ylabel(y, fontsize=9.5, color=MUTED)


def save(made: Figure, path: Path, **options: Any) -> None:
    """Write a PNG, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made.savefig(path, format="png", **options)
