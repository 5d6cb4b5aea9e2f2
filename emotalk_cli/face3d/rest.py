"""Rest: which part of a photo's expression is how this face looks anyway."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.parts import FaceGeometry

Float = NDArray[np.float32]

REST_LIMITS = {
    "eyeLook": 0.4,
    "eyeBlink": 0.35,
    "eyeSquint": 0.35,
    "eyeWide": 0.25,
    "brow": 0.35,
    "cheek": 0.1,
    "nose": 0.1,
    "mouth": 0.12,
}
"""How strong a unit may be at rest, by the beginning of its name: narrow eyes, low brows and thin
lips stay a person's own, a laugh or a raised brow does not. All others rest at 0."""
OPENING_M = 2e-4
"""A unit that opens the lips by more than this when fully active never rests: lips must close."""
PASSING = (0.25, 0.6)
"""From the first to the second value, a mouth's unit is more and more a passing expression, of
which nothing stays."""
UPPER_LIP, LOWER_LIP = (82, 13, 312), (87, 14, 317)


def resting_expression(expression: Float, shape: Float, model: FaceGeometry) -> Float:
    """Expression (E,) in 0..1 and shape (S,) of a photo -> the part (E,) motion is added to.

    A generated expression replaces the passing one of the photo: a smiling portrait must be able
    to look sad.
    """
    limits = np.array([_limit(name) for name in model.expression_names], np.float32)
    _, added = model.landmark_bases(shape)
    gap = added[:, list(UPPER_LIP), 1].mean(axis=1) - added[:, list(LOWER_LIP), 1].mean(axis=1)
    limits[gap > OPENING_M] = 0.0
    low, high = PASSING
    mouth = np.array([name.startswith("mouth") for name in model.expression_names])
    passing = np.clip((expression - low) / (high - low), 0.0, 1.0) * mouth
    return np.asarray(np.clip(expression, 0.0, limits) * (1.0 - passing), np.float32)


def _limit(name: str) -> float:
    return next((limit for start, limit in REST_LIMITS.items() if name.startswith(start)), 0.0)
