"""Where the landmarker would show a track's landmarks, and how far from that it did show them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.face3d.camera import project
from emotalk_cli.face3d.fitting.basis import basis_of
from emotalk_cli.face3d.fitting.expression import start
from emotalk_cli.face3d.fitting.problem import residuals

if TYPE_CHECKING:
    from emotalk_cli.face3d.models.linear_model import FaceModel
    from emotalk_cli.schema import FaceTrack

Float = NDArray[np.float32]


def shown_landmarks(track: FaceTrack, model: FaceModel, *, photo: bool) -> Float:
    """Landmarks (T, 478, 2) px as the fit expects the landmarker to show them.

    photo: whether the track is that of one photo, which is fitted without what is known of how the
    landmarker shows units.
    """
    basis = basis_of(model, as_shown=not photo)
    points = basis.shaped(track.shape) + np.tensordot(track.expression, basis.deltas, 1)
    slide = basis.offsets.slide_px(track.head_pose, track.camera)
    return project(points, track.head_pose, track.camera) + slide


def landmark_error(
    track: FaceTrack, landmarks: Float, model: FaceModel, *, photo: bool
) -> NDArray[np.float64]:
    """Mean distance (T,) px of a track's landmarks from those seen (T, 478, 3) px, as in a fit."""
    basis = basis_of(model, as_shown=not photo)
    neutral = basis.shaped(track.shape)
    frames = start(landmarks, track.valid, track.camera, neutral, basis)
    frames.head_pose, frames.expression = track.head_pose, track.expression
    frames.hold_still(basis.offsets)
    error = residuals(frames, neutral, basis.deltas)
    return np.asarray(np.linalg.norm(error, axis=-1).mean(axis=-1), np.float64)
