"""The Fréchet distance between two sets of rows, each seen as one Gaussian.

Dowson & Landau, The Fréchet distance between multivariate normal distributions, 1982; as a
measure of generated pictures: Heusel et al., GANs trained by a two time-scale update rule, 2017.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Moments:
    """Count, sum (F,) and sum of outer products (F, F) of some rows; they add up."""

    count: float
    total: Float
    outer: Float

    @classmethod
    def of(cls, rows: NDArray[np.floating[Any]]) -> Moments:
        """Moments of rows (N, F)."""
        wide = np.asarray(rows, np.float64)
        return cls(float(len(wide)), wide.sum(0), wide.T @ wide)

    def __add__(self, other: Moments) -> Moments:
        return Moments(self.count + other.count, self.total + other.total, self.outer + other.outer)

    @property
    def mean(self) -> Float:
        """Mean (F,)."""
        return self.total / self.count

    @property
    def covariance(self) -> Float:
        """Covariance (F, F), of the sample (N - 1)."""
        centred = self.outer - np.outer(self.total, self.total) / self.count
        return centred / max(self.count - 1, 1)


def frechet_distance(one: Moments, other: Moments) -> float:
    """|m1 - m2|² + tr(C1 + C2 - 2 (C1 C2)^½), never below zero.

    The trace of the root is the sum of the roots of the eigenvalues of C1^½ C2 C1^½, which is
    symmetric, so that no complex number appears where a covariance is singular.
    """
    first, second = one.covariance, other.covariance
    values, vectors = np.linalg.eigh(first)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    inner = np.linalg.eigvalsh(root @ second @ root)
    between = np.sqrt(np.maximum(inner, 0)).sum()
    apart = float(np.square(one.mean - other.mean).sum())
    return max(0.0, apart + float(np.trace(first) + np.trace(second) - 2 * between))
