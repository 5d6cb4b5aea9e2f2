"""Two rows of rounded teeth with gums, made from the usual widths and heights of human teeth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .layout import Part

SECTORS = 12
"""Vertices around a crown."""


@dataclass(frozen=True)
class Arch:
    """One row, described on one side from the middle outwards; lengths in millimetres of an adult
    whose pupils are 63 mm apart (means after Wheeler's Dental Anatomy).

    width, depth, height: of each crown. half_width, length: of the half ellipse along which
    the crowns' outer faces stand. up: +1 if the crowns grow upwards into their gum. place_mm: (3,)
    middle of the biting edge's outer face, seen from the place where the lips touch.
    """

    width: tuple[float, ...]
    depth: tuple[float, ...]
    height: tuple[float, ...]
    half_width: float
    length: float
    up: float
    place_mm: NDArray[np.float64]


UPPER = Arch(
    width=(8.5, 6.6, 7.6, 7.1, 6.6, 10.2),
    depth=(6.0, 5.6, 7.6, 8.6, 8.6, 10.5),
    height=(10.6, 9.6, 10.6, 9.6, 9.2, 8.6),
    half_width=28.5,
    length=43.0,
    up=1.0,
    place_mm=np.array([0.0, -2.0, -8.0]),
)
LOWER = Arch(
    width=(5.3, 5.8, 6.9, 7.0, 7.1, 10.8),
    depth=(5.4, 5.6, 7.2, 7.6, 8.0, 10.0),
    height=(8.8, 9.2, 10.2, 8.6, 8.0, 7.4),
    half_width=26.0,
    length=40.0,
    up=-1.0,
    place_mm=np.array([0.0, -0.2, -11.0]),
)
CROWN_HEIGHTS = (0.0, 0.10, 0.35, 0.7, 1.05)
"""Heights of a crown's rings, from the biting edge (0) to below the gum (over 1)."""
CROWN_GIRTH = (0.80, 0.94, 1.0, 0.93, 0.80)
"""Width of each ring over the crown's width."""
CROWN_BULGE = (0.35, 0.55, 0.80, 1.0, 1.0)
"""Depth of each ring over the crown's depth for front teeth, whose edge is thin."""
GUM_STATIONS_PER_TOOTH = 4


def make_teeth(arch: Arch, scale: float, row: str) -> Part:
    """A row in metres: the middle of its biting edge's outer face is the origin, y up, z forward.

    scale: metres per Wheeler millimetre. Labels are `row` for crowns, "gums" for gums.
    """
    points, triangles = [], []
    count = 0
    for side in (1.0, -1.0):
        start = 0.0
        for k, width in enumerate(arch.width):
            middle = start + 0.5 * width
            crown = _crown(arch, k, middle * side)
            points.append(crown)
            triangles.append(count + _crown_triangles())
            count += len(crown)
            start += width
    gum, gum_triangles = _gum(arch)
    points.append(gum)
    triangles.append(count + gum_triangles)
    crown_faces = sum(len(t) for t in triangles[:-1])
    labels = np.array([row] * crown_faces + ["gums"] * len(gum_triangles))
    joined = np.concatenate(triangles)
    # A row that grows downwards is a mirror image: turn its triangles round.
    outwards = joined if arch.up > 0 else joined[:, ::-1]
    return Part(np.concatenate(points) * scale, outwards, labels)


def _frame(arch: Arch, distance: float | NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Point on the arch at a signed arc length from the middle, its tangent and outward normal
    (x, z).
    """
    t = np.linspace(-np.pi / 2, np.pi / 2, 2001)
    curve = np.stack([arch.half_width * np.sin(t), arch.length * (np.cos(t) - 1.0)], axis=1)
    steps = np.linalg.norm(np.diff(curve, axis=0), axis=1)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    along -= along[len(along) // 2]
    distance = np.asarray(distance, dtype=float)
    point = np.stack([np.interp(distance, along, curve[:, k]) for k in range(2)], axis=-1)
    ahead = np.stack([np.interp(distance + 0.5, along, curve[:, k]) for k in range(2)], axis=-1)
    behind = np.stack([np.interp(distance - 0.5, along, curve[:, k]) for k in range(2)], axis=-1)
    tangent = (ahead - behind) / np.linalg.norm(ahead - behind, axis=-1, keepdims=True)
    normal = np.stack([-tangent[..., 1], tangent[..., 0]], axis=-1)
    return point, tangent, normal


def _edge_height(arch: Arch, tooth: int) -> float:
    """How far a tooth's biting edge stands back from the row's plane, in mm, towards its gum."""
    return (
        (0.0, 0.7, 0.1, 0.5, 0.8, 1.0)[tooth]
        if arch.up > 0
        else (0.3, 0.2, 0.0, 0.4, 0.8, 1.0)[tooth]
    )


def _crown(arch: Arch, tooth: int, distance: float) -> NDArray[np.float64]:
    """Vertices of one crown: rings from the biting edge to the neck, then the edge's middle."""
    point, tangent, normal = _frame(arch, distance)
    width, depth, height = arch.width[tooth] * 0.98, arch.depth[tooth], arch.height[tooth]
    turn = 2 * np.pi * np.arange(SECTORS) / SECTORS
    # A superellipse: flatter faces than an ellipse, rounded corners.
    power = 0.7
    across = np.sign(np.cos(turn)) * np.abs(np.cos(turn)) ** power
    inout = np.sign(np.sin(turn)) * np.abs(np.sin(turn)) ** power
    chewing = tooth >= 3
    rings = []
    for share, girth, bulge in zip(CROWN_HEIGHTS, CROWN_GIRTH, CROWN_BULGE, strict=True):
        thick = depth * (0.55 + 0.45 * girth if chewing else bulge)
        # The outer face leans back slightly towards the biting edge.
        outer = -0.5 * thick - (0.9 if share == 0.0 else 0.35 if share < 0.2 else 0.0)
        plane = (
            point
            + np.outer(0.5 * width * girth * across, tangent)
            + np.outer(outer + 0.5 * thick * inout, normal)
        )
        y = arch.up * (_edge_height(arch, tooth) + share * height)
        rings.append(np.stack([plane[:, 0], np.full(SECTORS, y), plane[:, 1]], axis=1))
    top = rings[0].mean(axis=0)
    top[1] += arch.up * (0.8 if chewing else -0.15)
    return np.concatenate([*rings, top[None]])


def _crown_triangles() -> NDArray[np.int64]:
    here = np.arange(SECTORS)
    after = (here + 1) % SECTORS
    rows = []
    for k in range(len(CROWN_HEIGHTS) - 1):
        a, b = k * SECTORS, (k + 1) * SECTORS
        rows.append(np.stack([a + here, b + after, a + after], axis=1))
        rows.append(np.stack([a + here, b + here, b + after], axis=1))
    cap = np.full(SECTORS, len(CROWN_HEIGHTS) * SECTORS)
    rows.append(np.stack([cap, here, after], axis=1))
    return np.concatenate(rows)


def _both_sides(values: list[float], sign: float) -> NDArray[np.float64]:
    """The right side's values, mirrored with the sign, before the left side's."""
    return np.concatenate([sign * np.array(values[:0:-1]), values])


def _gum(arch: Arch) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """A band around the necks; its edge rises between the teeth (papillae)."""
    ends = np.cumsum((0.0, *arch.width))
    stations, shares, heights, depths = [], [], [], []
    for k, width in enumerate(arch.width):
        for step in range(GUM_STATIONS_PER_TOOTH):
            share = step / GUM_STATIONS_PER_TOOTH
            stations.append(ends[k] + share * width)
            shares.append(abs(np.cos(np.pi * share)))
            heights.append(_edge_height(arch, k) + arch.height[k])
            depths.append(arch.depth[k])
    stations.append(ends[-1])
    shares.append(1.0)
    heights.append(heights[-1])
    depths.append(depths[-1])
    distance, papilla = _both_sides(stations, -1.0), _both_sides(shares, 1.0)
    neck, depth = _both_sides(heights, 1.0), _both_sides(depths, 1.0)
    point, _, normal = _frame(arch, distance)
    edge = neck - 1.8 * papilla**4
    profile = (
        (edge, -0.25 - 0.9 * papilla**4),
        (edge + 1.0, np.full_like(edge, 0.35)),
        (neck + 2.0, np.full_like(edge, 0.4)),
        (neck + 4.5, np.full_like(edge, -1.2)),
        (neck + 4.5, -depth - 0.0),
        (neck + 2.0, -depth - 0.8),
        (edge, -depth + 0.2),
    )
    lines = [
        np.stack(
            [point[:, 0] + out * normal[:, 0], arch.up * y, point[:, 1] + out * normal[:, 1]],
            axis=1,
        )
        for y, out in profile
    ]
    n = len(distance)
    here = np.arange(n - 1)
    triangles = []
    for k in range(len(lines) - 1):
        a, b = k * n, (k + 1) * n
        triangles.append(np.stack([a + here, a + here + 1, b + here + 1], axis=1))
        triangles.append(np.stack([a + here, b + here + 1, b + here], axis=1))
    return np.concatenate(lines), np.concatenate(triangles)
