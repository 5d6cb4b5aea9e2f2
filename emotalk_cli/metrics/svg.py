"""Small drawings for the report: curves over time and histograms, as inline SVG."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.metrics.opening import MouthOpening

Floats = NDArray[np.floating[Any]]

CURVE_WIDTH, CURVE_HEIGHT = 640, 170
LEFT, RIGHT, TOP, BOTTOM = 34, 8, 10, 26
HISTOGRAM_WIDTH, HISTOGRAM_HEIGHT = 120, 24
BINS = 24
MAX_TICKS = 6
LEAST_SPREAD = 1e-3
"""Less, of the values or of 1, does not show in the digits that the report prints."""


def curves(predicted: MouthOpening, reference: MouthOpening, title: str) -> str:
    """Two openings of one length over time; colours come from the page's style."""
    seconds = np.arange(len(reference.values)) / reference.fps
    both = np.concatenate([predicted.values, reference.values])
    low, high = min(0.0, float(both.min())), float(both.max())
    high = high if high > low else low + 1
    span = max(float(seconds[-1]), 1e-3) if len(seconds) else 1e-3
    across = LEFT + seconds / span * (CURVE_WIDTH - LEFT - RIGHT)

    def down(values: Floats) -> Floats:
        share = (values - low) / (high - low)
        return np.asarray(CURVE_HEIGHT - BOTTOM - share * (CURVE_HEIGHT - TOP - BOTTOM))

    parts = [
        f'<svg class="curves" viewBox="0 0 {CURVE_WIDTH} {CURVE_HEIGHT}" role="img">',
        f"<title>{title}</title>",
    ]
    for tick in ticks(low, high, 4):
        at = float(down(np.array([tick]))[0])
        parts.append(f'<path class="grid" d="M{LEFT} {at:.1f}H{CURVE_WIDTH - RIGHT}"/>')
        parts.append(f'<text x="{LEFT - 5}" y="{at + 4:.1f}" class="right">{tick:g}</text>')
    for tick in ticks(0, span, MAX_TICKS):
        at = LEFT + tick / span * (CURVE_WIDTH - LEFT - RIGHT)
        parts.append(f'<text x="{at:.1f}" y="{CURVE_HEIGHT - 8}" class="middle">{tick:g} s</text>')
    for name, opening in (("reference", reference), ("predicted", predicted)):
        line = _path(across, down(opening.values))
        parts.append(f'<path class="{name}" d="{line}"/>')
    return "".join(parts) + "</svg>"


def histogram(values: Floats, title: str) -> str:
    """How the clips' values spread, from the lowest to the highest, with the mean marked.

    "" where there are too few values, or too equal ones.
    """
    seen = values[np.isfinite(values)]
    if len(seen) < 3 or np.ptp(seen) < LEAST_SPREAD * max(1.0, np.abs(seen).max()):
        return ""
    counts, edges = np.histogram(seen, BINS)
    width = HISTOGRAM_WIDTH / BINS
    bars = "".join(
        f"M{i * width:.1f} {HISTOGRAM_HEIGHT}v{-count / counts.max() * HISTOGRAM_HEIGHT:.1f}"
        f"h{width - 1:.1f}V{HISTOGRAM_HEIGHT}z"
        for i, count in enumerate(counts)
        if count
    )
    mean = (seen.mean() - edges[0]) / (edges[-1] - edges[0]) * HISTOGRAM_WIDTH
    return (
        f'<svg class="histogram" viewBox="0 0 {HISTOGRAM_WIDTH} {HISTOGRAM_HEIGHT}" role="img">'
        f'<title>{title}</title><path class="bars" d="{bars}"/>'
        f'<path class="mean" d="M{mean:.1f} 0V{HISTOGRAM_HEIGHT}"/></svg>'
    )


def ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers from low to high, at most `most`."""
    raw = (high - low) / max(most, 1)
    power = 10.0 ** np.floor(np.log10(raw))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= raw * (1 - 1e-9))
    first = int(np.ceil(low / step - 1e-9))
    return [float(round(k * step, 10)) for k in range(first, int(high / step + 1e-9) + 1)]


def _path(across: Floats, down: Floats) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in zip(across, down, strict=True))
