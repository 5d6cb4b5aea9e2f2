"""Who the person is: shape, focal length and the landmarks' own offsets, from many frames or one.

What stays the same in all frames of a person is identity; what comes and goes is expression. Both
move the same landmarks, so they are solved together: expression within 0..1 and sparse, identity
under the prior of the model's shapes, and each unit's low quantile over the frames is handed to
the identity.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.face3d.camera import rotation_matrix
from emotalk_cli.face3d.fitting.basis import FitBasis
from emotalk_cli.face3d.fitting.points import POINTS
from emotalk_cli.face3d.fitting.pose import step_pose
from emotalk_cli.face3d.fitting.prior import Prior
from emotalk_cli.face3d.fitting.problem import (
    POINT_ERROR_M,
    Frames,
    Normal,
    Weights,
    normal_equations,
    residuals,
    update_trust,
)

Float = NDArray[np.float32]

ROUNDS = 10
INNER_ROUNDS = 12
EFFECTIVE_FRAMES = 6.0
"""So many frames' worth of evidence about identity at most: the landmarker's errors repeat."""
OFFSET_M = 0.0009
"""Standard deviation of a landmark's own offset from the model's surface."""
MIN_FRAMES_TO_SPLIT = 20
"""From so many frames on, the constant part of the expression counts as identity."""
FOCAL_SD = 0.15
"""Standard deviation of the log focal length about its first guess."""
SWEEPS = 100


@dataclass(frozen=True)
class Identity:
    """One person before one camera.

    shape (S,) sd; focal_px in px of a picture whose longer side is long_side_px; offset_m
    (478, 3): where this person's landmarks lie beside the model's, m in model space.
    """

    shape: Float
    focal_px: float
    long_side_px: float
    offset_m: Float

    def focal_for(self, width_px: float, height_px: float) -> float:
        """Focal length in px of a picture of another size by the same camera."""
        return self.focal_px * max(width_px, height_px) / self.long_side_px


def solve_identity(
    frames: Frames, basis: FitBasis, weights: Weights, prior: Prior, focal_sd: float = FOCAL_SD
) -> tuple[Float, Float]:
    """Find shape (S,) and offsets (478, 3) m of the person seen in all frames.

    Changes the frames' pose, expression and focal length in place, which start from a first guess.
    """
    shape = np.zeros(len(basis.identity), np.float32)
    offset = np.zeros((POINTS, 3), np.float32)
    columns = np.concatenate([basis.deltas, basis.identity])
    log_focal = first_log_focal = float(np.log(frames.camera[0]))
    many = len(frames.observed) >= MIN_FRAMES_TO_SPLIT
    for _ in range(ROUNDS):
        neutral = basis.shaped(shape) + offset
        normal = normal_equations(frames, neutral, basis.deltas, columns, weights)
        precision = np.append(np.ones(len(shape)), focal_sd**-2)
        mean = np.append(-shape, first_log_focal - log_focal)
        expression, shared = _solve_shared(normal, frames, precision, mean, prior, many)
        step = np.concatenate(
            [expression - frames.expression, np.tile(shared, (len(expression), 1))], axis=1
        )
        moved = np.einsum("tpc,tc->tp", normal.pose_gain, step)
        frames.head_pose = step_pose(frames.head_pose, normal.pose_step - moved)
        frames.expression = expression
        shape = (shape + shared[:-1]).astype(np.float32)
        log_focal += float(shared[-1])
        frames.camera = np.array([np.exp(log_focal), *frames.camera[1:]], np.float32)
        frames.hold_still(basis.offsets)
        update_trust(frames, basis.shaped(shape) + offset, basis.deltas)
        if many:
            offset = _offsets(frames, basis, shape, offset, weights)
    return shape, offset


def _solve_shared(
    normal: Normal,
    frames: Frames,
    precision: NDArray[np.float64],
    mean: NDArray[np.float64],
    prior: Prior,
    many: bool,
) -> tuple[Float, NDArray[np.float64]]:
    """Expression (K, E) and the step of the shared unknowns (S + 1,), each given the other.

    The shared unknowns' step has a Gaussian prior with this precision (S + 1,) and mean.
    """
    units = frames.expression.shape[1]
    share = min(EFFECTIVE_FRAMES / len(frames.observed), 1.0)
    h_ww = normal.hessian[:, :units, :units].astype(np.float32)
    h_ws = normal.hessian[:, :units, units:]
    matrix = share * normal.hessian[:, units:, units:].sum(axis=0) + np.diag(precision)
    inverse = np.linalg.inv(matrix)
    constant = share * normal.gradient[:, units:].sum(axis=0) + precision * mean
    start = np.einsum("tij,tj->ti", h_ww, frames.expression) + normal.gradient[:, :units]
    expression = frames.expression.copy()
    shared = inverse @ constant
    for _ in range(INNER_ROUNDS):
        expression = prior.solve(h_ww, start - h_ws @ shared, expression, SWEEPS)
        if many:
            expression -= prior.at_rest(expression)
            np.maximum(expression, 0.0, out=expression)
        moved = expression - frames.expression
        shared = inverse @ (constant - share * np.einsum("tis,ti->s", h_ws, moved))
    return expression, shared


def _offsets(
    frames: Frames, basis: FitBasis, shape: Float, offset: Float, weights: Weights
) -> Float:
    """Offsets (478, 3) that explain what all frames leave, shrunk towards none.

    The two ends of a lid or lip gap share their offset: whether a mouth is closed is never
    explained away.
    """
    error = residuals(frames, basis.shaped(shape) + offset, basis.deltas)
    error *= -frames.head_pose[:, None, None, 5] / frames.camera[0] * (1.0, -1.0)
    turn = rotation_matrix(frames.head_pose[:, :3])[:, :2]
    trust = weights.points * frames.trust * frames.valid[:, None] / POINT_ERROR_M**2
    share = min(EFFECTIVE_FRAMES / len(trust), 1.0)
    matrix = share * np.einsum("tl,tix,tiy->lxy", trust, turn, turn) + np.eye(3) / OFFSET_M**2
    right = share * np.einsum("tl,tix,tli->lx", trust, turn, error) - offset / OFFSET_M**2
    found = offset + np.linalg.solve(matrix, right[..., None])[..., 0]
    gaps = weights.differences[weights.differences[:, 1] == weights.differences[:, 2]]
    middle = (found[gaps[:, 0]] + found[gaps[:, 1]]) / 2.0
    found[gaps[:, 0]] = middle
    found[gaps[:, 1]] = middle
    return np.asarray(found, np.float32)
