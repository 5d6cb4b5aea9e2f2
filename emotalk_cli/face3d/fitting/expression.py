"""Expression and pose of frames whose identity is known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.face3d.fitting.basis import FitBasis
from emotalk_cli.face3d.fitting.eyes import gaze_shown, set_lids_right
from emotalk_cli.face3d.fitting.points import POINTS, point_weights
from emotalk_cli.face3d.fitting.pose import first_pose, step_pose
from emotalk_cli.face3d.fitting.prior import Prior
from emotalk_cli.face3d.fitting.problem import Frames, Weights, normal_equations, update_trust

Float = NDArray[np.float32]
Bool = NDArray[np.bool_]

SWEEPS = 300


def start(landmarks: Float, valid: Bool, camera: Float, neutral: Float, basis: FitBasis) -> Frames:
    """Frames with a first pose and no expression; landmarks (T, 478, 3) px, camera (5,)."""
    count = len(landmarks)
    seen = np.flatnonzero(valid)
    if seen.size:  # frames without a face begin where the nearest one with a face is
        nearest = np.abs(np.arange(count)[:, None] - seen[None]).argmin(axis=1)
        landmarks = landmarks[seen[nearest]]
    raw, visible = set_lids_right(np.asarray(landmarks[..., :2], np.float32), valid)
    frames = Frames(
        raw=raw,
        observed=raw,
        valid=valid,
        camera=camera,
        head_pose=first_pose(landmarks, neutral, camera, point_weights(basis.is_contour)),
        expression=np.zeros((count, len(basis.deltas)), np.float32),
        trust=np.ones((count, POINTS), np.float32),
        visible=visible,
    )
    frames.hold_still(basis.offsets)
    return frames


def improve(
    frames: Frames,
    neutral: Float,
    basis: FitBasis,
    weights: Weights,
    prior: Prior,
    *,
    free_pose: bool = True,
) -> None:
    """One Gauss-Newton step on the pose and expression of all frames, in place.

    neutral (478, 3) m is this person's.
    """
    deltas = basis.deltas
    normal = normal_equations(frames, neutral, deltas, deltas, weights, free_pose=free_pose)
    shown = gaze_shown(frames.visible, basis.names)
    hessian = normal.hessian[:, :-1, :-1] * (shown[:, :, None] * shown[:, None])
    before = frames.expression
    target = shown * normal.gradient[:, :-1] + np.einsum("tij,tj->ti", hessian, before)
    after = prior.solve(hessian, target, before, SWEEPS, moving=True, valid=frames.valid)
    frames.expression = after
    if free_pose:
        moved = np.einsum("tpc,tc->tp", normal.pose_gain[:, :, :-1], after - before)
        frames.head_pose = step_pose(frames.head_pose, normal.pose_step - moved)
        frames.hold_still(basis.offsets)
    update_trust(frames, neutral, deltas)
