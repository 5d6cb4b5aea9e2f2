"""The mouth: how far the units of a face model open its lips."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.parts import FaceGeometry

Float = NDArray[np.float32]

INNER_UPPER = (82, 13, 312)
"""MediaPipe landmarks on the inner edge of the upper lip, right of the middle to left of it."""
INNER_LOWER = (87, 14, 317)
"""Those of the lower lip below them."""

LIPS = (
    61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 185, 40, 39, 37, 0, 267, 269, 270, 409,
    78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 191, 80, 81, 82, 13, 312, 311, 310, 415,
)  # fmt: skip
"""All 40 MediaPipe landmarks of the lips."""


@dataclass(frozen=True)
class Mouth:
    """What must be known of a face model to open and close its lips.

    `units` (L) names; `opening_m` (L,) what a unit at 1 adds to the inner-lip gap; `rest_m` the
    gap at rest. The gap is the mean height of the three middle pairs of inner-lip landmarks.
    """

    units: tuple[str, ...]
    opening_m: tuple[float, ...]
    rest_m: float

    def gap(self, mouth: Float) -> Float:
        """Mouth units (..., L) -> inner-lip gap (...) in m; negative where pressed together."""
        return self.rest_m + mouth @ np.asarray(self.opening_m, np.float32)


def mouth_of(model: FaceGeometry, shape: Float) -> Mouth:
    """The mouth of a face model, for the person `shape` (S,); zeros are its mean."""
    neutral, added = model.landmark_bases(shape)
    height = lip_gap(neutral)
    units = tuple(model.lip_units)
    index = [model.expression_names.index(name) for name in units]
    opening = np.asarray(lip_gap(added[index]))
    return Mouth(units, tuple(float(value) for value in opening), float(height))


def lip_gap(landmarks: Float) -> Float:
    """Landmarks (..., 478, 3), y up -> mean height of the inner-lip pairs (...), same unit."""
    upper = landmarks[..., list(INNER_UPPER), 1]
    lower = landmarks[..., list(INNER_LOWER), 1]
    return np.asarray((upper - lower).mean(axis=-1), np.float32)


def lip_basis(model: FaceGeometry, shape: Float) -> Float:
    """What each lip unit adds to the lips' landmarks of the person `shape`: (L, 40, 3) in m."""
    added = model.landmark_bases(shape)[1]
    index = [model.expression_names.index(name) for name in model.lip_units]
    return np.asarray(added[index][:, list(LIPS)], np.float32)
