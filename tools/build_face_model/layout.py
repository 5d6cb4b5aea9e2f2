"""The order of the model's vertices: base mesh vertices first, then parts made by this build."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .head import Head, Ring
from .source import VERTEX_COUNT, BaseMesh

HELPERS = ("helper-l-eye", "helper-r-eye", "helper-lower-teeth", "joint-head")
"""Groups of the base mesh that the build measures and the model does not keep."""


@dataclass(frozen=True)
class Part:
    """A mesh of its own: (V, 3) vertices, (F, 3) triangles of its vertices, (F,) labels."""

    vertices: NDArray[np.float64]
    triangles: NDArray[np.int64]
    labels: NDArray[np.str_]


@dataclass(frozen=True)
class Layout:
    """Where base mesh vertices stand among the tracked ones.

    The tracked vertices are the head's, followed by helper vertices that the build needs (eyeballs,
    head joint) and that the model does not keep.

    ids: (N,) base mesh ids of the tracked vertices. kept: how many of them the model keeps.
    mirror: (N,) tracked index of the vertex on the other side.
    """

    ids: NDArray[np.int64]
    kept: int
    mirror: NDArray[np.int64]
    place: NDArray[np.int64]

    def of(self, base_ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Tracked indices of base mesh ids."""
        found = self.place[base_ids]
        if (found < 0).any():
            raise ValueError("a vertex asked for is not tracked")
        return found

    def ring(self, ring: Ring) -> Ring:
        """The same ring in tracked indices."""
        return Ring(self.of(ring.upper), self.of(ring.lower))


def make_layout(base: BaseMesh, head: Head) -> Layout:
    """Track the head's vertices and those of `HELPERS`."""
    helpers = np.unique(np.concatenate([base.groups[g].ravel() for g in HELPERS]))
    ids = np.concatenate([head.vertex_ids, np.setdiff1d(helpers, head.vertex_ids)])
    place = np.full(VERTEX_COUNT, -1)
    place[ids] = np.arange(len(ids))
    return Layout(ids, len(head.vertex_ids), place[base.mirror[ids]], place)


def split_quads(quads: NDArray[np.int64], vertices: NDArray[np.float64]) -> NDArray[np.int64]:
    """(2Q, 3) triangles of (Q, 4) quads in their order, each cut along its shorter diagonal.

    On a symmetric mesh both sides are cut alike.
    """
    corners = vertices[quads]
    one = np.linalg.norm(corners[:, 0] - corners[:, 2], axis=1)
    other = np.linalg.norm(corners[:, 1] - corners[:, 3], axis=1)
    first = np.stack([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]], axis=1)
    second = np.stack([quads[:, [1, 2, 3]], quads[:, [1, 3, 0]]], axis=1)
    # A hair's breadth of tolerance: rounding must not cut the two sides differently.
    return np.where((one <= other + 1e-7)[:, None, None], first, second).reshape(-1, 3)
