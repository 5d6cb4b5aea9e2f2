"""A small z-buffer for looking at the head and for showing it to the landmarker."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray


@numba.njit(cache=True)
def rasterise(
    points: NDArray[np.float64], triangles: NDArray[np.int32], height: int, width: int
) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.float64]]:
    """Visible triangle (H, W) int32 (-1: none), its barycentrics (H, W, 3), depth (H, W).

    points: (V, 3) pixel x, pixel y (down), depth (positive, larger is farther). Barycentrics are
    perspective-correct; a pixel's centre is at +0.5.
    """
    index = np.full((height, width), -1, np.int32)
    bary = np.zeros((height, width, 3))
    depth = np.full((height, width), np.inf)
    for f in range(len(triangles)):
        a, b, c = points[triangles[f, 0]], points[triangles[f, 1]], points[triangles[f, 2]]
        area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
        if area == 0.0 or a[2] <= 0.0 or b[2] <= 0.0 or c[2] <= 0.0:
            continue
        x0 = max(int(np.floor(min(a[0], b[0], c[0]) - 0.5)), 0)
        x1 = min(int(np.ceil(max(a[0], b[0], c[0]) - 0.5)), width - 1)
        y0 = max(int(np.floor(min(a[1], b[1], c[1]) - 0.5)), 0)
        y1 = min(int(np.ceil(max(a[1], b[1], c[1]) - 0.5)), height - 1)
        for y in range(y0, y1 + 1):
            for x in range(x0, x1 + 1):
                px, py = x + 0.5, y + 0.5
                wa = ((b[0] - px) * (c[1] - py) - (b[1] - py) * (c[0] - px)) / area
                wb = ((c[0] - px) * (a[1] - py) - (c[1] - py) * (a[0] - px)) / area
                wc = 1.0 - wa - wb
                if wa < -1e-9 or wb < -1e-9 or wc < -1e-9:
                    continue
                pa, pb, pc = wa / a[2], wb / b[2], wc / c[2]
                z = 1.0 / (pa + pb + pc)
                if z < depth[y, x]:
                    depth[y, x] = z
                    index[y, x] = f
                    bary[y, x, 0] = pa * z
                    bary[y, x, 1] = pb * z
                    bary[y, x, 2] = pc * z
    return index, bary, depth


def rotation(yaw_deg: float, pitch_deg: float, roll_deg: float = 0.0) -> NDArray[np.float64]:
    """(3, 3) rotation: yaw turns the face to its left, pitch nods it down, roll tilts it."""
    y, p, r = np.deg2rad([yaw_deg, pitch_deg, roll_deg])
    yaw = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    pitch = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    roll = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    return roll @ pitch @ yaw


def project(
    vertices: NDArray[np.float64],
    turn: NDArray[np.float64],
    translation_m: NDArray[np.float64],
    focal_px: float,
    centre_px: tuple[float, float],
) -> NDArray[np.float64]:
    """Pixel x, pixel y and depth (metres) of (V, 3) points, by the project's camera convention."""
    seen = vertices @ turn.T + translation_m
    depth = -seen[:, 2]
    u = centre_px[0] + focal_px * seen[:, 0] / depth
    v = centre_px[1] - focal_px * seen[:, 1] / depth
    return np.stack([u, v, depth], axis=1)


def vertex_normals(
    vertices: NDArray[np.float64], triangles: NDArray[np.int32]
) -> NDArray[np.float64]:
    """Unit normals (V, 3), weighted by triangle area."""
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    face = np.cross(b - a, c - a)
    normals = np.zeros_like(vertices)
    for k in range(3):
        np.add.at(normals, triangles[:, k], face)
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
