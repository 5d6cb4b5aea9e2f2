"""Head poses and the pinhole camera, as `schema.FaceTrack` defines them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Float = NDArray[np.float32]

MIN_DEPTH_M = 1e-3
"""Points nearer to the camera's plane than this are drawn at this depth."""


def f32(values: ArrayLike) -> Float:
    """Numbers or nested lists of numbers as a float32 array."""
    return np.asarray(values, np.float32)


def rotation_matrix(vector: Float) -> Float:
    """Rotation vector(s) (..., 3) rad -> matrices (..., 3, 3), by Rodrigues' formula."""
    v = np.asarray(vector, np.float64)
    angle = np.linalg.norm(v, axis=-1)[..., None, None]
    safe = np.maximum(angle, 1e-8)
    zero = np.zeros(v.shape[:-1])
    x, y, z = v[..., 0], v[..., 1], v[..., 2]
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(*v.shape, 3)
    sine, versine = np.sinc(angle / np.pi), (1.0 - np.cos(safe)) / safe**2
    return np.asarray(np.eye(3) + sine * cross + versine * (cross @ cross), np.float32)


def rotation_vector(matrix: Float) -> Float:
    """Matrix (3, 3) -> rotation vector (3,) rad, for angles below half a turn."""
    m = np.asarray(matrix, np.float64)
    axis = 0.5 * np.array([m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1]])
    sine = float(np.linalg.norm(axis))
    angle = float(np.arctan2(sine, 0.5 * (np.trace(m) - 1.0)))
    return np.asarray(axis * (angle / sine if sine > 1e-8 else 1.0), np.float32)


@dataclass(frozen=True)
class Camera:
    """A pinhole camera that looks along -z; px with (0, 0) at the picture's top left corner."""

    focal_px: float
    centre_x_px: float
    centre_y_px: float

    @classmethod
    def of(cls, camera: Float, scale: float) -> Camera:
        """From a FaceTrack's `camera` (5,), for the picture made `scale` times as large."""
        return cls(float(camera[0]) * scale, float(camera[1]) * scale, float(camera[2]) * scale)

    def project(self, points: Float) -> Float:
        """Points (..., 3) m in camera space -> (..., 2) px."""
        depth = np.maximum(-points[..., 2], MIN_DEPTH_M)
        u = self.centre_x_px + self.focal_px * points[..., 0] / depth
        v = self.centre_y_px - self.focal_px * points[..., 1] / depth
        return f32(np.stack([u, v], axis=-1))

    def unproject(self, xy: Float, depth: Float) -> Float:
        """Positions (..., 2) px at depths (...) m -> (..., 3) m in camera space."""
        x = (xy[..., 0] - self.centre_x_px) * depth / self.focal_px
        y = (self.centre_y_px - xy[..., 1]) * depth / self.focal_px
        return f32(np.stack([x, y, -depth], axis=-1))
