"""The inner loops of the fit, compiled: rows of the linearised projection, the box-bound solve."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.kernels import kernel

Float = NDArray[np.float32]
Int = NDArray[np.int64]


@kernel
def projection_rows(
    points: Float,
    rotations: Float,
    translations: Float,
    camera: Float,
    observed: Float,
    directions: Float,
    differences: Int,
    root_weights: Float,
    rows: Float,
) -> None:
    """Fill the weighted rows of a Gauss-Newton step on the pinhole projection.

    points (T, P, 3) model space, m; rotations (T, 3, 3); translations (T, 3) m; camera (3,)
    focal length and centre, px; observed (T, P, 2) px; directions (P, 3, C) are the columns'
    motions of the points in model space, m; differences (M, 3) as in `fitting_points`;
    root_weights (T, P + M). rows (T, 2 (P + M), 6 + C + 2) receives the derivatives by a small
    rotation and translation in camera space, by the C columns and by the log focal length, and
    last the residual; all in metres at the head's depth.
    """
    frames, count = points.shape[0], points.shape[1]
    columns = directions.shape[2]
    width = columns + 8
    focal, centre_x, centre_y = camera[0], camera[1], camera[2]
    plain = np.empty((count, 2, width), np.float32)
    for frame in range(frames):
        turn, shift = rotations[frame], translations[frame]
        depth = -shift[2]
        for i in range(count):
            p = points[frame, i]
            x = turn[0, 0] * p[0] + turn[0, 1] * p[1] + turn[0, 2] * p[2]
            y = turn[1, 0] * p[0] + turn[1, 1] * p[1] + turn[1, 2] * p[2]
            z = turn[2, 0] * p[0] + turn[2, 1] * p[1] + turn[2, 2] * p[2]
            near = max(-(z + shift[2]), np.float32(1e-3))
            gain = depth / near
            u, v = (x + shift[0]) / near, (y + shift[1]) / near
            target = observed[frame, i]
            for axis in range(2):
                row = plain[i, axis]
                along = u if axis == 0 else v
                gx = gain if axis == 0 else np.float32(0.0)
                gy = gain - gx
                gz = gain * along
                row[0] = gz * y - gy * z
                row[1] = gx * z - gz * x
                row[2] = gy * x - gx * y
                row[3], row[4], row[5] = gx, gy, gz
                qx = gx * turn[0, 0] + gy * turn[1, 0] + gz * turn[2, 0]
                qy = gx * turn[0, 1] + gy * turn[1, 1] + gz * turn[2, 1]
                qz = gx * turn[0, 2] + gy * turn[1, 2] + gz * turn[2, 2]
                d = directions[i]
                for c in range(columns):
                    row[6 + c] = qx * d[0, c] + qy * d[1, c] + qz * d[2, c]
                row[6 + columns] = depth * along
                seen = target[0] - centre_x if axis == 0 else centre_y - target[1]
                row[7 + columns] = depth * (seen / focal - along)
        for i in range(count):
            weight = root_weights[frame, i]
            for axis in range(2):
                for c in range(width):
                    rows[frame, 2 * i + axis, c] = weight * plain[i, axis, c]
        for m in range(differences.shape[0]):
            weight = root_weights[frame, count + m]
            half = np.float32(0.5) * weight
            a, b, e = differences[m]
            for axis in range(2):
                out = rows[frame, 2 * (count + m) + axis]
                for c in range(width):
                    out[c] = weight * plain[a, axis, c] - half * (
                        plain[b, axis, c] + plain[e, axis, c]
                    )


@kernel
def solve_boxes(
    hessian: Float,
    gradient: Float,
    sparsity: Float,
    smoothness: Float,
    values: Float,
    sweeps: int,
    tolerance: float,
) -> None:
    """Coordinate descent on a sequence of box-bound, sparse and smooth quadratic problems.

    Changes `values` (T, E) in place to the minimum within 0..1 of
    sum_t (w_t' hessian_t w_t / 2 - gradient_t' w_t + sparsity_t' w_t)
    + sum_e smoothness_e sum_t (w_te - 2 w_(t+1)e + w_(t+2)e)^2 / 2.
    hessian (T, E, E), gradient (T, E), sparsity (T, E), smoothness (E,). Stops after `sweeps`
    or when no value moves by more than `tolerance`.
    """
    frames, units = values.shape
    slopes = sparsity - gradient
    for t in range(frames):
        for e in range(units):
            slopes[t] += hessian[t, e] * values[t, e]
    for _ in range(sweeps):
        moved = np.float32(0.0)
        for t in range(frames):
            w = values[t]
            for e in range(units):
                curvature, slope = hessian[t, e, e], slopes[t, e]
                for first in range(max(t - 2, 0), min(t, frames - 3) + 1):
                    bend = values[first, e] - 2.0 * values[first + 1, e] + values[first + 2, e]
                    share = np.float32(-2.0 if t == first + 1 else 1.0)
                    slope += smoothness[e] * share * bend
                    curvature += smoothness[e] * share * share
                if curvature <= 0.0:
                    continue
                value = min(max(w[e] - slope / curvature, np.float32(0.0)), np.float32(1.0))
                step = np.float32(value - w[e])
                if step != 0.0:
                    w[e] += step
                    slopes[t] += hessian[t, e] * step
                    moved = max(moved, abs(step))
        if moved < tolerance:
            break
