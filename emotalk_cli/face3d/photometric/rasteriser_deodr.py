"""Differentiable drawing on the CPU with the package deodr.

Martin de La Gorce, "DEODR, discontinuity-preserving differentiable rendering", BSD 2-clause; the
method is de La Gorce, Fleet and Paragios, "Model-based 3D hand pose estimation from monocular
video", TPAMI 2011.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.errors import EmotalkError

Double = NDArray[np.float64]

SIGMA_PX = 1.0
"""Width over which a silhouette's edge is smoothed."""


class DeodrRasteriser:
    """Draws coloured triangles and traces errors back; see `parts.DifferentiableRasteriser`."""

    def __init__(self, triangles: NDArray[np.int32]) -> None:
        """Triangles (F, 3), counter-clockwise seen from outside.

        Raises EmotalkError where deodr is not installed.
        """
        try:
            from deodr import differentiable_renderer
        except (ImportError, NameError) as error:  # deodr 0.2.3 without trimesh: a NameError
            raise EmotalkError(
                f"deodr cannot be used: {error}.",
                "Install it: pip install --no-deps deodr==0.2.3 trimesh, or use another backend.",
            ) from error
        self._deodr = differentiable_renderer
        self._faces = np.ascontiguousarray(triangles, np.uint32)
        self._neighbours = _neighbours(triangles)
        self._scene: Any = None
        self._buffers: tuple[Double, Double] | None = None

    def draw(self, xy: Double, depth: Double, colours: Double, background: Double) -> Double:
        """Vertices (V, 2) px at depths (V,) m in colours (V, C) over (H, W, C): the picture."""
        height, width, channels = background.shape
        count = len(depth)
        textured = np.zeros(len(self._faces), bool)
        self._scene = self._deodr.Scene2DBase(
            faces=self._faces,
            faces_uv=self._faces,
            ij=np.ascontiguousarray(xy - 0.5, np.float64),  # its pixels' centres are whole numbers
            depths=np.ascontiguousarray(depth, np.float64),
            textured=textured,
            uv=np.zeros((count, 2)),
            shade=np.zeros(count),
            colors=np.ascontiguousarray(colours, np.float64),
            shaded=textured,
            edgeflags=self._silhouette(xy),
            height=height,
            width=width,
            nb_colors=channels,
            texture=np.zeros((0, 0)),
            background_image=np.ascontiguousarray(background, np.float64),
            clockwise=False,
        )
        image, nearest = np.zeros((height, width, channels)), np.zeros((height, width))
        self._deodr.renderScene(self._scene, SIGMA_PX, image, nearest)
        self._buffers = image, nearest
        return image.copy()

    def trace(self, gradient: Double) -> tuple[Double, Double]:
        """Gradient (H, W, C) by the picture last drawn -> by xy (V, 2) and by colours (V, C)."""
        if self._buffers is None:
            raise ValueError("nothing was drawn yet")
        scene, (image, nearest) = self._scene, self._buffers
        scene.uv_b, scene.ij_b = np.zeros_like(scene.uv), np.zeros_like(scene.ij)
        scene.shade_b, scene.colors_b = np.zeros_like(scene.shade), np.zeros_like(scene.colors)
        scene.texture_b = np.zeros((0, 0))
        self._deodr.renderSceneB(
            scene, SIGMA_PX, image, nearest, np.ascontiguousarray(gradient, np.float64)
        )
        self._buffers = None  # tracing undoes the smoothing of edges in the picture
        return scene.ij_b, scene.colors_b

    def _silhouette(self, xy: Double) -> NDArray[np.bool_]:
        """Marks (F, 3) of the edges where the surface turns away or ends."""
        a, b, c = (xy[self._faces[:, k]] for k in range(3))
        area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
        front = np.append(area < 0.0, False)  # y points down in the picture
        return np.asarray(front[:-1, None] & ~front[self._neighbours])


def _neighbours(triangles: NDArray[np.int32]) -> NDArray[np.int64]:
    """The triangle (F, 3) beyond each edge (0-1, 1-2, 2-0), -1 where there is none."""
    edges = np.stack([triangles, np.roll(triangles, -1, axis=1)], axis=-1).reshape(-1, 2)
    keys = np.sort(edges, axis=1)
    order = np.lexsort((keys[:, 1], keys[:, 0]))
    same = (keys[order][1:] == keys[order][:-1]).all(axis=1)
    beyond = np.full(len(edges), -1, np.int64)
    first, second = order[:-1][same], order[1:][same]
    beyond[first], beyond[second] = second // 3, first // 3
    return beyond.reshape(-1, 3)
