"""Lays the default head over the mesh of another face model, so that points can be carried over.

A similarity and the head's own identity directions first, then a smooth displacement towards the
nearest surface that looks the same way (iterative closest points with normals; Amberg, Romdhani
and Vetter, "Optimal step nonrigid ICP algorithms for surface registration", CVPR 2007, with kernel
smoothing in place of their stiffness term). Where the mouth can open, upper and lower lip are told
apart by how they move. Nothing is random: the same meshes give the same points.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from emotalk_cli.face3d.fitting.basis import vertex_normals

Double = NDArray[np.float64]
Int = NDArray[np.int32]

CANDIDATES, FIRST_CANDIDATES = 24, 8
"""Triangles whose closest point is looked at, by their centres' distance; fewer at first."""
NORMAL_M = 0.006
"""A surface that looks the opposite way counts as twice this further away."""
JAW_M = 0.020
"""A point that moves with the jaw while the other does not counts as this much further away."""
OUTLIER_M = 0.008
RIGID_ROUNDS, SHAPE_ROUNDS, SMOOTH_ROUNDS = 20, 12, 3
SMOOTH_RADII_M = (0.03, 0.02, 0.012, 0.008)
SHAPE_ERROR_M = 0.02
"""Standard error of one point against the identity prior; neighbours repeat one another."""
ANCHOR_WEIGHT = 20.0
JAW_RIDGE = 1e-2


@dataclass(frozen=True)
class Template:
    """The default head's face: points (N, 3) m with normals, how far each drops with the jaw (N,)
    as a share of the most that any does, identity directions (S, N, 3); the first 478 points are
    MediaPipe's.
    """

    points: Double
    normals: Double
    jaw: Double
    identity: Double


class Target:
    """A triangle mesh (V, 3), (F, 3) that can be asked for its closest points."""

    def __init__(self, vertices: Double, triangles: Int) -> None:
        self.vertices = np.asarray(vertices, np.float64)
        self.triangles = triangles
        corners = self.vertices[triangles]
        self.corners = corners
        cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        length = np.linalg.norm(cross, axis=1, keepdims=True)
        self.normals = cross / np.maximum(length, 1e-20)
        smooth = vertex_normals(self.vertices.astype(np.float32), triangles)
        self.corner_normals = smooth.astype(np.float64)[triangles]
        self.jaw: Double = np.zeros(len(vertices))
        self._tree = cKDTree(corners.mean(axis=1))

    def closest(
        self,
        points: Double,
        normals: Double,
        jaw: Double | None = None,
        candidates: int = CANDIDATES,
    ) -> tuple[Int, Double, Double]:
        """For points (N, 3) with normals (N, 3): triangle (N,), barycentric (N, 3), place (N, 3).

        jaw (N,): how far the points drop with the jaw, compared where given.
        """
        count = min(candidates, len(self.triangles))
        _, near = self._tree.query(points, count)
        near = near.reshape(len(points), count)
        weights = _closest_on(points[:, None], self.corners[near])
        places = np.einsum("nkc,nkcx->nkx", weights, self.corners[near])
        looks = np.einsum("nkc,nkcx->nkx", weights, self.corner_normals[near])
        looks /= np.maximum(np.linalg.norm(looks, axis=-1, keepdims=True), 1e-12)
        cost = ((places - points[:, None]) ** 2).sum(axis=-1)
        cost += (NORMAL_M * (1.0 - np.einsum("nkx,nx->nk", looks, normals))) ** 2
        if jaw is not None:
            drop = np.einsum("nkc,nkc->nk", weights, self.jaw[self.triangles[near]])
            cost += (JAW_M * (drop - jaw[:, None])) ** 2
        best = cost.argmin(axis=1)
        rows = np.arange(len(points))
        return near[rows, best].astype(np.int32), weights[rows, best], places[rows, best]


@dataclass(frozen=True)
class Registered:
    """Where the template's points came to lie, (N, 3) m; the similarity's scale, rotation (3, 3)
    and translation (3,) that took them most of the way, and the mean distance left, m.
    """

    points: Double
    scale: float
    rotation: Double
    translation: Double
    error_m: float


def register(
    template: Template, target: Target, anchors: Mapping[int, Double], motions: Double
) -> Registered:
    """Lay the template over the target.

    anchors: indices of template points -> their places (3,) on the target, where known. motions
    (K, V, 3): what the target's expressions add, to find how its jaw opens.
    """
    known = np.array(sorted(anchors), int)
    places = np.array([anchors[i] for i in known], np.float64).reshape(-1, 3)
    shaped = template.points.copy()
    scale, turn, shift = _first_guess(template, target, known, places)
    for k in range(RIGID_ROUNDS + SHAPE_ROUNDS):
        moved = scale * shaped @ turn.T + shift
        _, _, found = target.closest(moved, template.normals @ turn.T, candidates=FIRST_CANDIDATES)
        weights = _trust(moved, found)
        found[known], weights[known] = places, ANCHOR_WEIGHT
        scale, turn, shift = similarity(shaped, found, weights)
        if k >= RIGID_ROUNDS:
            wanted = (found - shift) @ turn / scale
            shaped = _shaped(template, wanted, weights)
    moved = scale * shaped @ turn.T + shift
    normals = template.normals @ turn.T
    target.jaw = _jaw_drop(template, target, moved, turn, motions)
    jaw = template.jaw if target.jaw.any() else None
    for radius in SMOOTH_RADII_M:
        kernel = _kernel(moved, radius)
        for _ in range(SMOOTH_ROUNDS):
            _, _, found = target.closest(moved, normals, jaw)
            weights = _trust(moved, found)
            found[known], weights[known] = places, ANCHOR_WEIGHT
            pull = kernel @ (weights[:, None] * (found - moved))
            moved = moved + pull / np.maximum(kernel @ weights, 1e-3)[:, None]
    _, _, found = target.closest(moved, normals, jaw)
    error = float(np.linalg.norm(found - moved, axis=1).mean())
    return Registered(moved, scale, turn, shift, error)


def similarity(
    points: Double, places: Double, weights: Double
) -> tuple[float, Double, NDArray[np.float64]]:
    """Scale, rotation (3, 3), translation (3,) of points (N, 3) onto places (Umeyama 1991)."""
    share = weights / weights.sum()
    middle, aim = share @ points, share @ places
    centred, wanted = points - middle, places - aim
    u, s, vt = np.linalg.svd((wanted * share[:, None]).T @ centred)
    flip = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    turn = (u * flip) @ vt
    scale = float((s * flip).sum() / (share @ (centred**2).sum(axis=1)))
    return scale, turn, aim - scale * turn @ middle


def _first_guess(
    template: Template, target: Target, known: NDArray[Any], places: Double
) -> tuple[float, Double, Double]:
    """By the anchors, or else by the tip of the nose: the foremost point of any upright face."""
    if len(known) >= 4:
        return similarity(template.points[known], places, np.ones(len(known)))
    tip = template.points[template.points[:, 2].argmax()]
    used = target.vertices[np.unique(target.triangles)]
    return 1.0, np.eye(3), used[used[:, 2].argmax()] - tip


def _trust(points: Double, places: Double) -> Double:
    """Weights (N,) after Geman and McClure: what has no counterpart says nothing."""
    square = ((points - places) ** 2).sum(axis=1)
    return np.asarray(1.0 / (1.0 + square / OUTLIER_M**2) ** 2)


def _shaped(template: Template, wanted: Double, weights: Double) -> Double:
    """The template with the identity (about N(0, 1)) that comes nearest to wanted (N, 3)."""
    basis = template.identity.reshape(len(template.identity), -1)
    heavy = np.repeat(weights, 3) / SHAPE_ERROR_M**2
    matrix = (basis * heavy) @ basis.T + np.eye(len(basis))
    right = (basis * heavy) @ (wanted - template.points).ravel()
    shape = np.linalg.solve(matrix, right)
    return np.asarray(template.points + np.tensordot(shape, template.identity, 1))


def _jaw_drop(
    template: Template, target: Target, moved: Double, turn: Double, motions: Double
) -> Double:
    """How far each vertex (V,) drops when the target's expressions open the mouth best."""
    if not len(motions):
        return np.zeros(len(target.vertices))
    triangle, weights, _ = target.closest(moved, template.normals @ turn.T)
    corners = motions[:, target.triangles[triangle]]
    at_points = np.einsum("nc,kncx->knx", weights, corners) @ turn
    basis = at_points[:, :, 1]
    matrix = basis @ basis.T
    ridge = JAW_RIDGE * max(float(np.trace(matrix)) / len(matrix), 1e-20)
    chosen = np.linalg.solve(matrix + ridge * np.eye(len(matrix)), basis @ -template.jaw)
    opened = np.tensordot(chosen, motions @ turn, 1)[:, 1]
    explained = float(np.corrcoef(-(chosen @ basis), template.jaw)[0, 1])
    return -opened if explained > 0.7 else np.zeros(len(opened))


def _kernel(points: Double, radius: float) -> Double:
    square = ((points[:, None] - points[None]) ** 2).sum(axis=-1)
    return np.asarray(np.exp(-0.5 * square / radius**2))


def _closest_on(points: Double, corners: Double) -> Double:
    """Barycentric weights (..., 3) of the points of triangles (..., 3, 3) closest to (..., 3).

    The seven regions of Ericson, "Real-time collision detection", 2005, section 5.1.5.
    """
    a, b, c = (corners[..., k, :] for k in range(3))
    ab, ac = b - a, c - a
    ap, bp, cp = points - a, points - b, points - c

    def dot(x: Double, y: Double) -> Double:
        return np.asarray((x * y).sum(axis=-1))

    d1, d2, d3, d4, d5, d6 = (dot(e, p) for p in (ap, bp, cp) for e in (ab, ac))
    va, vb, vc = d3 * d6 - d5 * d4, d5 * d2 - d1 * d6, d1 * d4 - d3 * d2
    total = va + vb + vc
    total = np.where(np.abs(total) < 1e-30, 1.0, total)
    v, w = vb / total, vc / total
    # Outside, the closest point lies on an edge: try all three and take the nearest.
    inside = (v >= 0) & (w >= 0) & (v + w <= 1)
    along_ab = np.clip(d1 / np.maximum(dot(ab, ab), 1e-30), 0, 1)
    along_ac = np.clip(d2 / np.maximum(dot(ac, ac), 1e-30), 0, 1)
    bc = c - b
    along_bc = np.clip(dot(bc, bp) / np.maximum(dot(bc, bc), 1e-30), 0, 1)
    zero = np.zeros_like(v)
    options = np.stack(
        [
            np.stack([1 - along_ab, along_ab, zero], axis=-1),
            np.stack([1 - along_ac, zero, along_ac], axis=-1),
            np.stack([zero, 1 - along_bc, along_bc], axis=-1),
        ],
        axis=-2,
    )
    places = options @ corners
    gaps = ((places - points[..., None, :]) ** 2).sum(axis=-1)
    best = gaps.argmin(axis=-1)
    edge = np.take_along_axis(options, best[..., None, None], axis=-2)[..., 0, :]
    within = np.stack([1 - v - w, v, w], axis=-1)
    return np.asarray(np.where(inside[..., None], within, edge))
