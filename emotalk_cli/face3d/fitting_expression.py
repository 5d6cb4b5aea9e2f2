"""Expression and pose of frames whose identity is known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.face3d.camera import move
from emotalk_cli.face3d.fitting_basis import FitBasis
from emotalk_cli.face3d.fitting_kernels import solve_boxes
from emotalk_cli.face3d.fitting_points import POINTS, point_weights
from emotalk_cli.face3d.fitting_pose import first_pose, step_pose
from emotalk_cli.face3d.fitting_prior import Prior
from emotalk_cli.face3d.fitting_problem import Frames, Weights, normal_equations

Float = NDArray[np.float32]
Bool = NDArray[np.bool_]

SWEEPS = 40
TOLERANCE = 2e-4
"""Change of the most moved unit at which the box-bound solve stops."""
INVALID_SPARSITY = 0.0


def start(landmarks: Float, valid: Bool, camera: Float, neutral: Float, basis: FitBasis) -> Frames:
    """Frames with a first pose and no expression; landmarks (T, 478, 3) px, camera (5,)."""
    count = len(landmarks)
    return Frames(
        observed=np.ascontiguousarray(landmarks[..., :2], np.float32),
        valid=valid,
        camera=camera,
        head_pose=first_pose(landmarks, neutral, camera, point_weights(basis.is_contour)),
        expression=np.zeros((count, len(basis.deltas)), np.float32),
        trust=np.ones((count, POINTS), np.float32),
    )


def improve(
    frames: Frames,
    neutral: Float,
    deltas: Float,
    weights: Weights,
    prior: Prior,
    *,
    free_pose: bool = True,
) -> None:
    """One Gauss-Newton step on the pose and expression of all frames, in place.

    neutral (478, 3) and deltas (E, 478, 3) m.
    """
    normal = normal_equations(frames, neutral, deltas, deltas, weights, free_pose=free_pose)
    hessian = normal.hessian[:, :-1, :-1]
    before = frames.expression
    target = normal.gradient[:, :-1] + np.einsum("tij,tj->ti", hessian, before)
    own = np.median(np.diagonal(hessian, axis1=1, axis2=2)[frames.valid], axis=0)
    pull = np.where(frames.valid[:, None], prior.sparsity, INVALID_SPARSITY)
    after = before.copy()
    solve_boxes(
        (hessian + prior.added_curvature(hessian[frames.valid])).astype(np.float32),
        target.astype(np.float32),
        pull.astype(np.float32),
        (prior.stiffness * own).astype(np.float32),
        prior.caps,
        after,
        SWEEPS,
        TOLERANCE,
    )
    frames.expression = after
    if free_pose:
        moved = np.einsum("tpc,tc->tp", normal.pose_gain[:, :, :-1], after - before)
        frames.head_pose = step_pose(frames.head_pose, normal.pose_step - moved)


def residuals(frames: Frames, neutral: Float, deltas: Float) -> Float:
    """What the fit leaves, observed minus projected (T, 478, 2) px."""
    points = neutral + np.tensordot(frames.expression, deltas, 1)
    moved = move(points, frames.head_pose)
    scale = frames.camera[0] / -moved[..., 2]
    u = frames.observed[..., 0] - frames.camera[1] - scale * moved[..., 0]
    v = frames.observed[..., 1] - frames.camera[2] + scale * moved[..., 1]
    return np.stack([u, v], axis=-1)
