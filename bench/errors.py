"""Everything `bench` raises.

BenchError
├── ChildDied         a process ended, or did not get ready, while it was needed
└── NothingMeasured   a run gave no samples; says what to look at
"""

from __future__ import annotations


class BenchError(RuntimeError):
    """Root of the tree."""


class ChildDied(BenchError):
    """A process ended, or did not get ready, while it was needed."""


class NothingMeasured(BenchError):
    """A run gave no samples; says what to look at."""
