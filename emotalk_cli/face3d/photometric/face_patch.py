"""The front of a face model's mesh as a differentiable function of coefficients, in torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

    from emotalk_cli import parts
    from emotalk_cli.face3d.models.linear_model import FaceModel

Float = NDArray[np.float32]
Double = NDArray[np.float64]

NEAR_M = 0.015
"""What lies this near to a landmark belongs to the patch; nearer to its border it counts less."""
BORDER_M = 0.006
SEEN_COSINE = 0.15
DEPTH_SLACK_M = 0.004
"""A vertex so far behind what is drawn there is hidden."""
SMALL_ANGLE = 1e-8


@dataclass(frozen=True)
class Picture:
    """A square picture (H, W, 3) float64 in 0..1 that shows part of the source, enlarged.

    origin_px (2,): its top left corner in the source; scale: its pixels per pixel of the source.
    """

    image: Double
    origin_px: Double
    scale: float


@dataclass(frozen=True)
class Placed:
    """The patch in one picture: xy (V, 2) px, depth (V,) m, unit normals (V, 3), camera space, and
    the landmarks (478, 2) px.
    """

    xy: torch.Tensor
    depth: torch.Tensor
    normals: torch.Tensor
    marks: torch.Tensor


class FacePatch:
    """The triangles near the landmarks of one person's face: skin, lips, mouth and eyes."""

    def __init__(self, model: FaceModel, shape: Float) -> None:
        """Shape (S,): whose face it is."""
        import torch

        marks = model.at_landmarks(model.mean_vertices)
        from scipy.spatial import cKDTree

        distance, _ = cKDTree(marks).query(model.mean_vertices)
        inside = (distance < NEAR_M)[model.triangles].all(axis=1)
        self.ids = np.unique(model.triangles[inside])
        self.triangles = np.searchsorted(self.ids, model.triangles[inside]).astype(np.int32)
        self.trust = np.clip((NEAR_M - distance[self.ids]) / BORDER_M, 0.0, 1.0)
        self._faces = torch.tensor(self.triangles.astype(np.int64))
        self.identity = _tensor(model.identity_basis[:, self.ids])
        self.neutral = _tensor(model.neutral(shape)[self.ids])
        self.units = _tensor(model.unit_offsets(shape)[:, self.ids])
        neutral_marks, unit_marks = model.landmark_bases(shape)
        self.mark_identity = _tensor(model.at_landmarks(model.identity_basis))
        self.mark_neutral, self.mark_units = _tensor(neutral_marks), _tensor(unit_marks)

    def place(
        self,
        expression: torch.Tensor,
        head_pose: torch.Tensor,
        camera: Float,
        picture: Picture,
        shape_step: torch.Tensor | None = None,
    ) -> Placed:
        """Expression (E,), head pose (6,), and what is added to the shape (S,), if anything."""
        import torch

        neutral, marks = self.neutral, self.mark_neutral
        if shape_step is not None:
            neutral = neutral + torch.tensordot(shape_step, self.identity, 1)
            marks = marks + torch.tensordot(shape_step, self.mark_identity, 1)
        turn = _rotation(head_pose[:3])
        moved = (neutral + torch.tensordot(expression, self.units, 1)) @ turn.T + head_pose[3:]
        points = (marks + torch.tensordot(expression, self.mark_units, 1)) @ turn.T + head_pose[3:]
        a, b, c = (moved[self._faces[:, k]] for k in range(3))
        area = torch.cross(b - a, c - a, dim=1)
        normals = torch.zeros_like(moved)
        for k in range(3):
            normals = normals.index_add(0, self._faces[:, k], area)
        normals = torch.nn.functional.normalize(normals, dim=1, eps=1e-20)
        return Placed(
            _projected(moved, camera, picture),
            -moved[:, 2],
            normals,
            _projected(points, camera, picture),
        )

    def seen(
        self, placed: Placed, rasteriser: parts.DifferentiableRasteriser, size: tuple[int, ...]
    ) -> tuple[Double, Double]:
        """How well each vertex (V,) is seen, and how much each pixel (H, W) counts."""
        depth = placed.depth.detach().numpy()
        xy = placed.xy.detach().numpy()
        layers = np.stack([depth, self.trust], axis=1)
        both = rasteriser.draw(xy, depth, layers, np.zeros((*size, 2)))
        column = np.clip(xy[:, 0].astype(int), 0, size[1] - 1)
        row = np.clip(xy[:, 1].astype(int), 0, size[0] - 1)
        within = ((xy >= 0) & (xy < (size[1], size[0]))).all(axis=1)
        towards = placed.normals.detach().numpy()[:, 2]
        open_ = (depth <= both[row, column, 0] + DEPTH_SLACK_M) & within
        facing = np.clip((towards - SEEN_COSINE) / (1.0 - SEEN_COSINE), 0.0, 1.0)
        return open_ * facing * self.trust, both[..., 1]

    def neighbours(self) -> Any:
        """A sparse matrix (V, V) whose product with values is the mean of each vertex's ring."""
        from scipy.sparse import coo_matrix, diags

        edges = np.concatenate([self.triangles[:, [0, 1]], self.triangles[:, [1, 2]]])
        edges = np.concatenate([edges, self.triangles[:, [2, 0]]])
        edges = np.concatenate(
            [edges, edges[:, ::-1], np.repeat(np.arange(len(self.ids)), 2).reshape(-1, 2)]
        )
        count = len(self.ids)
        linked = coo_matrix((np.ones(len(edges)), edges.T), (count, count)).tocsr()
        linked.data[:] = 1.0
        return diags(1.0 / np.asarray(linked.sum(axis=1)).ravel()) @ linked


def _tensor(values: NDArray[Any]) -> torch.Tensor:
    import torch

    return torch.tensor(np.asarray(values, np.float64))


def _rotation(vector: torch.Tensor) -> torch.Tensor:
    """Rotation vector (3,) rad -> matrix (3, 3), by Rodrigues' formula."""
    import torch

    angle = torch.sqrt((vector * vector).sum() + SMALL_ANGLE**2)
    x, y, z = vector / angle
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero]).reshape(3, 3)
    identity = torch.eye(3, dtype=vector.dtype)
    return identity + torch.sin(angle) * cross + (1.0 - torch.cos(angle)) * (cross @ cross)


def _projected(points: torch.Tensor, camera: Float, picture: Picture) -> torch.Tensor:
    """Points (N, 3) m in the camera's space -> (N, 2) px of the picture."""
    import torch

    focal, centre_x, centre_y = (float(value) for value in camera[:3])
    u = centre_x - focal * points[:, 0] / points[:, 2]
    v = centre_y + focal * points[:, 1] / points[:, 2]
    origin = torch.tensor(np.asarray(picture.origin_px, np.float64))
    return (torch.stack([u, v], dim=1) - origin) * picture.scale
