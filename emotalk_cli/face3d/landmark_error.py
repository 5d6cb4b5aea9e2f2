"""How far a track's landmarks are from those that were seen, as the fit counts it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.face3d.fitting_basis import basis_of
from emotalk_cli.face3d.fitting_expression import start
from emotalk_cli.face3d.fitting_problem import residuals

if TYPE_CHECKING:
    from emotalk_cli.face3d.linear_model import FaceModel
    from emotalk_cli.schema import FaceTrack


def landmark_error(
    track: FaceTrack, landmarks: NDArray[np.float32], model: FaceModel
) -> NDArray[np.float64]:
    """Mean distance (T,) px of a track's landmarks from those seen (T, 478, 3) px."""
    basis = basis_of(model)
    neutral = basis.shaped(track.shape)
    frames = start(landmarks, track.valid, track.camera, neutral, basis)
    frames.head_pose, frames.expression = track.head_pose, track.expression
    frames.hold_still(basis.offsets)
    error = residuals(frames, neutral, basis.deltas)
    return np.asarray(np.linalg.norm(error, axis=-1).mean(axis=-1), np.float64)
