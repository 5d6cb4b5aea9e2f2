"""Gauss-Newton normal equations of many frames, weighted by trust, without pose and usual errors.

The landmarker's usual errors are unknowns of every frame with a Gaussian prior; the pose has none.
Both are eliminated by Schur's complement, so that what they could explain does not count as motion.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.face3d.camera import project, rotation_matrix
from emotalk_cli.face3d.fitting.basis import FitBasis
from emotalk_cli.face3d.fitting.kernels import projection_rows
from emotalk_cli.face3d.fitting.landmark_offsets import LandmarkOffsets
from emotalk_cli.face3d.fitting.points import POINTS, differences, point_weights

Float = NDArray[np.float32]
Double = NDArray[np.float64]
Bool = NDArray[np.bool_]

POINT_ERROR_M = 0.004
"""Standard error of one landmark. It counts the errors that neighbours share, too: 478 points
say as much as some 60 independent ones of 1.5 mm."""
OUTLIER_M = 0.008
"""Residual at which a landmark has lost three quarters of its weight."""
HIDDEN_COSINE = 0.0
SEEN_COSINE = 0.35
"""A landmark counts fully if its normal points this much towards the camera, and not at all
below the other: the landmarker invents what it does not see."""
MIN_WEIGHT = 1e-4
CHUNK_FRAMES = 16
"""Frames linearised at once: their rows stay in the processor's cache."""
POSE_DAMPING = 1e-3


@dataclass
class Frames:
    """Observed landmarks of T frames and what is known of them so far.

    raw (T, 478, 2) px; observed (T, 478, 2) px, without what slides as the head turns; valid (T,);
    camera (5,); head_pose (T, 6); expression (T, E); trust (T, 478) robust weights in 0..1;
    visible (T, 478) is 0 for what the picture hides.
    """

    raw: Float
    observed: Float
    valid: Bool
    camera: Float
    head_pose: Float
    expression: Float
    trust: Float
    visible: Float

    def hold_still(self, offsets: LandmarkOffsets) -> None:
        """Take out of the observed points what slid at the present poses."""
        self.observed = self.raw - offsets.slide_px(self.head_pose, self.camera)

    def part(self, which: slice) -> Frames:
        """Views on some of the frames."""
        return Frames(
            self.raw[which],
            self.observed[which],
            self.valid[which],
            self.camera,
            self.head_pose[which],
            self.expression[which],
            self.trust[which],
            self.visible[which],
        )


@dataclass(frozen=True)
class Normal:
    """Normal equations (T, C, C) and right sides (T, C) of C columns, for the step from here.

    pose_gain (T, 6, C) and pose_step (T, 6) give the step of the pose that goes with a step x
    of the columns: pose_step - pose_gain x.
    """

    hessian: Double
    gradient: Double
    pose_gain: Double
    pose_step: Double


class Weights:
    """The fixed weights of points and of their differences."""

    def __init__(self, basis: FitBasis, certainty: float = 1.0) -> None:
        self.points = certainty * point_weights(basis.is_contour)
        self.differences, weights = differences()
        self.difference_weights = certainty * weights
        self.normals = basis.normals
        self.modes = basis.modes

    def roots(self, frames: Frames) -> Float:
        """Square roots (T, 478 + M) of all weights of every frame, 1/m."""
        turn = rotation_matrix(frames.head_pose[:, :3])
        towards = -frames.head_pose[:, 3:]
        towards /= np.linalg.norm(towards, axis=-1, keepdims=True)
        cosine = np.einsum("lx,tyx,ty->tl", self.normals, turn, towards)
        ramp = np.clip((cosine - HIDDEN_COSINE) / (SEEN_COSINE - HIDDEN_COSINE), 0.0, 1.0)
        trust = ramp * ramp * (3.0 - 2.0 * ramp) * frames.trust * frames.visible
        single = np.maximum(self.points * trust, MIN_WEIGHT)
        both = trust[:, self.differences].min(axis=-1)
        paired = np.maximum(self.difference_weights * both, MIN_WEIGHT)
        known = frames.valid[:, None]
        roots = np.sqrt(np.concatenate([single, paired], axis=-1)) * known / POINT_ERROR_M
        return np.asarray(roots, np.float32)


def normal_equations(
    frames: Frames,
    neutral: Float,
    deltas: Float,
    columns: Float,
    weights: Weights,
    *,
    free_pose: bool = True,
) -> Normal:
    """Linearise all frames at their present pose and expression; the pose is eliminated if free.

    neutral (478, 3) and deltas (E, 478, 3) m give the points; columns (C, 478, 3) m are the
    unknowns besides the pose; the log focal length is added as the last column.
    """
    columns = np.concatenate([weights.modes, columns])
    count, size = len(frames.observed), len(columns) + 1
    directions = np.ascontiguousarray(columns.transpose(1, 2, 0))
    roots = weights.roots(frames)
    gram = np.empty((count, size + 7, size + 7))
    for start in range(0, count, CHUNK_FRAMES):
        which = slice(start, start + CHUNK_FRAMES)
        rows = _rows(frames.part(which), neutral, deltas, directions, weights, roots[which])
        gram[which] = np.matmul(rows.transpose(0, 2, 1), rows)
    return _eliminated(gram, len(weights.modes), free_pose)


def residuals(frames: Frames, neutral: Float, deltas: Float) -> Float:
    """What the fit leaves, observed minus projected (T, 478, 2) px."""
    points = neutral + np.tensordot(frames.expression, deltas, 1)
    return frames.observed - project(points, frames.head_pose, frames.camera)


def update_trust(frames: Frames, neutral: Float, deltas: Float) -> None:
    """Weigh every landmark by what the fit leaves there, as Geman and McClure do, in place."""
    left_px = residuals(frames, neutral, deltas)
    left_m2 = (left_px**2).sum(axis=-1) * (frames.head_pose[:, 5:] / frames.camera[0]) ** 2
    frames.trust = np.asarray(1.0 / (1.0 + left_m2 / OUTLIER_M**2) ** 2, np.float32)


def _rows(
    frames: Frames, neutral: Float, deltas: Float, directions: Float, weights: Weights, roots: Float
) -> Float:
    units = deltas.reshape(len(deltas), -1)
    points = neutral + (frames.expression @ units).reshape(-1, POINTS, 3)
    rows = np.empty((len(points), 2 * roots.shape[1], directions.shape[2] + 8), np.float32)
    projection_rows(
        np.ascontiguousarray(points, np.float32),
        rotation_matrix(frames.head_pose[:, :3]),
        np.ascontiguousarray(frames.head_pose[:, 3:]),
        frames.camera[:3],
        np.ascontiguousarray(frames.observed),
        directions,
        weights.differences,
        roots,
        rows,
    )
    return rows


def _eliminated(gram: Double, modes: int, free_pose: bool) -> Normal:
    """Schur complement of the pose's 6 columns and the modes', which stand first in this order.

    The residual stands last. The modes' prior is N(0, 1); the pose counts as known unless free.
    """
    first, last = (0 if free_pose else 6), 6 + modes
    precision = np.concatenate([np.full(6, POSE_DAMPING), np.ones(modes)])[first:]
    own = gram[:, first:last, first:last] + np.diag(precision)
    gains = np.linalg.solve(own, gram[:, first:last, last:])
    reduced = gram[:, last:, last:] - np.matmul(gram[:, last:, first:last], gains)
    pose = gains[:, :6] if free_pose else np.zeros_like(gram[:, :6, last:])
    return Normal(
        hessian=reduced[:, :-1, :-1],
        gradient=reduced[:, :-1, -1],
        pose_gain=pose[:, :, :-1],
        pose_step=pose[:, :, -1],
    )
