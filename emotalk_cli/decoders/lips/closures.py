"""Lips that touch by construction: one another on p, b and m, the upper teeth on f and v."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.decoders.lips.mouth import Mouth
from emotalk_cli.decoders.motion import resample, rows_near

Float = NDArray[np.float32]

CLOSED_SURE = (0.15, 0.4)
TEETH_SURE = (0.05, 0.15)
"""Posteriors of p b m, of f v: below the first nothing is done, from the second on all. The network
is less sure of f and v than they are; what it takes for one wrongly is mostly a p, b or m."""
REACH_S = 0.05
"""Within that reach of a peak the lips meet where they are nearest already."""
SUSTAINED_ROWS = 3
"""A touch lasts where the rows beside say so too; a spike alone marks a moment."""
LATE_COST_M_S = 0.02
"""Half a millimetre of opening outweighs 25 ms of distance from the peak."""
BESIDE = 0.3
"""How much the frames before and after close with it."""
TEETH_GAP_M = 0.0
TEETH_UNITS = {"mouthRollLower": 0.45, "mouthUpperUpLeft": 0.08, "mouthUpperUpRight": 0.08}
"""What the units do at least when the lower lip is at the teeth; together the gap is 0.4 mm."""
LIFTERS = ("mouthUpperUpLeft", "mouthUpperUpRight", "mouthLowerDownLeft", "mouthLowerDownRight")


def touch_strength(
    posterior: Float,
    rate_hz: float,
    first: int,
    fps: float,
    gap_m: Float,
    sure: tuple[float, float] = CLOSED_SURE,
) -> Float:
    """How much the lips must touch (T,) in 0..1 at the frames `first`, `first` + 1, ...

    `posterior` (N,) of the sounds that need it at `rate_hz`, and how `sure` it must be;
    `gap_m` (T,) the lips' gap as it is.
    They touch as long as the sound is heard, and in one frame at least for each that is. A peak
    between two frames belongs to the earlier.
    """
    from scipy.ndimage import minimum_filter1d

    times_s = (first + np.arange(len(gap_m))) / fps
    near = rows_near(times_s * rate_hz, len(posterior), rate_hz / fps + SUSTAINED_ROWS)
    posterior = posterior[near]
    sustained = minimum_filter1d(posterior, SUSTAINED_ROWS, mode="nearest")
    strength = _certainty(resample(sustained, times_s * rate_hz - near.start), sure)
    for row in _peaks(posterior, sure[0]):
        peak_s = (near.start + row) / rate_hz
        if not times_s[0] <= peak_s < times_s[-1] + 1 / fps:
            continue
        distance = np.abs(times_s - peak_s)
        cost = np.where(distance <= REACH_S, gap_m + LATE_COST_M_S * distance, np.inf)
        frame, certain = int(np.argmin(cost)), float(_certainty(posterior[row : row + 1], sure)[0])
        strength[frame] = max(strength[frame], certain)
        for beside in (frame - 1, frame + 1):
            if 0 <= beside < len(strength):
                strength[beside] = max(strength[beside], BESIDE * certain)
    return strength


def close_lips(articulation: Float, strength: Float, mouth: Mouth) -> Float:
    """Articulation (T, L) with the inner-lip gap above rest shrunk to (1 - strength) of itself.

    What lifts the lips apart lets go by the same share; the rest is done by mouthClose, which
    shuts the lips over whatever the jaw does, or by the jaw where a model has no such unit.
    """
    result = np.clip(articulation, 0.0, 1.0).astype(np.float32)
    return _narrowed(result, strength, 0.0, mouth)


def to_teeth(articulation: Float, strength: Float, mouth: Mouth) -> Float:
    """Articulation (T, L) with the lower lip brought under the upper teeth by `strength` (T,).

    The lips come as near as TEETH_GAP_M, the lower one rolls in, and the upper one lifts off it.
    """
    result = np.clip(articulation, 0.0, 1.0).astype(np.float32)
    result = _narrowed(result, strength, TEETH_GAP_M, mouth)
    for name, least in TEETH_UNITS.items():
        if name in mouth.units:
            unit = mouth.units.index(name)
            result[:, unit] = np.maximum(result[:, unit], strength * least)
    return result


def _narrowed(result: Float, strength: Float, least_m: float, mouth: Mouth) -> Float:
    """Mouth (T, L) in place, its gap above rest + `least_m` shrunk to (1 - strength) of itself."""
    floor = mouth.rest_m + least_m
    wanted = np.maximum(mouth.gap(result) - floor, 0.0) * (1 - strength) + floor
    for name in LIFTERS:
        if name in mouth.units:
            result[:, mouth.units.index(name)] *= 1 - strength
    for name in ("mouthClose", "jawOpen"):
        if name in mouth.units:
            unit = mouth.units.index(name)
            missing = np.minimum(wanted - mouth.gap(result), 0.0) / mouth.opening_m[unit]
            closed = np.clip(result[:, unit] + missing, 0.0, 1.0)
            result[:, unit] = np.where(strength > 0, closed, result[:, unit])
    return result


def _peaks(posterior: Float, least: float) -> NDArray[np.int64]:
    """Rows where the posterior is above `least` and no smaller than beside."""
    padded = np.pad(posterior, 1)
    higher = (posterior >= padded[:-2]) & (posterior > padded[2:])
    return np.nonzero(higher & (posterior > least))[0]


def _certainty(posterior: Float, sure: tuple[float, float]) -> Float:
    """0 up to the first of `sure`, 1 from the second on, smooth between."""
    part = np.clip((posterior - sure[0]) / (sure[1] - sure[0]), 0.0, 1.0)
    return np.asarray(part**2 * (3 - 2 * part), np.float32)
