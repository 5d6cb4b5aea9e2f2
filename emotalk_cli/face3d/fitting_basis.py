"""What the fit needs of a face model: its landmarks' linear bases, normals and priors."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from emotalk_cli.face3d.linear_model import FaceModel

Float = NDArray[np.float32]

QUICK_PARTS = ("blink", "jaw", "mouth", "lip", "tongue", "look")
"""Units whose names hold one of these move fast: lips close and lids blink within two frames."""
QUICK_STIFFNESS = 0.03
SLOW_STIFFNESS = 0.5
"""Weight of the second difference in time, as a share of what the landmarks say of the unit, at
25 frames a second: halves motion of about 9 and 4.5 Hz."""
FREE_PARTS = ("look",)
"""Units that people use all the time: gaze is hardly ever exactly straight."""
SPARSITY = 1.0
FREE_SPARSITY = 0.1
STATIC_PARTS = ("brow", "frown", "squint", "wide", "sneer", "stretch", "shrug", "press", "roll")
"""Units that look like the shape of a face at rest."""


@dataclass(frozen=True)
class FitBasis:
    """The 478 landmarks as a linear function of shape and expression, in model space, m.

    neutral (478, 3) mean face; identity (S, 478, 3) what one sd adds; deltas (E, 478, 3) what a
    unit at 1 adds; normals (478, 3) outward; is_contour (478,) bool; names of the E units.
    """

    neutral: Float
    identity: Float
    deltas: Float
    normals: Float
    is_contour: NDArray[np.bool_]
    names: tuple[str, ...]

    def shaped(self, shape: Float) -> Float:
        """Neutral landmarks (478, 3) of a shape (S,)."""
        return np.asarray(self.neutral + np.tensordot(shape, self.identity, 1), np.float32)


@functools.lru_cache(maxsize=4)
def basis_of(model: FaceModel) -> FitBasis:
    """Read the bases off a face model at its mean shape."""
    mean_shape = np.zeros(len(model.identity_basis), np.float32)
    neutral, deltas = model.landmark_bases(mean_shape)
    normals = model.at_landmarks(vertex_normals(model.mean_vertices, model.triangles))
    normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-9)
    return FitBasis(
        neutral=np.asarray(neutral, np.float32),
        identity=model.at_landmarks(model.identity_basis),
        deltas=np.asarray(deltas, np.float32),
        normals=np.asarray(normals, np.float32),
        is_contour=np.asarray(model.landmark_is_contour, bool),
        names=tuple(model.expression_names),
    )


def vertex_normals(vertices: Float, triangles: NDArray[np.int32]) -> Float:
    """Outward unit normals (V, 3) of a mesh, its triangles' normals weighted by their area."""
    a, b, c = (vertices[triangles[:, i]] for i in range(3))
    area = np.cross(b - a, c - a)
    normals = np.zeros_like(vertices)
    for i in range(3):
        np.add.at(normals, triangles[:, i], area)
    length = np.linalg.norm(normals, axis=-1, keepdims=True)
    return np.asarray(normals / np.maximum(length, 1e-12), np.float32)


def sparsity(names: tuple[str, ...], *, static_factor: float = 1.0) -> Float:
    """Pull of every unit towards 0 (E,), in units of the data term.

    `static_factor` multiplies it for units that look like the shape of a face at rest.
    """
    pull = np.full(len(names), SPARSITY, np.float32)
    pull[_named(names, STATIC_PARTS)] *= static_factor
    pull[_named(names, FREE_PARTS)] = FREE_SPARSITY
    return pull


def stiffness(names: tuple[str, ...], fps: float) -> Float:
    """Weight (E,) of the second difference in time, as a share of the unit's own curvature."""
    share = np.where(_named(names, QUICK_PARTS), QUICK_STIFFNESS, SLOW_STIFFNESS)
    return np.asarray(share * (fps / 25.0) ** 4, np.float32)


def _named(names: tuple[str, ...], parts: tuple[str, ...]) -> NDArray[np.bool_]:
    return np.array([any(part in name.lower() for part in parts) for name in names], bool)
