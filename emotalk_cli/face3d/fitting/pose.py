"""Head pose: a first guess from the landmarks, smoothing in time, filling of gaps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.face3d.camera import rotation_matrix, rotation_vector

Float = NDArray[np.float32]
Bool = NDArray[np.bool_]

POSE_STIFFNESS = (1.0, 1.0, 1.0, 0.5, 0.5, 5.0)
"""Weight of the second difference in time of rotation and translation at 25 frames a second;
depth is seen worst and moves least."""


def first_pose(landmarks: Float, neutral: Float, camera: Float, rigid: Float) -> Float:
    """Head poses (T, 6) by a similarity transform of the neutral face onto the landmarks.

    landmarks (T, 478, 3) px with MediaPipe's z; neutral (478, 3) m; camera (5,); rigid (478,)
    weights. Least squares by singular values (Umeyama 1991).
    """
    seen = landmarks.astype(np.float64) * (1.0, -1.0, -1.0)
    weights = rigid / rigid.sum()
    seen_mean = np.einsum("tlx,l->tx", seen, weights)
    model_mean = np.einsum("lx,l->x", neutral, weights)
    centred, model = seen - seen_mean[:, None], neutral - model_mean
    covariance = np.einsum("tlx,ly,l->txy", centred, model, weights)
    u, s, vt = np.linalg.svd(covariance)
    s[:, 2] *= np.sign(np.linalg.det(u @ vt))
    u[:, :, 2] *= np.sign(np.linalg.det(u @ vt))[:, None]
    turn = u @ vt
    scale = s.sum(axis=1) / np.einsum("lx,lx,l->", model, model, weights)
    depth = camera[0] / np.maximum(scale, 1e-6)
    x = (seen_mean[:, 0] - camera[1]) / camera[0] * depth
    y = (seen_mean[:, 1] + camera[2]) / camera[0] * depth
    place = np.stack([x, y, -depth], axis=-1)
    translation = place - np.einsum("txy,y->tx", turn, model_mean)
    return np.asarray(np.concatenate([rotation_vector(turn), translation], axis=-1), np.float32)


def step_pose(head_pose: Float, step: Float) -> Float:
    """Apply steps (T, 6), rotation about the head's origin in camera space, then translation."""
    turn = rotation_matrix(step[:, :3]) @ rotation_matrix(head_pose[:, :3])
    moved = head_pose[:, 3:] + step[:, 3:]
    return np.asarray(np.concatenate([rotation_vector(turn), moved], axis=-1), np.float32)


def smooth_pose(head_pose: Float, valid: Bool, fps: float) -> Float:
    """Smooth head poses (T, 6) in time and bridge the frames that are not valid (T,).

    Penalised least squares with a second-difference penalty (Whittaker 1923, Eilers 2003), so
    that gaps are bridged by straight lines.
    """
    frames = len(head_pose)
    if frames < 3 or not valid.any():
        return head_pose
    from scipy.linalg import solveh_banded

    # Rotations are smoothed as rotation vectors relative to one frame, far from half turns.
    base = rotation_matrix(head_pose[np.flatnonzero(valid)[0], :3])
    relative = rotation_vector(base.T @ rotation_matrix(head_pose[:, :3]))
    series = np.concatenate([relative, head_pose[:, 3:]], axis=-1).astype(np.float64)
    trust = np.where(valid, 1.0, 1e-9)
    smoothed = np.empty_like(series)
    for i, share in enumerate(POSE_STIFFNESS):
        bands = share * (fps / 25.0) ** 4 * second_difference_bands(frames)
        bands[2] += trust
        smoothed[:, i] = solveh_banded(bands, trust * series[:, i])
    turn = base @ rotation_matrix(smoothed[:, :3])
    return np.asarray(np.concatenate([rotation_vector(turn), smoothed[:, 3:]], axis=-1), np.float32)


def second_difference_bands(frames: int) -> NDArray[np.float64]:
    """D'D of the second difference D over `frames` >= 3 values, upper bands (3, frames)."""
    bands = np.zeros((3, frames))
    bands[2, :-2] += 1.0
    bands[2, 1:-1] += 4.0
    bands[2, 2:] += 1.0
    bands[1, 1:-1] -= 2.0
    bands[1, 2:] -= 2.0
    bands[0, 2:] += 1.0
    return bands
