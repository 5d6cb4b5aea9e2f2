"""The body below the head: the slow rise and fall of breathing shoulders."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]

BREATHS_PER_MIN = (12.0, 18.0)
"""Adults at rest; one person's rate lies somewhere here, each breath a little beside it."""
UNEVEN = 0.12
INHALE_SHARE = 0.4
"""Breathing in is quicker than breathing out."""
DEPTHS = (0.7, 1.0)
LIFT_M = 0.0009
"""How far a deep breath lifts the shoulders: about a pixel of a portrait of 512, felt, not seen."""
WIDEN = 0.35
"""Shoulders also move outwards, by this share of the lift at their ends."""
SHOULDER_X_M = 0.2
FROM_CHIN_M = (0.02, 0.09)
"""The neck goes over from still to lifted in this range below the chin."""
CHEST_M = (0.16, 0.30)
"""Further below the chin the lift ends softly in this range."""


def breathing(frames: int, fps: float, seed: int) -> Float:
    """How deep the breath is in each frame (T,) in 0..1; 0, as in the photo, in the first one."""
    random = np.random.default_rng(seed)
    mean_s = 60.0 / random.uniform(*BREATHS_PER_MIN)
    shortest_s = mean_s * (1.0 - UNEVEN)
    count = int(frames / fps / shortest_s) + 2
    length_s = mean_s * random.uniform(1.0 - UNEVEN, 1.0 + UNEVEN, count)
    depth = random.uniform(*DEPTHS, count)
    starts_s = np.concatenate([[0.0], np.cumsum(length_s)])
    time_s = np.arange(frames) / fps
    breath = np.searchsorted(starts_s, time_s, side="right") - 1
    share = (time_s - starts_s[breath]) / length_s[breath]
    rising = share / INHALE_SHARE
    falling = (1.0 - share) / (1.0 - INHALE_SHARE)
    return np.asarray(depth[breath] * smoothstep(0.0, 1.0, np.minimum(rising, falling)), np.float32)


def lifted(points: Float, chin_y_m: float) -> Float:
    """How a full breath moves points (N, 3) m of the head's frame: (N, 3) m."""
    below = chin_y_m - points[:, 1]
    weight = smoothstep(*FROM_CHIN_M, below) * (1.0 - smoothstep(*CHEST_M, below))
    outwards = np.clip(points[:, 0] / SHOULDER_X_M, -1.0, 1.0)
    lift = np.stack([WIDEN * outwards, np.ones_like(weight), np.zeros_like(weight)], axis=1)
    return np.asarray(LIFT_M * weight[:, None] * lift, np.float32)


def smoothstep(low: float, high: float, value: NDArray[np.floating[Any]]) -> Float:
    """0 below `low`, 1 above `high`, and a smooth way between."""
    t = np.clip((value - low) / (high - low), 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t), np.float32)
