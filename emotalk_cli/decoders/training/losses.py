"""The loss: coefficients, their speed, the lips in millimetres, and lips that are closed."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from emotalk_cli.decoders.lips.mouth import Mouth
from emotalk_cli.decoders.spec import Spec
from emotalk_cli.decoders.training.config import Losses

MM = 1000.0
CLOSED_GAP_MM = 1.5
"""Above the gap at rest; where the true lips are nearer than that, they count as closed."""


class MotionLoss:
    """Compares predicted with true motion, both normalised (B, T, D).

    `basis` (L, K, 3): what each lip unit adds to the lips' landmarks, m. The emotion decoder has
    no lips; its loss has the first two terms only.
    """

    def __init__(self, spec: Spec, weights: Losses, basis: NDArray[np.float32]) -> None:
        self._weights = weights
        self._lips = 0 if spec.group == "emo" else len(spec.lip_units)
        scale = torch.tensor(spec.output_scale[: self._lips])
        mouth: Mouth = spec.mouth
        self._rest_mm = mouth.rest_m * MM
        opening = torch.tensor(mouth.opening_m, dtype=torch.float32)[: self._lips]
        self._opening_mm = scale * opening * MM
        self._mean_gap_mm = float(
            (torch.tensor(spec.output_mean[: self._lips]) * opening).sum() * MM + self._rest_mm
        )
        flat = torch.from_numpy(basis.reshape(len(basis), -1))[: self._lips]
        self._basis_mm = scale[:, None] * flat * MM

    def to(self, device: torch.device) -> MotionLoss:
        """Move what it needs to a device."""
        self._opening_mm = self._opening_mm.to(device)
        self._basis_mm = self._basis_mm.to(device)
        return self

    def gap_mm(self, x: Tensor) -> Tensor:
        """Normalised motion (B, T, D) -> inner-lip gap (B, T, 1) in mm."""
        return self._mean_gap_mm + (x[..., : self._lips] @ self._opening_mm)[..., None]

    def largest_lip_error_mm2(self, error: Tensor) -> Tensor:
        """Normalised error (B, T, D) -> largest squared error of a lip landmark (B, T), mm^2."""
        moved = error[..., : self._lips] @ self._basis_mm
        squares = (moved**2).reshape(*moved.shape[:-1], -1, 3).sum(-1)
        return squares.amax(-1)

    def terms(self, predicted: Tensor, true: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """Each term as a sum over the masked frames (B, T, 1), already weighted."""
        w = self._weights
        error = predicted - true
        both = mask[:, 1:] * mask[:, :-1]
        sums = {
            "coefficients": w.coefficients * (mask * error**2).mean(-1).sum(),
            "velocity": w.velocity * (both * error.diff(dim=1) ** 2).mean(-1).sum(),
        }
        if self._lips:
            lips = error[..., : self._lips]
            landmarks = (mask * (lips @ self._basis_mm) ** 2).mean(-1)
            gap = self.gap_mm(true)
            closed = torch.sigmoid(4 * (self._rest_mm + CLOSED_GAP_MM - gap))
            gap_error = (lips @ self._opening_mm)[..., None] ** 2
            sums["landmarks"] = w.landmarks * 3 * landmarks.sum()
            sums["gap"] = w.gap * (mask * (1 + w.closure * closed) * gap_error).sum()
        return sums
