"""The Inception network of FID, with the user's own copy of its weights.

Heusel et al., GANs trained by a two time-scale update rule converge to a local Nash equilibrium,
2017. The layout is that of the file pt_inception-2015-12-05-6726825d.pth, a translation of the
network of the paper's own code, which differs from torchvision's in what its pools average.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as nnf

from emotalk_cli.metrics.weights_file import read_state

SIDE_PX = 299
FEATURES = 2048
CLASSES = 1008
EPSILON = 1e-3
ADVICE = "Give the public file pt_inception-2015-12-05-6726825d.pth (of pytorch-fid)."


class Inception:
    """Pictures -> the 2048 averages before the classes."""

    name = "FID"

    def __init__(self, state: dict[str, Tensor]) -> None:
        """`state` is the network's state dictionary, of the public file's exact layout."""
        self._network = _Network()
        self._network.load_state_dict(state, strict=False)  # counters may be absent
        self._network.eval().requires_grad_(False)

    def features(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Pictures (N, H, W, 3) uint8 RGB -> (N, 2048)."""
        with torch.inference_mode():
            x = torch.from_numpy(np.array(pictures, np.float32)).permute(0, 3, 1, 2) / 255
            x = nnf.interpolate(x, (SIDE_PX, SIDE_PX), mode="bilinear", align_corners=False)
            return np.asarray(self._network.features(2 * x - 1).numpy(), np.float32)


def load_inception(path: Path) -> Inception:
    """Read the user's weights; refuses what has another layout."""
    with torch.device("meta"):
        layout = _Network().state_dict()
    return Inception(read_state(path, layout, "FID's Inception", ADVICE))


class _Conv(nn.Module):
    def __init__(self, inside: int, outside: int, kernel: Any, **more: Any) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inside, outside, kernel, bias=False, **more)
        self.bn = nn.BatchNorm2d(outside, eps=EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        return nnf.relu(self.bn(self.conv(x)))


def _around(x: Tensor) -> Tensor:
    """The mean of the neighbours inside the picture."""
    return nnf.avg_pool2d(x, 3, 1, 1, count_include_pad=False)


class _BlockA(nn.Module):
    def __init__(self, inside: int, pooled: int) -> None:
        super().__init__()
        self.branch1x1 = _Conv(inside, 64, 1)
        self.branch5x5_1 = _Conv(inside, 48, 1)
        self.branch5x5_2 = _Conv(48, 64, 5, padding=2)
        self.branch3x3dbl_1 = _Conv(inside, 64, 1)
        self.branch3x3dbl_2 = _Conv(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = _Conv(96, 96, 3, padding=1)
        self.branch_pool = _Conv(inside, pooled, 1)

    def forward(self, x: Tensor) -> Tensor:
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        five = self.branch5x5_2(self.branch5x5_1(x))
        return torch.cat([self.branch1x1(x), five, double, self.branch_pool(_around(x))], 1)


class _BlockB(nn.Module):
    def __init__(self, inside: int) -> None:
        super().__init__()
        self.branch3x3 = _Conv(inside, 384, 3, stride=2)
        self.branch3x3dbl_1 = _Conv(inside, 64, 1)
        self.branch3x3dbl_2 = _Conv(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = _Conv(96, 96, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch3x3(x), double, nnf.max_pool2d(x, 3, 2)], 1)


class _BlockC(nn.Module):
    def __init__(self, inside: int, middle: int) -> None:
        super().__init__()
        wide: dict[str, Any] = {"kernel": (1, 7), "padding": (0, 3)}
        high: dict[str, Any] = {"kernel": (7, 1), "padding": (3, 0)}
        self.branch1x1 = _Conv(inside, 192, 1)
        self.branch7x7_1 = _Conv(inside, middle, 1)
        self.branch7x7_2 = _Conv(middle, middle, **wide)
        self.branch7x7_3 = _Conv(middle, 192, **high)
        self.branch7x7dbl_1 = _Conv(inside, middle, 1)
        self.branch7x7dbl_2 = _Conv(middle, middle, **high)
        self.branch7x7dbl_3 = _Conv(middle, middle, **wide)
        self.branch7x7dbl_4 = _Conv(middle, middle, **high)
        self.branch7x7dbl_5 = _Conv(middle, 192, **wide)
        self.branch_pool = _Conv(inside, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        seven = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        double = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        double = self.branch7x7dbl_5(self.branch7x7dbl_4(double))
        return torch.cat([self.branch1x1(x), seven, double, self.branch_pool(_around(x))], 1)


class _BlockD(nn.Module):
    def __init__(self, inside: int) -> None:
        super().__init__()
        self.branch3x3_1 = _Conv(inside, 192, 1)
        self.branch3x3_2 = _Conv(192, 320, 3, stride=2)
        self.branch7x7x3_1 = _Conv(inside, 192, 1)
        self.branch7x7x3_2 = _Conv(192, 192, (1, 7), padding=(0, 3))
        self.branch7x7x3_3 = _Conv(192, 192, (7, 1), padding=(3, 0))
        self.branch7x7x3_4 = _Conv(192, 192, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        seven = self.branch7x7x3_2(self.branch7x7x3_1(x))
        seven = self.branch7x7x3_4(self.branch7x7x3_3(seven))
        three = self.branch3x3_2(self.branch3x3_1(x))
        return torch.cat([three, seven, nnf.max_pool2d(x, 3, 2)], 1)


class _BlockE(nn.Module):
    def __init__(self, inside: int, largest: bool) -> None:
        super().__init__()
        self._largest = largest  # the last block pools by the maximum, as the paper's code
        self.branch1x1 = _Conv(inside, 320, 1)
        self.branch3x3_1 = _Conv(inside, 384, 1)
        self.branch3x3_2a = _Conv(384, 384, (1, 3), padding=(0, 1))
        self.branch3x3_2b = _Conv(384, 384, (3, 1), padding=(1, 0))
        self.branch3x3dbl_1 = _Conv(inside, 448, 1)
        self.branch3x3dbl_2 = _Conv(448, 384, 3, padding=1)
        self.branch3x3dbl_3a = _Conv(384, 384, (1, 3), padding=(0, 1))
        self.branch3x3dbl_3b = _Conv(384, 384, (3, 1), padding=(1, 0))
        self.branch_pool = _Conv(inside, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        """All branches of (N, inside, h, w), one after another: (N, 2048, h, w)."""
        three = self.branch3x3_1(x)
        double = self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        pooled = nnf.max_pool2d(x, 3, 1, 1) if self._largest else _around(x)
        parts = [self.branch1x1(x), self.branch3x3_2a(three), self.branch3x3_2b(three)]
        parts += [self.branch3x3dbl_3a(double), self.branch3x3dbl_3b(double)]
        return torch.cat([*parts, self.branch_pool(pooled)], 1)


class _Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = _Conv(3, 32, 3, stride=2)
        self.Conv2d_2a_3x3 = _Conv(32, 32, 3)
        self.Conv2d_2b_3x3 = _Conv(32, 64, 3, padding=1)
        self.Conv2d_3b_1x1 = _Conv(64, 80, 1)
        self.Conv2d_4a_3x3 = _Conv(80, 192, 3)
        self.Mixed_5b, self.Mixed_5c = _BlockA(192, 32), _BlockA(256, 64)
        self.Mixed_5d = _BlockA(288, 64)
        self.Mixed_6a = _BlockB(288)
        self.Mixed_6b, self.Mixed_6c = _BlockC(768, 128), _BlockC(768, 160)
        self.Mixed_6d, self.Mixed_6e = _BlockC(768, 160), _BlockC(768, 192)
        self.Mixed_7a = _BlockD(768)
        self.Mixed_7b, self.Mixed_7c = _BlockE(1280, False), _BlockE(2048, True)
        self.fc = nn.Linear(FEATURES, CLASSES)  # in the file, not used

    def features(self, x: Tensor) -> Tensor:
        """Pictures (B, 3, 299, 299) in -1..1 -> pooled features (B, 2048)."""
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(nnf.max_pool2d(x, 3, 2)))
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(nnf.max_pool2d(x, 3, 2))))
        x = self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x)))
        x = self.Mixed_7a(self.Mixed_6e(self.Mixed_6d(x)))
        x = self.Mixed_7c(self.Mixed_7b(x))
        return x.mean((2, 3))
