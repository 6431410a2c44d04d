"""Percentiles of what a call's stages took."""

from collections.abc import Sequence

import numpy as np


def percentiles(values_ms: Sequence[float]) -> dict[str, float]:
    """p50, p90, p95, p99 and max in milliseconds, and the count n."""
    p50, p90, p95, p99 = (round(float(p), 1) for p in np.percentile(values_ms, (50, 90, 95, 99)))
    return {
        "p50": p50,
        "p90": p90,
        "p95": p95,
        "p99": p99,
        "max": max(values_ms),
        "n": len(values_ms),
    }
