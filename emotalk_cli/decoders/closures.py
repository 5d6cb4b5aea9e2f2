"""Closed lips on p, b and m by construction: where the encoder hears one, the lips meet."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.decoders.mouth import Mouth

Float = NDArray[np.float32]

CLOSING_PHONES = ("p", "b", "m")
UNSURE, SURE = 0.08, 0.3
"""Posteriors of the three together: below the first nothing is done, from the second on all."""
REACH_S = 0.07
"""A recogniser marks a phone by a short peak that is up to so much early or late; within that
reach the lips meet where they are nearest already."""
LATE_COST_M_S = 0.02
"""Half a millimetre of opening outweighs 25 ms of distance from the peak."""
BESIDE = 0.3
"""How much the frames before and after close with it."""
LIFTERS = ("mouthUpperUpLeft", "mouthUpperUpRight", "mouthLowerDownLeft", "mouthLowerDownRight")


def closing_columns(speech_names: Sequence[str]) -> list[int]:
    """Columns of the encoder's posteriors that mean closed lips; none for other encoders."""
    return [i for i, name in enumerate(speech_names) if name in CLOSING_PHONES]


def closing_strength(
    posterior: Float, rate_hz: float, first: int, fps: float, gap_m: Float
) -> Float:
    """How much the lips must close (T,) in 0..1 at the frames `first`, `first` + 1, ...

    `posterior` (N,) of p, b or m at `rate_hz`; `gap_m` (T,) the lips' gap as it is. A peak between
    two frames belongs to the earlier.
    """
    times_s = (first + np.arange(len(gap_m))) / fps
    strength = np.zeros(len(gap_m), np.float32)
    for row in _peaks(posterior):
        peak_s = row / rate_hz
        if not times_s[0] <= peak_s < times_s[-1] + 1 / fps:
            continue
        distance = np.abs(times_s - peak_s)
        cost = np.where(distance <= REACH_S, gap_m + LATE_COST_M_S * distance, np.inf)
        frame, certain = int(np.argmin(cost)), _certainty(float(posterior[row]))
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
    wanted = np.maximum(mouth.gap(result) - mouth.rest_m, 0.0) * (1 - strength) + mouth.rest_m
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


def _peaks(posterior: Float) -> NDArray[np.int64]:
    """Rows where the posterior is above UNSURE and no smaller than beside."""
    padded = np.pad(posterior, 1)
    higher = (posterior >= padded[:-2]) & (posterior > padded[2:])
    return np.nonzero(higher & (posterior > UNSURE))[0]


def _certainty(posterior: float) -> float:
    """0 up to UNSURE, 1 from SURE on, smooth between."""
    part = min(max((posterior - UNSURE) / (SURE - UNSURE), 0.0), 1.0)
    return part**2 * (3 - 2 * part)
