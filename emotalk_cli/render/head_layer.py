"""The head layer: a grid over the picture that carries hair, ears and neck along with the head."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.interpolate import LinearNDInterpolator
from scipy.sparse.linalg import splu

from emotalk_cli.render.body import lifted, smoothstep
from emotalk_cli.render.matte import read_at
from emotalk_cli.render.registration import Registered

Float = NDArray[np.float32]

CELLS = 64
"""Grid cells along the longer side of the picture."""
MIN_CELL_PX = 6
DEPTH_REACH_M = 0.08
"""How fast the depth of the face goes over into the plane through the ears."""
UNITS_REACH_M = 0.016
"""How far expressions pull on what surrounds the face."""
NECK_TOP_M, NECK_LENGTH_M = -0.01, 0.05
"""From so far below the chin (negative: above) the neck follows the head less and less, down to
the collar, which stands still: measured on real video, as is the reach of the depth."""
SIDE_M, SIDE_FADE_M = 0.15, 0.12
"""Beside the head's middle plane, what is further away (long hair, hands) follows less."""
ROUND_FADE_M = (0.115, 0.09)
"""Without a matte, the whole picture around the head follows less with distance from it."""
HEAD_MIDDLE_Y_M = 0.035
NECK_X_M = (0.055, 0.085)
"""From the first to the second distance from the middle plane, what is seen is no longer neck."""
HANGING_X_M, HANGING_Y_M = 0.2, (-0.03, 0.08)
"""Long hair and scarves: person without a gap in this range over the chin, up to so far aside."""
HAND_GIVES = 0.5
"""Hands at the face move as one: as its places do in the mean, and by this share further with the
head that leans on them."""
HANGING_SAMPLES = 41, 12
HANGING_LENGTH_M = 0.17
"""They let go of the head over this length: bent over the neck's they would kink."""
STILL_M = 1e-5
"""What moves less stands still."""


@dataclass(frozen=True)
class HeadLayer:
    """points: (G, 3) m in the head's frame. units: (E, G, 3) m. follow: (G,) in 0..1, the share
    of the head's motion; hand_follow: that of hands at the face. breath: (G, 3) m, what a full
    breath moves. uv: (G, 2) px in the photo. triangles: (F, 3) of the cells that move.
    """

    points: Float
    units: Float
    follow: Float
    hand_follow: float
    breath: Float
    uv: Float
    triangles: NDArray[np.int32]


@dataclass(frozen=True)
class _Grid:
    columns: int
    rows: int
    cell_px: float
    uv: Float


def make_head_layer(
    registered: Registered,
    seen: NDArray[np.int64],
    units: Float,
    *,
    size_px: tuple[int, int],
    margin_px: int,
    chin_y_m: float,
    matte: Float | None,
    hair: Float | None,
    hands: Float | None,
) -> HeadLayer:
    """Lay the grid over a picture of size_px (width, height) and `margin_px` around it.

    It continues the depth and the motion of the face's visible vertices `seen` (N,); units:
    (E, V, 3) m, how the vertices move. matte, hair, hands: (H, W) in 0..1, None if not known.
    """
    grid = _make_grid(*size_px, margin_px)
    count = len(units)
    flat = units[:, seen].transpose(1, 0, 2).reshape(len(seen), -1)
    values = np.concatenate([registered.vertices[seen, 2:], flat], axis=1)
    inside = LinearNDInterpolator(registered.photo_xy[seen], values)(grid.uv)
    inside = np.asarray(inside, np.float32)
    known = np.isfinite(inside[:, 0])
    distance = float(-registered.translation[2])
    cell_m = grid.cell_px * distance / registered.camera.focal_px
    depth = _continue(inside[:, :1], known, grid, DEPTH_REACH_M / cell_m)[:, 0]
    moves = _continue(inside[:, 1:], known, grid, UNITS_REACH_M / cell_m)
    moves = moves.reshape(len(grid.uv), count, 3).transpose(1, 0, 2)
    points = _on_surface(grid.uv, depth, registered)
    hanging = np.zeros(len(points), np.float32)
    if matte is not None and hair is not None:
        beside = _beside_neck(registered, chin_y_m, matte)
        hanging = _hanging(points, beside, read_at(hair, grid.uv))
    follow = _follow(points, chin_y_m, hanging, matte is None)
    hand_follow = 1.0
    if hands is not None:
        held = read_at(hands, grid.uv)
        resting = float((follow * held).sum() / max(float(held.sum()), 1e-6))
        hand_follow = resting + HAND_GIVES * (1.0 - resting)
        follow += held * (hand_follow - follow)
        moves *= (1.0 - held)[:, None]
    # Without a matte the wall behind the shoulders would breathe with them.
    breath = lifted(points, chin_y_m) * np.float32(matte is not None)
    still = np.abs(np.concatenate([moves, breath[None]])).max(axis=(0, 2)) < STILL_M
    triangles = _cells(grid, (follow > 1e-3) | ~still, _person(grid, matte, margin_px))
    moves = np.ascontiguousarray(moves, np.float32)
    return HeadLayer(points, moves, follow, hand_follow, breath, grid.uv, triangles)


def _make_grid(width_px: int, height_px: int, margin_px: int) -> _Grid:
    cell = max(MIN_CELL_PX, max(width_px, height_px) / CELLS)
    columns = int(np.ceil((width_px + 2 * margin_px) / cell)) + 1
    rows = int(np.ceil((height_px + 2 * margin_px) / cell)) + 1
    x = np.linspace(-margin_px, width_px + margin_px, columns)
    y = np.linspace(-margin_px, height_px + margin_px, rows)
    uv = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2).astype(np.float32)
    return _Grid(columns, rows, cell, uv)


def _continue(values: Float, known: NDArray[np.bool_], grid: _Grid, reach: float) -> Float:
    """Values (G, C) continued from the known points; they fade to 0 over `reach` cells.

    Solves the screened Poisson equation, lap x = x / reach^2.
    """
    count = len(known)
    index = np.arange(count).reshape(grid.rows, grid.columns)
    pairs = np.concatenate(
        [
            np.stack([index[:, :-1].ravel(), index[:, 1:].ravel()]),
            np.stack([index[:-1].ravel(), index[1:].ravel()]),
        ],
        axis=1,
    )
    ones = np.ones(pairs.shape[1])
    adjacency = sparse.csr_matrix((ones, tuple(pairs)), (count, count))
    adjacency = adjacency + adjacency.T
    degree = np.asarray(adjacency.sum(axis=1)).ravel()
    system = (sparse.diags(degree + 1.0 / reach**2) - adjacency).tocsr()
    free = np.flatnonzero(~known)
    result = np.where(known[:, None], values, 0.0).astype(np.float64)
    pull = -system[free][:, np.flatnonzero(known)] @ result[known]
    result[free] = splu(system[free][:, free].tocsc()).solve(np.asarray(pull))
    return np.asarray(result, np.float32)


def _on_surface(uv: Float, depth: Float, registered: Registered) -> Float:
    """The points (G, 3) in the head's frame with the given z that are seen at uv (G, 2)."""
    rotation, translation = registered.rotation, registered.translation
    ray = registered.camera.unproject(uv, np.ones(len(uv), np.float32))
    forward = rotation[:, 2]
    along = (depth + float(forward @ translation)) / np.minimum(ray @ forward, -0.2)
    placed = ray * np.clip(along, 0.05, None)[:, None]
    return np.asarray((placed - translation) @ rotation, np.float32)


def _beside_neck(registered: Registered, chin_y_m: float, matte: Float) -> tuple[Float, Float]:
    """How surely something hangs down (N,) so far (N,) m from the head's middle plane."""
    across, down = HANGING_SAMPLES
    x = np.linspace(-HANGING_X_M, HANGING_X_M, across, dtype=np.float32)
    y = np.linspace(*HANGING_Y_M, down, dtype=np.float32) + np.float32(chin_y_m)
    at = np.zeros((down, across, 3), np.float32)
    at[..., 0], at[..., 1] = x, y[:, None]
    seen = registered.camera.project(at @ registered.rotation.T + registered.translation)
    person = read_at(matte, seen.reshape(-1, 2)).reshape(down, across).min(axis=0)
    # One gap ends it: what is beyond is somebody else, or an arm.
    middle = across // 2
    person[np.abs(x) < NECK_X_M[1]] = 1.0
    person[middle:] = np.minimum.accumulate(person[middle:])
    person[: middle + 1] = np.minimum.accumulate(person[middle::-1])[::-1]
    return np.convolve(np.pad(person, 1, mode="edge"), [0.25, 0.5, 0.25], mode="valid"), x


def _hanging(points: Float, beside: tuple[Float, Float], hair: Float) -> Float:
    """How much (G,) in 0..1 each grid point is hair or cloth that hangs down beside the neck.

    hair: (G,) where it is seen; before the neck it counts only where some hangs beside it.
    """
    person, x = beside
    side = np.interp(np.copysign(NECK_X_M[1] + 0.02, points[:, 0]), x, person)
    before = side * hair
    aside = np.interp(points[:, 0], x, person) * smoothstep(*NECK_X_M, np.abs(points[:, 0]))
    return np.asarray(np.maximum(aside, before), np.float32)


def _follow(points: Float, chin_y_m: float, hanging: Float, all_around: bool) -> Float:
    """How much of the head's motion each grid point takes part in."""
    x, y = points[:, 0], points[:, 1]
    top = chin_y_m - NECK_TOP_M
    neck = smoothstep(top - NECK_LENGTH_M, top, y)
    neck += hanging * (smoothstep(top - HANGING_LENGTH_M, top, y) - neck)
    side = 1.0 - smoothstep(SIDE_M, SIDE_M + SIDE_FADE_M, np.abs(x))
    follow = neck * side
    if all_around:
        start, fade = ROUND_FADE_M
        away = np.hypot(x, 0.8 * (y - HEAD_MIDDLE_Y_M))
        follow = follow * (1.0 - smoothstep(start, start + fade, away))
    return np.asarray(follow, np.float32)


def _person(grid: _Grid, matte: Float | None, margin_px: int) -> NDArray[np.bool_]:
    """Which cells (rows - 1, columns - 1) hold a part of the person."""
    shape = (grid.rows - 1, grid.columns - 1)
    if matte is None:
        return np.ones(shape, np.bool_)
    padded = np.pad(matte > 0.0, margin_px, mode="edge")
    y = np.linspace(0, padded.shape[0], grid.rows).astype(int)
    x = np.linspace(0, padded.shape[1], grid.columns).astype(int)
    found = np.zeros(shape, np.bool_)
    for i in range(shape[0]):
        for j in range(shape[1]):
            found[i, j] = padded[
                max(0, y[i] - 8) : y[i + 1] + 8, max(0, x[j] - 8) : x[j + 1] + 8
            ].any()
    return found


def _cells(grid: _Grid, moves: NDArray[np.bool_], person: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Two triangles for each cell of the person that can move."""
    index = np.arange(grid.rows * grid.columns).reshape(grid.rows, grid.columns)
    corner = moves.reshape(grid.rows, grid.columns)
    wanted = person & (corner[:-1, :-1] | corner[1:, :-1] | corner[:-1, 1:] | corner[1:, 1:])
    a, b = index[:-1, :-1][wanted], index[:-1, 1:][wanted]
    c, d = index[1:, 1:][wanted], index[1:, :-1][wanted]
    triangles = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    return np.asarray(triangles, np.int32)
