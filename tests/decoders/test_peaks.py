"""Peaks: the same as scipy's, on noise, on steps and on curves of nothing."""

import numpy as np
import pytest
from scipy import signal

from emotalk_cli.decoders.peaks import find_peaks


@pytest.mark.parametrize("levels", [2, 6, 10_000], ids=["flat", "steps", "noise"])
@pytest.mark.parametrize("distance", [1, 4, 17])
@pytest.mark.parametrize(("prominence", "height"), [(0.0, None), (0.35, None), (0.2, 0.5)])
def test_they_are_scipys(
    levels: int, distance: int, prominence: float, height: float | None
) -> None:
    rng = np.random.default_rng(levels)
    for length in (0, 1, 2, 3, 5, 40, 700):
        values = np.round(rng.random(length) * levels) / levels
        expected, _ = signal.find_peaks(
            values, distance=distance, prominence=prominence, height=height
        )
        least = -np.inf if height is None else height
        found = find_peaks(values, distance=distance, prominence=prominence, height=least)
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == np.int64
