"""Fréchet distance: by hand, zero on itself, and equal to scipy's matrix root."""

import numpy as np
import pytest
from scipy import linalg

from emotalk_cli.metrics.frechet import Moments, frechet_distance


def test_two_gaussians_by_hand() -> None:
    """One dimension: (m1 - m2)² + (s1 - s2)²."""
    one = np.array([[-1.0], [1.0]]) * np.sqrt(0.5)  # mean 0, variance 1
    other = 3 * one + 4
    assert frechet_distance(Moments.of(one), Moments.of(other)) == pytest.approx(16 + 4)


def test_nothing_lies_between_equal_sets() -> None:
    rows = np.random.default_rng(0).normal(size=(300, 12))
    assert frechet_distance(Moments.of(rows), Moments.of(rows)) < 1e-9
    few = rows[:4]  # a singular covariance
    assert frechet_distance(Moments.of(few), Moments.of(few)) < 1e-9


def test_agrees_with_scipy() -> None:
    rng = np.random.default_rng(1)
    one = rng.normal(size=(400, 8)) @ rng.normal(size=(8, 8))
    other = rng.normal(size=(300, 8)) @ rng.normal(size=(8, 8)) + 0.5
    first, second = np.cov(one.T), np.cov(other.T)
    root = linalg.sqrtm(first @ second).real
    expected = np.square(one.mean(0) - other.mean(0)).sum() + np.trace(first + second - 2 * root)
    assert frechet_distance(Moments.of(one), Moments.of(other)) == pytest.approx(expected, rel=1e-6)


def test_moments_add_up() -> None:
    rows = np.random.default_rng(2).normal(size=(50, 3))
    both = Moments.of(rows[:20]) + Moments.of(rows[20:])
    np.testing.assert_allclose(both.mean, rows.mean(0))
    np.testing.assert_allclose(both.covariance, np.cov(rows.T))
