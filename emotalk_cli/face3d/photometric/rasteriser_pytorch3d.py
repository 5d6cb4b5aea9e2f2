"""Differentiable drawing with PyTorch3D, for those who have it.

Ravi et al., "Accelerating 3D deep learning with PyTorch3D", 2020; soft edges after Liu et al.,
"Soft Rasterizer", ICCV 2019. Written against its public functions `rasterize_meshes` (with the
screen's coordinates of `MeshRasterizer`), `interpolate_face_attributes` and `softmax_rgb_blend`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.errors import EmotalkError

Double = NDArray[np.float64]

SIGMA = 1e-5
GAMMA = 1e-4
"""Softness of edges and of depth, as PyTorch3D's BlendParams has them, in its units."""
FACES_PER_PIXEL = 4


class Pytorch3dRasteriser:
    """Draws coloured triangles and traces errors back; see `parts.DifferentiableRasteriser`."""

    def __init__(self, triangles: NDArray[np.int32]) -> None:
        """Triangles (F, 3), counter-clockwise seen from outside.

        Raises EmotalkError where PyTorch3D is not installed.
        """
        try:
            from pytorch3d import ops, structures
            from pytorch3d.renderer import blending
            from pytorch3d.renderer.mesh import rasterize_meshes
        except ImportError as error:
            raise EmotalkError(
                f"PyTorch3D cannot be used: {error}.",
                "Install it as its own page says, or use --photometric-backend deodr.",
            ) from error
        self._ops, self._structures, self._blending = ops, structures, blending
        self._rasterize = rasterize_meshes
        self._faces = np.asarray(triangles, np.int64)
        self._drawn: tuple[Any, Any, Any] | None = None

    def draw(self, xy: Double, depth: Double, colours: Double, background: Double) -> Double:
        """Vertices (V, 2) px at depths (V,) m in colours (V, C) over (H, W, C): the picture."""
        import torch

        places = torch.tensor(np.asarray(xy, np.float32), requires_grad=True)
        inks = torch.tensor(np.asarray(colours, np.float32), requires_grad=True)
        picture = self._picture(
            places, torch.tensor(np.asarray(depth, np.float32)), inks, background
        )
        self._drawn = places, inks, picture
        return np.asarray(picture.detach().numpy(), np.float64)

    def trace(self, gradient: Double) -> tuple[Double, Double]:
        """Gradient (H, W, C) by the picture last drawn -> by xy (V, 2) and by colours (V, C)."""
        import torch

        if self._drawn is None:
            raise ValueError("nothing was drawn yet")
        places, inks, picture = self._drawn
        self._drawn = None
        towards = torch.tensor(np.asarray(gradient, np.float32))
        by_place, by_ink = torch.autograd.grad(picture, (places, inks), towards)
        return by_place.numpy().astype(np.float64), by_ink.numpy().astype(np.float64)

    def _picture(self, places: Any, depth: Any, inks: Any, background: Double) -> Any:
        import torch

        height, width, channels = background.shape
        faces = torch.tensor(self._faces)
        # Its screen: x to the left, y up, the shorter side from -1 to 1.
        half = min(height, width) / 2.0
        x = -(places[:, 0] - width / 2.0) / half
        y = -(places[:, 1] - height / 2.0) / half
        mesh = self._structures.Meshes([torch.stack([x, y, depth], dim=1)], [faces])
        blur = float(np.log(1.0 / 1e-4 - 1.0) * SIGMA)
        found, depths, weights, distances = self._rasterize(
            mesh,
            image_size=(height, width),
            blur_radius=blur,
            faces_per_pixel=FACES_PER_PIXEL,
            perspective_correct=False,
            cull_backfaces=True,
        )
        texels = self._ops.interpolate_face_attributes(found, weights, inks[faces])
        return self._blended(found, depths, distances, texels, background, channels)

    def _blended(
        self,
        found: Any,
        depths: Any,
        distances: Any,
        texels: Any,
        background: Double,
        channels: int,
    ) -> Any:
        """The picture (H, W, C): three channels a time, blended softly, over the ground."""
        import torch
        from torch.nn import functional

        class Fragments:
            pix_to_face, zbuf, dists = found, depths, distances

        black = self._blending.BlendParams(SIGMA, GAMMA, (0.0, 0.0, 0.0))
        hit = depths[found >= 0].detach()
        near, far = (0.9 * float(hit.min()), 1.1 * float(hit.max())) if len(hit) else (0.1, 1.0)
        layers = []
        for first in range(0, channels, 3):
            part = texels[..., first : first + 3]
            short = 3 - part.shape[-1]
            padded = functional.pad(part, (0, short))
            mixed = self._blending.softmax_rgb_blend(padded, Fragments, black, znear=near, zfar=far)
            ground = torch.tensor(background[..., first : first + 3].astype(np.float32))
            alpha = mixed[0, ..., 3:]
            layers.append(alpha * mixed[0, ..., : 3 - short] + (1.0 - alpha) * ground)
        return torch.cat(layers, dim=-1)
