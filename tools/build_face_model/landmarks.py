"""Ties MediaPipe's 478 landmarks to the surface: one point each that explains every picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree

from .assemble import PART_NAMES, RawModel
from .eyes import IRIS_RING_START, SECTORS
from .observe import View
from .units import ARKIT_UNITS

MESH_LANDMARKS = 468
INNER_UPPER_LIP = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
INNER_LOWER_LIP = (95, 88, 178, 87, 14, 317, 402, 318, 324)
LIDS = {
    "upper_right": (246, 161, 160, 159, 158, 157, 173),
    "lower_right": (33, 7, 163, 144, 145, 153, 154, 155, 133),
    "upper_left": (466, 388, 387, 386, 385, 384, 398),
    "lower_left": (263, 249, 390, 373, 374, 380, 381, 382, 362),
}
IRISES = {"right": (468, 469, 470, 471, 472), "left": (473, 474, 475, 476, 477)}
"""Centre, then four points on the iris's rim."""
# fmt: off
FACE_OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)
# fmt: on
"""MediaPipe's FACEMESH_FACE_OVAL, clockwise from the forehead's middle as the picture shows it."""
CONTOUR_MAX_TURN_DEG = 7.0
"""Pictures turned farther do not speak for points on the silhouette."""
SEARCH_RADIUS_M = 0.014
ERROR_CAP = 0.08
"""Errors over this share of the eyes' distance count no more (a wrong detection)."""
COARSE_STEPS, FINE_STEPS = 4, 16
"""Barycentric grid steps of the first search over many triangles and of the refinement."""
TILT_LIMIT = 0.15
"""A mean-face triangle facing forward less than this (cosine) carries no landmark but contours."""


@dataclass(frozen=True)
class Tie:
    """triangles (478,), barycentric (478, 3), is_contour (478,) and each landmark's mirror."""

    triangles: NDArray[np.int64]
    barycentric: NDArray[np.float64]
    is_contour: NDArray[np.bool_]
    mirror: NDArray[np.int64]


def mirror_pairs(views: list[View]) -> NDArray[np.int64]:
    """(468,) the landmark on the other side, from where the landmarks lie in all pictures.

    In the mean over mirrored poses the face is symmetric, so that each landmark's mirror image
    falls on its partner.
    """
    features = []
    for view in views:
        seen = view.seen[:MESH_LANDMARKS]
        axis = seen[[10, 152]].mean(axis=0)
        upright = seen[10] - seen[152]
        upright = upright / np.linalg.norm(upright)
        sideways = np.array([-upright[1], upright[0]])
        local = (seen - axis) @ np.stack([sideways, upright], axis=1) / view.eye_distance_px
        features.append(local)
    calm = [f for f, v in zip(features, views, strict=True) if abs(v.yaw_deg) < 6]
    mean = np.mean(calm, axis=0)
    speaking = [
        f
        for f, v in zip(features, views, strict=True)
        if abs(v.yaw_deg) < 9 and v.expression[ARKIT_UNITS.index("jawOpen")] > 0.25
    ]
    both = np.concatenate([mean, np.mean(speaking, axis=0)], axis=1)
    flipped = both * [-1, 1, -1, 1]
    distance = np.linalg.norm(both[:, None] - flipped[None], axis=2)
    return np.asarray(linear_sum_assignment(distance + distance.T)[1])


def tie_landmarks(model: RawModel, views: list[View]) -> Tie:
    """Search the surface for the point that best explains each landmark and its mirror image."""
    solver = _Solver(model, views)
    mirror = np.concatenate([mirror_pairs(views), np.arange(MESH_LANDMARKS, 478)])
    triangles = np.zeros(478, dtype=np.int64)
    barycentric = np.zeros((478, 3))
    for landmark in range(MESH_LANDMARKS):
        other = int(mirror[landmark])
        if other < landmark:
            continue
        face, weights = solver.solve(landmark, other)
        triangles[landmark], barycentric[landmark] = face, weights
        if other != landmark:
            triangles[other], barycentric[other] = solver.mirror_point(face, weights)
        else:
            triangles[landmark], barycentric[landmark] = solver.centred(face, weights)
    for side, points in IRISES.items():
        _tie_iris(model, views, side, points, triangles, barycentric)
    is_contour = np.zeros(478, dtype=bool)
    is_contour[list(FACE_OVAL)] = True
    return Tie(triangles, barycentric, is_contour, mirror)


def face_oval(model: RawModel, tie: Tie) -> NDArray[np.int64]:
    """(36,) vertices nearest to the face oval's landmarks, in `FACE_OVAL`'s order."""
    corners = model.triangles[tie.triangles[list(FACE_OVAL)]]
    heaviest = np.argmax(tie.barycentric[list(FACE_OVAL)], axis=1)
    return np.asarray(corners[np.arange(len(corners)), heaviest])


class _Solver:
    """Robust search over candidate points, for a landmark and its mirror image at once."""

    def __init__(self, model: RawModel, views: list[View]) -> None:
        self._model = model
        self._views = views
        self._pixels = np.stack([v.vertices_px for v in views])
        self._seen = np.stack([v.seen for v in views])
        self._size = np.array([v.eye_distance_px for v in views])
        self._turn = np.array([max(abs(v.yaw_deg), abs(v.pitch_deg)) for v in views])
        hits = np.stack([v.hits for v in views])
        self._hit = np.nanmedian(hits, axis=0)
        corners = model.vertices[model.triangles]
        self._centre = corners.mean(axis=1)
        normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        self._facing = normal[:, 2] / np.maximum(np.linalg.norm(normal, axis=1), 1e-15)
        order = np.sort(model.triangles, axis=1)
        self._triangle_of = {tuple(t): k for k, t in enumerate(order.tolist())}
        self._tree = cKDTree(self._centre)

    def mirror_point(
        self, face: int, weights: NDArray[np.float64]
    ) -> tuple[int, NDArray[np.float64]]:
        """The same surface point on the other side."""
        corners = self._model.mirror[self._model.triangles[face]]
        other = self._triangle_of[tuple(sorted(corners.tolist()))]
        order = [corners.tolist().index(v) for v in self._model.triangles[other].tolist()]
        return other, weights[order]

    def centred(self, face: int, weights: NDArray[np.float64]) -> tuple[int, NDArray[np.float64]]:
        """The nearest point on the edge that lies in the sagittal plane."""
        corners = self._model.triangles[face]
        middle = self._model.mirror[corners] == corners
        if middle.sum() < 2:
            return face, weights
        inside = np.where(middle, np.maximum(weights, 0), 0.0)
        inside = inside if inside.sum() > 0 else middle.astype(float)
        return face, inside / inside.sum()

    def solve(self, landmark: int, other: int) -> tuple[int, NDArray[np.float64]]:
        """Triangle and barycentrics of the best point for the landmark."""
        faces = self._allowed(landmark, other)
        best, _ = self._search(landmark, other, faces, COARSE_STEPS)
        near = self._tree.query_ball_point(self._centre[best], 0.004)
        faces = np.intersect1d(faces, np.append(near, best))
        face, weights = self._search(landmark, other, faces, FINE_STEPS)
        return int(face), weights

    def _allowed(self, landmark: int, other: int) -> NDArray[np.int64]:
        """Triangles that may carry the landmark."""
        model = self._model
        for lip, members in (("upper", INNER_UPPER_LIP), ("lower", INNER_LOWER_LIP)):
            if landmark in members:
                return self._within(model.inner_lip[lip])
        for lid, members in LIDS.items():
            if landmark in members:
                return self._within(model.lid_margin[lid])
        hit = self._hit[landmark]
        if other != landmark and not np.isnan(self._hit[other]).any():
            mirrored = self._hit[other] * [-1, 1, 1]
            hit = mirrored if np.isnan(hit).any() else 0.5 * (hit + mirrored)
        faces = np.array(self._tree.query_ball_point(hit, SEARCH_RADIUS_M))
        outer = [PART_NAMES.index(n) for n in ("skin", "lips", "scalp")]
        facing = self._facing[faces] > (-0.2 if landmark in FACE_OVAL else TILT_LIMIT)
        faces = faces[np.isin(model.parts[faces], outer) & facing]
        if other == landmark:
            on_plane = model.mirror[model.triangles[faces]] == model.triangles[faces]
            faces = faces[on_plane.sum(axis=1) >= 2]
        return faces

    def _within(self, vertices: NDArray[np.int64]) -> NDArray[np.int64]:
        inside = np.isin(self._model.triangles, vertices).all(axis=1)
        return np.flatnonzero(inside)

    def _search(
        self, landmark: int, other: int, faces: NDArray[np.int64], steps: int
    ) -> tuple[int, NDArray[np.float64]]:
        grid = (
            np.array(
                [(i, j, steps - i - j) for i in range(steps + 1) for j in range(steps + 1 - i)]
            )
            / steps
        )
        use = (
            np.flatnonzero(self._turn < CONTOUR_MAX_TURN_DEG)
            if landmark in FACE_OVAL
            else (np.arange(len(self._views)))
        )
        corners = self._model.triangles[faces]
        cost = self._cost(use, corners, grid, landmark)
        if other != landmark:
            cost = cost + self._cost(use, self._model.mirror[corners], grid, other)
        face, point = np.unravel_index(int(np.argmin(cost)), cost.shape)
        return int(faces[face]), grid[point]

    def _cost(
        self,
        use: NDArray[np.int64],
        corners: NDArray[np.int64],
        grid: NDArray[np.float64],
        landmark: int,
    ) -> NDArray[np.float64]:
        """(F, G) mean capped error of each candidate over the pictures."""
        total = np.zeros((len(corners), len(grid)))
        for view in use:
            points = np.einsum("gk,fkc->fgc", grid, self._pixels[view][corners])
            error = np.linalg.norm(points - self._seen[view, landmark], axis=2) / self._size[view]
            total += np.minimum(error, ERROR_CAP)
        return total / len(use)


def _tie_iris(
    model: RawModel,
    views: list[View],
    side: str,
    points: tuple[int, ...],
    triangles: NDArray[np.int64],
    barycentric: NDArray[np.float64],
) -> None:
    """The centre is the pupil's; each rim point is the nearest of the iris's four."""
    faces = np.flatnonzero(model.parts == PART_NAMES.index(f"eye_{side}"))
    first = int(model.triangles[faces].min())
    rim = [first + IRIS_RING_START + k * SECTORS // 4 for k in range(4)]
    chosen = {points[0]: first}
    for point in points[1:]:
        toward = np.mean([v.seen[point] - v.seen[points[0]] for v in views], axis=0)
        spokes = np.mean([v.vertices_px[rim] - v.vertices_px[first] for v in views], axis=0)
        chosen[point] = rim[int(np.argmax(spokes @ toward))]
    for point, vertex in chosen.items():
        face = faces[np.flatnonzero((model.triangles[faces] == vertex).any(axis=1))[0]]
        triangles[point] = face
        barycentric[point] = (model.triangles[face] == vertex).astype(float)
