"""LPIPS: how different two pictures look, with the user's own copy of AlexNet's weights.

Zhang et al., The unreasonable effectiveness of deep features as a perceptual metric, CVPR 2018,
version 0.1. The weights of its last layers come with torchmetrics; AlexNet's do not.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emotalk_cli.errors import EmotalkError
from emotalk_cli.metrics.weights_file import read_state

if TYPE_CHECKING:
    import torch

SHIFT = (-0.030, -0.088, -0.188)
SCALE = (0.458, 0.448, 0.450)
"""Colours in -1..1 -> as AlexNet learned them."""
TAPS = (1, 4, 7, 9, 11)
"""After these layers of AlexNet's features is looked."""
EPSILON = 1e-10
LINEAR_LAYERS = "functional/image/lpips_models/alex.pth"
ADVICE = "Give torchvision's public file alexnet-owt-7be5be79.pth."


class PerceptualDistance:
    """Distance of two pictures in AlexNet's features, weighted as people judge."""

    def __init__(self, state: dict[str, torch.Tensor], linear: dict[str, torch.Tensor]) -> None:
        """`state`: AlexNet; `linear`: lin0.model.1.weight to lin4.model.1.weight, (1, C, 1, 1)."""
        import torch

        self._features = _features().eval().requires_grad_(False)
        inside = {k.partition(".")[2]: v for k, v in state.items() if k.startswith("features.")}
        self._features.load_state_dict(inside)
        self._linear = [linear[f"lin{n}.model.1.weight"] for n in range(len(TAPS))]
        self._shift = torch.tensor(SHIFT).view(1, 3, 1, 1)
        self._scale = torch.tensor(SCALE).view(1, 3, 1, 1)

    def __call__(self, one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        """Pictures (B, 3, H, W) float32 in 0..255 -> distance of each pair (B,)."""
        import torch

        total = torch.zeros(len(one))
        x = torch.cat([one, other]) / 127.5 - 1
        x = (x - self._shift) / self._scale
        taps = iter(zip(TAPS, self._linear, strict=True))
        tap, weight = next(taps)
        for number, layer in enumerate(self._features):
            x = layer(x)
            if number == tap:
                unit = x / (x.square().sum(1, keepdim=True).sqrt() + EPSILON)
                first, second = unit.chunk(2)
                total = total + ((first - second).square() * weight).sum(1).mean((1, 2))
                tap, weight = next(taps, (-1, weight))
        return total


def load_lpips(path: Path) -> PerceptualDistance:
    """Read the user's AlexNet and torchmetrics' last layers; refuses what has another layout."""
    import torch

    found = find_spec("torchmetrics")
    lines = Path(str(found.origin)).parent / LINEAR_LAYERS if found else Path()
    if not lines.is_file():
        raise EmotalkError(
            "This version of torchmetrics lacks LPIPS's last layers.",
            "Install torchmetrics 1.4 or newer.",
        )
    linear = torch.load(lines, map_location="cpu", weights_only=True)
    return PerceptualDistance(read_state(path, _layout(), "AlexNet", ADVICE), linear)


def _layout() -> dict[str, torch.Tensor]:
    """Names and shapes of all of AlexNet's weights; those of its classes are in the file too."""
    import torch
    from torch import nn

    with torch.device("meta"):
        classes = [nn.Dropout(), nn.Linear(9216, 4096), nn.ReLU()]
        classes += [nn.Dropout(), nn.Linear(4096, 4096), nn.ReLU(), nn.Linear(4096, 1000)]
        parts = {"features": _features(), "classifier": nn.Sequential(*classes)}
        return nn.ModuleDict(parts).state_dict()


def _features() -> Any:
    """AlexNet (Krizhevsky, One weird trick, 2014) up to its classes, as torchvision builds it."""
    from torch import nn

    def conv(inside: int, outside: int, kernel: int, stride: int, padding: int) -> list[nn.Module]:
        return [nn.Conv2d(inside, outside, kernel, stride, padding), nn.ReLU()]

    return nn.Sequential(
        *conv(3, 64, 11, 4, 2),
        nn.MaxPool2d(3, 2),
        *conv(64, 192, 5, 1, 2),
        nn.MaxPool2d(3, 2),
        *conv(192, 384, 3, 1, 1),
        *conv(384, 256, 3, 1, 1),
        *conv(256, 256, 3, 1, 1),
        nn.MaxPool2d(3, 2),
    )
