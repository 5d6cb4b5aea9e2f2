"""Peaks of a curve, as `scipy.signal.find_peaks` finds them without the 0.3 s of its import."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
Rows = NDArray[np.int64]


def find_peaks(
    values: Float, *, prominence: float, height: float = -np.inf, distance: int = 1
) -> Rows:
    """Rows of `values` (N,) that are higher than both neighbours, in order; of a flat top the
    middle.

    They reach `height`, are at least `distance` rows apart (of nearer ones the higher stays), and
    stand out by `prominence`: so far one must go down from them to come to anything higher, or to
    the end of the curve.
    """
    tops = _tops(values)
    peaks = tops[values[tops] >= height]
    if distance > 1:
        peaks = _apart(peaks, values[peaks], distance)
    stands_out = _prominences(values, tops)[np.searchsorted(tops, peaks)] >= prominence
    return np.asarray(peaks[stands_out], np.int64)


def _tops(values: Float) -> Rows:
    if len(values) < 3:
        return np.zeros(0, np.int64)
    firsts = np.flatnonzero(np.concatenate([[True], np.diff(values) != 0]))
    lasts = np.concatenate([firsts[1:], [len(values)]]) - 1
    level = values[firsts]
    inner = np.flatnonzero((level[1:-1] > level[:-2]) & (level[1:-1] > level[2:])) + 1
    return np.asarray((firsts[inner] + lasts[inner]) // 2, np.int64)


def _apart(peaks: Rows, heights: Float, distance: int) -> Rows:
    """Those that no higher peak within less than `distance` rows takes the place of."""
    kept = np.ones(len(peaks), bool)
    for best in np.argsort(heights)[::-1]:
        if kept[best]:
            first, last = np.searchsorted(peaks, peaks[best] + np.array([1 - distance, distance]))
            kept[first:last] = False
            kept[best] = True
    return np.asarray(peaks[kept], np.int64)


def _prominences(values: Float, tops: Rows) -> Float:
    left = _lowest_since_higher(values, tops)
    right = _lowest_since_higher(values[::-1], len(values) - 1 - tops[::-1])[::-1]
    return np.asarray(values[tops] - np.maximum(left, right))


def _lowest_since_higher(values: Float, tops: Rows) -> Float:
    """For each of all tops, the lowest value between it and the last higher one before it."""
    lows = np.empty(len(tops))
    passed: list[tuple[float, float]] = []  # tops that no later one is higher than, and their lows
    before = 0
    if len(tops):
        passed.append((float(values[0]), float(values[0])))
    for number, top in enumerate(tops):
        height, low = float(values[top]), float(values[before : top + 1].min())
        while passed and passed[-1][0] <= height:
            low = min(low, passed.pop()[1])
        lows[number] = low
        passed.append((height, low))
        before = int(top)
    return lows
