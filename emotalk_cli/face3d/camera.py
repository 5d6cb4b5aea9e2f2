"""Rigid motion and perspective: rotation vectors, head poses, the pinhole camera.

A model point X (metres; x to the subject's left, y up, z out of the face) moves to
R(rotation) X + translation in the camera's space (x right, y up, the camera looks along -z) and
lands at u = cx + f x / -z, v = cy - f y / -z, in px, with (0, 0) at the top left corner of the
top left pixel. Rotation vectors follow Rodrigues' formula.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]
Array = NDArray[np.floating[Any]]

SMALL_ANGLE_RAD = 1e-4
"""Below this angle Rodrigues' factors are taken from their series."""
MIN_DEPTH_M = 1e-3
"""Points nearer to the camera's plane than this are drawn at this depth."""


def rotation_matrix(rotation: Array) -> Float:
    """Rotation vectors (..., 3) rad -> rotation matrices (..., 3, 3) float32."""
    rotation = np.asarray(rotation, np.float64)
    angle = np.linalg.norm(rotation, axis=-1)[..., None, None]
    cross = cross_matrix(rotation)
    safe = np.maximum(angle, SMALL_ANGLE_RAD)
    small = angle < SMALL_ANGLE_RAD
    a = np.where(small, 1.0 - angle**2 / 6.0, np.sin(safe) / safe)
    b = np.where(small, 0.5 - angle**2 / 24.0, (1.0 - np.cos(safe)) / safe**2)
    return np.asarray(np.eye(3) + a * cross + b * (cross @ cross), np.float32)


def rotation_vector(matrix: Array) -> Float:
    """Rotation matrices (..., 3, 3) -> rotation vectors (..., 3) rad float32, angle 0..pi.

    Goes through the unit quaternion, whose largest entry is found first (Shepperd 1978), so that
    half turns are exact too.
    """
    m = np.asarray(matrix, np.float64)
    diagonal = np.diagonal(m, axis1=-2, axis2=-1)
    trace = diagonal.sum(-1)
    # Four times the outer product of the quaternion (x, y, z, w) with itself.
    outer = np.empty((*m.shape[:-2], 4, 4))
    for i in range(3):
        outer[..., i, i] = 1.0 + 2.0 * diagonal[..., i] - trace
        j, k = (i + 1) % 3, (i + 2) % 3
        outer[..., j, k] = outer[..., k, j] = m[..., j, k] + m[..., k, j]
        outer[..., 3, i] = outer[..., i, 3] = m[..., k, j] - m[..., j, k]
    outer[..., 3, 3] = 1.0 + trace
    largest = np.argmax(np.diagonal(outer, axis1=-2, axis2=-1), axis=-1)
    quaternion = np.take_along_axis(outer, largest[..., None, None], axis=-2)[..., 0, :]
    quaternion /= np.linalg.norm(quaternion, axis=-1, keepdims=True)
    quaternion *= np.where(quaternion[..., 3:] < 0.0, -1.0, 1.0)
    sine = np.linalg.norm(quaternion[..., :3], axis=-1, keepdims=True)
    angle = 2.0 * np.arctan2(sine, quaternion[..., 3:].copy())  # see `yaw_pitch_roll`
    factor = np.where(sine < SMALL_ANGLE_RAD, 2.0, angle / np.maximum(sine, SMALL_ANGLE_RAD))
    return np.asarray(factor * quaternion[..., :3], np.float32)


def cross_matrix(vector: Array) -> NDArray[np.float64]:
    """Vectors (..., 3) -> matrices (..., 3, 3) that take the cross product from the left."""
    vector = np.asarray(vector, np.float64)
    matrix = np.zeros((*vector.shape, 3))
    matrix[..., 0, 1], matrix[..., 0, 2] = -vector[..., 2], vector[..., 1]
    matrix[..., 1, 0], matrix[..., 1, 2] = vector[..., 2], -vector[..., 0]
    matrix[..., 2, 0], matrix[..., 2, 1] = -vector[..., 1], vector[..., 0]
    return matrix


def compose(outer: Array, inner: Array) -> Float:
    """Head poses (..., 6): the pose that moves by `inner` first and by `outer` then."""
    outer, inner = np.asarray(outer, np.float64), np.asarray(inner, np.float64)
    turn = rotation_matrix(outer[..., :3]).astype(np.float64)
    rotation = rotation_vector(turn @ rotation_matrix(inner[..., :3]))
    translation = (turn @ inner[..., 3:, None])[..., 0] + outer[..., 3:]
    return np.asarray(np.concatenate([rotation, translation], axis=-1), np.float32)


def inverse(pose: Array) -> Float:
    """Head poses (..., 6): the pose that undoes `pose`."""
    pose = np.asarray(pose, np.float64)
    back = np.swapaxes(rotation_matrix(pose[..., :3]), -1, -2).astype(np.float64)
    translation = -(back @ pose[..., 3:, None])[..., 0]
    return np.asarray(np.concatenate([-pose[..., :3], translation], axis=-1), np.float32)


def move(points: Array, head_pose: Array) -> Float:
    """Model points (..., N, 3) m and head poses (..., 6) -> points in camera space (..., N, 3)."""
    turn = rotation_matrix(head_pose[..., :3])
    moved = points @ np.swapaxes(turn, -1, -2) + head_pose[..., None, 3:]
    return np.asarray(moved, np.float32)


def project(points: Array, head_pose: Array, camera: Array) -> Float:
    """Model points (..., N, 3) m, head poses (..., 6) and camera (5,) -> (..., N, 2) px.

    `camera` is focal length, centre x, centre y, picture width and height, all px.
    """
    moved = move(points, head_pose)
    scale = camera[0] / np.maximum(-moved[..., 2], MIN_DEPTH_M)
    u = camera[1] + scale * moved[..., 0]
    v = camera[2] - scale * moved[..., 1]
    return np.asarray(np.stack([u, v], axis=-1), np.float32)


def yaw_pitch_roll(head_pose: Array) -> Float:
    """Head poses (..., 6) -> yaw, pitch, roll (..., 3) rad, R = Ry(yaw) Rx(pitch) Rz(roll).

    Yaw > 0 turns the face to the picture's right, pitch > 0 nods it down, roll > 0 tips it
    counter-clockwise in the picture.
    """
    # Of strided input numpy's arc functions differ in the last bit by where the result lies.
    turn = rotation_matrix(np.asarray(head_pose)[..., :3])
    m = np.ascontiguousarray(np.moveaxis(turn, (-2, -1), (0, 1)))
    yaw = np.arctan2(m[0, 2], m[2, 2])
    pitch = -np.arcsin(np.clip(m[1, 2], -1.0, 1.0))
    roll = np.arctan2(m[1, 0], m[1, 1])
    return np.asarray(np.stack([yaw, pitch, roll], axis=-1), np.float32)
