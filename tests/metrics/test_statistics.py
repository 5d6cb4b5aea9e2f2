"""Intervals and tests: right on average, and equal to scipy's."""

import itertools

import numpy as np
import pytest
from scipy import stats

from emotalk_cli.metrics.statistics import bootstrap_mean, holm, paired_test


def test_bootstrap_agrees_with_scipy() -> None:
    values = np.random.default_rng(0).gamma(2, 3, 80)
    ours = bootstrap_mean(values)
    theirs = stats.bootstrap(
        (values,), np.mean, method="percentile", n_resamples=2000, rng=1
    ).confidence_interval
    assert ours.mean == pytest.approx(values.mean())
    assert ours.low == pytest.approx(theirs.low, abs=0.15)
    assert ours.high == pytest.approx(theirs.high, abs=0.15)


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    intervals = [bootstrap_mean(rng.normal(5, 2, 40), resamples=400) for _ in range(200)]
    share = np.mean([i.low <= 5 <= i.high for i in intervals])
    assert 0.88 <= share <= 0.99


def test_missing_values_are_left_out() -> None:
    found = bootstrap_mean(np.array([1.0, np.nan, 3.0]))
    assert (found.mean, found.count) == (2.0, 2)
    assert bootstrap_mean(np.array([np.nan])).count == 0
    alone = bootstrap_mean(np.array([7.0]))
    assert alone.mean == 7 and np.isnan(alone.low)


def test_sign_flips_by_hand() -> None:
    first, second = np.array([3.0, 5.0, 2.0, 9.0, 4.0]), np.array([1.0, 4.0, 2.5, 5.0, 3.0])
    apart = first - second
    flips = np.array(list(itertools.product((-1, 1), repeat=5)))
    exact = np.mean(np.abs(flips @ apart) >= abs(apart.sum()) - 1e-9)
    found = paired_test(first, second)
    assert found.difference.mean == pytest.approx(apart.mean())
    assert found.p_value == pytest.approx(exact, abs=0.02)


def test_equal_systems_do_not_differ() -> None:
    values = np.arange(10.0)
    assert paired_test(values, values).p_value == 1
    rng = np.random.default_rng(3)
    apart = paired_test(values + 2 + rng.normal(0, 0.1, 10), values)
    assert apart.p_value < 0.01 and apart.difference.low > 1.8


def test_holm_by_hand() -> None:
    np.testing.assert_allclose(holm(np.array([0.01, 0.04, 0.03])), [0.03, 0.06, 0.06])
    assert np.isnan(holm(np.array([np.nan, 0.5]))[0])
    np.testing.assert_allclose(holm(np.array([0.9, 0.8])), [1, 1])


def test_speakers_that_differ_widen_the_interval() -> None:
    rng = np.random.default_rng(5)
    voices = np.repeat(rng.normal(0, 3, 8), 20)
    values = voices + rng.normal(0, 0.3, 160)
    names = [f"s{n // 20}" for n in range(160)]
    by_clip, by_speaker = bootstrap_mean(values), bootstrap_mean(values, names)
    assert by_speaker.mean == by_clip.mean
    assert by_speaker.high - by_speaker.low > 3 * (by_clip.high - by_clip.low)
    few = bootstrap_mean(values, ["a"] * 80 + ["b"] * 80)
    assert few == by_clip


def test_clusters_by_hand() -> None:
    names = ["a", "b", "c", "d", "e", "e", "e"]
    values = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0])
    sums, sizes = np.array([1, 2, 3, 4, 18.0]), np.array([1, 1, 1, 1, 3])
    every = np.array(list(itertools.product(range(5), repeat=5)))
    exact = np.percentile(sums[every].sum(1) / sizes[every].sum(1), [2.5, 97.5])
    found = bootstrap_mean(values, names, resamples=20000)
    assert (found.low, found.high) == (pytest.approx(exact[0], 0.03), pytest.approx(exact[1], 0.03))


def test_one_loud_speaker_decides_nothing() -> None:
    apart = np.array([5.0] * 30 + [-0.1, 0.1, -0.2, 0.2, 0.1])
    names = ["loud"] * 30 + ["a", "b", "c", "d", "e"]
    assert paired_test(apart, 0 * apart).p_value < 0.001
    assert paired_test(apart, 0 * apart, names).p_value > 0.3
