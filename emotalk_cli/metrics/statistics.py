"""What the mean over clips allows to say: bootstrap intervals and paired tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95
RESAMPLES = 2000
PERMUTATIONS = 10000
SEED = 0


@dataclass(frozen=True)
class Interval:
    """Mean over `count` clips with its confidence interval."""

    mean: float
    low: float
    high: float
    count: int


@dataclass(frozen=True)
class PairedTest:
    """Mean difference first minus second over the clips of both, and how likely chance makes it."""

    difference: Interval
    p_value: float
    p_holm: float = float("nan")


def bootstrap_mean(values: NDArray[np.floating[Any]], *, resamples: int = RESAMPLES) -> Interval:
    """Percentile bootstrap of the mean of values (N,) over clips (Efron, 1979).

    Clips count as independent: with few speakers the interval speaks of more clips of the same
    speakers, not of other speakers. nan values are left out.
    """
    seen = np.asarray(values, np.float64)
    seen = seen[np.isfinite(seen)]
    if not len(seen):
        return Interval(float("nan"), float("nan"), float("nan"), 0)
    mean = float(seen.mean())
    if len(seen) == 1:
        return Interval(mean, float("nan"), float("nan"), 1)
    draws = np.random.default_rng(SEED).integers(0, len(seen), (resamples, len(seen)))
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(seen[draws].mean(1), [tail, 100 - tail])
    return Interval(mean, float(low), float(high), len(seen))


def paired_test(first: NDArray[np.floating[Any]], second: NDArray[np.floating[Any]]) -> PairedTest:
    """Two-sided sign-flip permutation test of paired values (N,) with the mean as statistic.

    Under the null hypothesis the sign of each clip's difference is arbitrary (Fisher, 1935).
    """
    apart = np.asarray(first, np.float64) - np.asarray(second, np.float64)
    apart = apart[np.isfinite(apart)]
    interval = bootstrap_mean(apart)
    if len(apart) < 2:
        return PairedTest(interval, float("nan"))
    rng = np.random.default_rng(SEED)
    seen = abs(apart.mean()) * (1 - 1e-12)
    extreme = 0
    for _ in range(0, PERMUTATIONS, 1000):
        signs = rng.integers(0, 2, (1000, len(apart)), dtype=np.int8) * 2 - 1
        extreme += int((np.abs(signs @ apart / len(apart)) >= seen).sum())
    return PairedTest(interval, (extreme + 1) / (PERMUTATIONS + 1))


def holm(p_values: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Holm's adjustment (1979) of p values (M,) for M questions asked at once; nan stays nan."""
    p = np.asarray(p_values, np.float64)
    adjusted = np.full(len(p), np.nan)
    order = [i for i in np.argsort(p) if np.isfinite(p[i])]
    largest = 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, p[index] * (len(order) - rank)))
        adjusted[index] = largest
    return adjusted
