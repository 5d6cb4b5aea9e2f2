"""What the fit needs of a face model: its landmarks' linear bases and normals."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.face3d.fitting.landmark_offsets import LandmarkOffsets, landmark_offsets
from emotalk_cli.face3d.fitting.points import INNER_LIPS

if TYPE_CHECKING:
    from emotalk_cli.face3d.models.linear_model import FaceModel

Float = NDArray[np.float32]

NORMAL_RADIUS_M = 0.010
FOLD_COSINE = 0.2
"""Points whose own normal looks forward less than this lie in a fold: inside a lip, under a lid."""


@dataclass(frozen=True)
class FitBasis:
    """The 478 landmarks as a linear function of shape and expression, in model space, m.

    neutral (478, 3) mean face; identity (S, 478, 3) what one sd adds; deltas (E, 478, 3) what a
    unit at 1 adds, all three as the landmarker shows them; modes (K, 478, 3) its usual errors, one
    sd each; normals (478, 3) outward, of the face at large; is_contour (478,) bool; names of the E
    units; offsets are in the bases already, their slides are not.
    """

    neutral: Float
    identity: Float
    deltas: Float
    modes: Float
    normals: Float
    is_contour: NDArray[np.bool_]
    names: tuple[str, ...]
    offsets: LandmarkOffsets

    def shaped(self, shape: Float) -> Float:
        """Neutral landmarks (478, 3) of a shape (S,)."""
        return np.asarray(self.neutral + np.tensordot(shape, self.identity, 1), np.float32)


@functools.lru_cache(maxsize=4)
def basis_of(model: FaceModel, *, as_shown: bool = True) -> FitBasis:
    """Read the bases off a face model at its mean shape.

    Unless `as_shown`, units and shapes move the landmarks as the model says, and the landmarker
    errs in no ways of its own.
    """
    mean_shape = np.zeros(len(model.identity_basis), np.float32)
    neutral, deltas = model.landmark_bases(mean_shape)
    normals = model.at_landmarks(vertex_normals(model.mean_vertices, model.triangles))
    offsets = landmark_offsets(model)
    if not as_shown:
        offsets = offsets.still()
    identity = model.at_landmarks(model.identity_basis) + offsets.identity_m
    return FitBasis(
        neutral=lips_closed(np.asarray(neutral + offsets.offset_m, np.float32)),
        identity=lips_closed(identity),
        deltas=np.asarray(deltas + offsets.unit_m, np.float32),
        modes=offsets.modes_m,
        normals=_smoothed(normals, neutral),
        is_contour=np.asarray(model.landmark_is_contour, bool),
        names=tuple(model.expression_names),
        offsets=offsets,
    )


def lips_closed(points: Float) -> Float:
    """Points or motions (..., 478, 3) with each pair of inner lip points at its middle.

    On closed lips the landmarker puts the two inner lips on one line, to 0.2 mm in photos; the
    model's neutral face has closed lips, whatever the shape.
    """
    closed = points.copy()
    upper, lower = np.array(INNER_LIPS).T
    closed[..., upper, :] = closed[..., lower, :] = (
        points[..., upper, :] + points[..., lower, :]
    ) / 2.0
    return closed


def _smoothed(normals: Float, points: Float) -> Float:
    """Unit normals (478, 3) of the face's form around each point, folds of lids and lips aside."""
    distance = np.linalg.norm(points[:, None] - points[None], axis=-1)
    kernel = np.exp(-0.5 * (distance / NORMAL_RADIUS_M) ** 2) * (normals[:, 2] > FOLD_COSINE)
    mean = kernel @ normals
    return np.asarray(mean / np.linalg.norm(mean, axis=-1, keepdims=True), np.float32)


def vertex_normals(vertices: Float, triangles: NDArray[np.int32]) -> Float:
    """Outward unit normals (V, 3) of a mesh, its triangles' normals weighted by their area."""
    a, b, c = (vertices[triangles[:, i]] for i in range(3))
    area = np.cross(b - a, c - a)
    normals = np.zeros_like(vertices)
    for i in range(3):
        np.add.at(normals, triangles[:, i], area)
    length = np.linalg.norm(normals, axis=-1, keepdims=True)
    return np.asarray(normals / np.maximum(length, 1e-12), np.float32)
