"""The shaded head drawn by PyTorch3D, on a GPU where there is one; for those who installed it.

PyTorch3D's camera looks along +z with x to the left and y up: ours, turned half way around y.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.errors import EmotalkError
from emotalk_cli.parts import FaceGeometry
from emotalk_cli.render.mesh import GROUND, SUPERSAMPLING, ShadedHead
from emotalk_cli.render.projection import f32
from emotalk_cli.schema import FaceTrack

if TYPE_CHECKING:
    import torch

Float = NDArray[np.float32]

TO_PYTORCH3D = f32([-1, 1, -1])


class Pytorch3dRenderer:
    """Draws what `MeshRenderer` draws with `pytorch3d.renderer.MeshRasterizer`."""

    def __init__(
        self,
        photo: NDArray[np.uint8],
        landmarks: Float,
        still: FaceTrack,
        model: FaceGeometry,
        *,
        size_px: int | None = None,
    ) -> None:
        """Take the picture's size from `photo` (H, W, 3), shape and camera from `still` (T = 1).

        size_px: longer side of the frames, at most the photo's. Raises EmotalkError where
        PyTorch3D is not installed.
        """
        try:
            from pytorch3d.renderer import (
                MeshRasterizer,
                PerspectiveCameras,
                RasterizationSettings,
            )
        except ImportError as error:
            raise EmotalkError(
                f"The renderer pytorch3d needs the package PyTorch3D ({error}).",
                "Install it for your version of torch (https://pytorch3d.org), or use --renderer "
                "mesh, which draws the same.",
            ) from error
        import torch

        self._head = ShadedHead(photo, landmarks, still, model, size_px)
        self.width_px, self.height_px = self._head.width_px, self._head.height_px
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        camera, size = self._head.camera, (self.height_px, self.width_px)
        large = tuple(SUPERSAMPLING * side for side in size)
        cameras = PerspectiveCameras(
            focal_length=((camera.focal_px, camera.focal_px),),
            principal_point=((camera.centre_x_px, camera.centre_y_px),),
            image_size=(large,),
            in_ndc=False,
            device=self._device,
        )
        self._rasterise = MeshRasterizer(cameras, RasterizationSettings(image_size=large))
        self._triangles = torch.from_numpy(self._head.triangles).long().to(self._device)
        self._ground = torch.tensor(GROUND, dtype=torch.float32, device=self._device)

    def frame(self, expression: Float, head_pose: Float, breath: float = 0.0) -> NDArray[np.uint8]:
        """Expression (E,) in 0..1, head pose (6,) rad, m -> (H, W, 3) uint8 RGB.

        There are no shoulders that `breath` could lift.
        """
        import torch
        from pytorch3d.renderer import TexturesVertex
        from pytorch3d.structures import Meshes

        placed, colours = self._head.at(expression, head_pose)
        meshes = Meshes(
            verts=[self._tensor(placed * TO_PYTORCH3D)],
            faces=[self._triangles],
            textures=TexturesVertex([self._tensor(colours)]),
        )
        with torch.no_grad():
            fragments = self._rasterise(meshes)
            texels = meshes.sample_textures(fragments)[0, :, :, 0]
            seen = fragments.pix_to_face[0, :, :, :1] >= 0
            picture = torch.where(seen, texels, self._ground).permute(2, 0, 1)
            small = torch.nn.functional.avg_pool2d(picture, SUPERSAMPLING).permute(1, 2, 0)
            frame: NDArray[np.uint8] = (small + 0.5).clamp(0, 255).to(torch.uint8).cpu().numpy()
        return frame

    def _tensor(self, values: Float) -> torch.Tensor:
        import torch

        return torch.from_numpy(np.ascontiguousarray(values, np.float32)).to(self._device)
