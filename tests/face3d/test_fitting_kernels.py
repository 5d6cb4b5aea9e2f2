"""The compiled loops against finite differences and a general solver."""

import numpy as np
import pytest
from scipy.optimize import minimize

from emotalk_cli.face3d.camera import project
from emotalk_cli.face3d.fitting.kernels import projection_rows, solve_boxes
from emotalk_cli.face3d.fitting.pose import step_pose


def test_rows_are_the_derivatives_of_the_projection() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(1, 5, 3)).astype(np.float32) * 0.05
    pose = np.array([[0.1, -0.3, 0.05, 0.02, 0.03, -0.7]], np.float32)
    camera = np.array([500, 320, 240, 640, 480], np.float32)
    directions = rng.normal(size=(5, 3, 2)).astype(np.float32) * 0.01
    seen = project(points, pose, camera) + rng.normal(size=(1, 5, 2)).astype(np.float32)
    differences = np.array([[0, 1, 1], [2, 3, 4]])
    rows = np.empty((1, 14, 10), np.float32)
    from emotalk_cli.face3d.camera import rotation_matrix

    projection_rows(
        points, rotation_matrix(pose[:, :3]), pose[:, 3:].copy(), camera[:3].copy(),
        seen.astype(np.float32), directions, differences, np.ones((1, 7), np.float32), rows,
    )  # fmt: skip

    def shown(step: np.ndarray) -> np.ndarray:
        moved = (points[0] + directions @ step[6:8])[None].astype(np.float32)
        lens = camera.copy()
        lens[0] *= np.exp(step[8])
        where = project(moved, step_pose(pose, step[None, :6].astype(np.float32)), lens)[0]
        metres = (where - camera[1:3]) * (1, -1) * 0.7 / lens[0] if step[8] == 0 else None
        if metres is None:
            metres = (where - camera[1:3]) * (1, -1) * 0.7 / camera[0]
        pairs = [metres[0] - metres[1], metres[2] - (metres[3] + metres[4]) / 2]
        return np.concatenate([metres, pairs]).ravel()

    for column in range(9):
        step = np.zeros(9)
        step[column] = 1e-3
        slope = (shown(step) - shown(-step)) / 2e-3
        np.testing.assert_allclose(rows[0, :, column], slope, atol=3e-4)
    target = (seen[0] - camera[1:3]) * (1, -1) * 0.7 / camera[0]
    np.testing.assert_allclose(
        rows[0, :10, 9].reshape(5, 2), target - shown(np.zeros(9))[:10].reshape(5, 2), atol=1e-5
    )


def test_the_solver_finds_the_minimum_in_the_box() -> None:
    rng = np.random.default_rng(1)
    frames, units = 6, 4
    roots = rng.normal(size=(frames, 8, units))
    hessian = np.einsum("tki,tkj->tij", roots, roots) + 0.5 * np.eye(units)
    gradient = rng.normal(size=(frames, units)) * 4
    sparsity = np.full((frames, units), 0.3)
    smoothness = np.array([0.0, 1.0, 3.0, 0.2])
    values = np.zeros((frames, units), np.float32)
    parts = (hessian, gradient, sparsity, smoothness)
    solve_boxes(*(p.astype(np.float32) for p in parts), values, 2000, 0.0)

    def cost(flat: np.ndarray) -> float:
        w = flat.reshape(frames, units)
        bend = w[:-2] - 2 * w[1:-1] + w[2:]
        data = 0.5 * np.einsum("ti,tij,tj->", w, hessian, w) + ((sparsity - gradient) * w).sum()
        return float(data + 0.5 * (smoothness * bend**2).sum())

    best = minimize(
        cost, values.ravel(), bounds=[(0, 1)] * values.size, method="L-BFGS-B",
        options={"maxiter": 500, "ftol": 1e-12},
    )  # fmt: skip
    assert values.min() >= 0.0
    assert values.max() <= 1.0
    assert cost(values.ravel()) == pytest.approx(best.fun, rel=1e-4)
