"""What the mean over clips allows to say: bootstrap intervals and paired tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95
RESAMPLES = 2000
PERMUTATIONS = 10000
SEED = 0
MIN_CLUSTERS = 5
"""Of fewer speakers too little can be resampled: then clips count as independent."""


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


def bootstrap_mean(
    values: NDArray[np.floating[Any]],
    clusters: Sequence[str] | None = None,
    *,
    resamples: int = RESAMPLES,
) -> Interval:
    """Percentile bootstrap of the mean of values (N,) (Efron, 1979; by clusters: Davison and
    Hinkley, Bootstrap Methods, 1997, section 3.8).

    `clusters` (N,) names each clip's speaker: where there are MIN_CLUSTERS or more, speakers are
    drawn with all of their clips, else single clips. nan values are left out.
    """
    every = np.asarray(values, np.float64)
    is_seen = np.isfinite(every)
    seen = every[is_seen]
    if not len(seen):
        return Interval(float("nan"), float("nan"), float("nan"), 0)
    mean = float(seen.mean())
    if len(seen) == 1:
        return Interval(mean, float("nan"), float("nan"), 1)
    member = cluster_index(clusters, is_seen)
    count = int(member.max()) + 1
    sums, sizes = np.bincount(member, seen), np.bincount(member)
    draws = np.random.default_rng(SEED).integers(0, count, (resamples, count))
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(sums[draws].sum(1) / sizes[draws].sum(1), [tail, 100 - tail])
    return Interval(mean, float(low), float(high), len(seen))


def cluster_index(clusters: Sequence[str] | None, used: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Number of the cluster of each used value, from 0; each value its own where there are few."""
    alone = np.arange(int(used.sum()))
    if clusters is None:
        return alone
    names = np.array(clusters)[used]
    found, member = np.unique(names, return_inverse=True)
    return np.asarray(member, np.intp) if len(found) >= MIN_CLUSTERS and "" not in found else alone


def paired_test(
    first: NDArray[np.floating[Any]],
    second: NDArray[np.floating[Any]],
    clusters: Sequence[str] | None = None,
) -> PairedTest:
    """Two-sided sign-flip permutation test of paired values (N,) with the mean as statistic.

    Under the null hypothesis the sign of each clip's difference is arbitrary (Fisher, 1935); that
    of each speaker's, where `clusters` names enough of them (see `bootstrap_mean`).
    """
    apart = np.asarray(first, np.float64) - np.asarray(second, np.float64)
    used = np.isfinite(apart)
    interval = bootstrap_mean(apart, clusters)
    apart = apart[used]
    if len(apart) < 2:
        return PairedTest(interval, float("nan"))
    rng = np.random.default_rng(SEED)
    seen = abs(apart.mean()) * (1 - 1e-12)
    extreme, member = 0, cluster_index(clusters, used)
    sums = np.bincount(member, apart)
    for _ in range(0, PERMUTATIONS, 1000):
        signs = rng.integers(0, 2, (1000, len(sums)), dtype=np.int8) * 2 - 1
        extreme += int((np.abs(signs @ sums / len(apart)) >= seen).sum())
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
