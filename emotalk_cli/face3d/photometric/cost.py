"""How unlike a drawn face and its picture are, as a differentiable function of coefficients."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.face3d.fitting.points import inter_ocular
from emotalk_cli.face3d.photometric.appearance import Appearance
from emotalk_cli.face3d.photometric.face_patch import FacePatch, Picture, Placed

if TYPE_CHECKING:
    import torch

    from emotalk_cli import parts

Double = NDArray[np.float64]

COLOUR_ERROR = 0.04
"""Standard error of a colour in 0..1: sensor, compression, what the light model leaves out."""
HUBER = 0.12
"""Differences of colour beyond this count linearly: hair, glasses, shadows."""
EFFECTIVE_PIXELS = 800.0
"""Neighbouring pixels err together: all of a face's say as much as so many independent ones."""
MARK_ERROR = 0.01
"""Standard error of how a landmark may move, as a share of the distance between the eyes."""
EFFECTIVE_MARKS = 60.0


class FrameCost:
    """Minus the log likelihood of one picture and its landmarks, about a frame of a track."""

    def __init__(
        self,
        patch: FacePatch,
        rasteriser: parts.DifferentiableRasteriser,
        picture: Picture,
        camera: NDArray[np.float32],
        expression: Double,
        head_pose: Double,
        look: Appearance,
    ) -> None:
        """Expression (E,) and head_pose (6,): where the frame stands."""
        import torch

        self._patch, self._rasteriser, self._picture = patch, rasteriser, picture
        self._camera = camera
        self._expression, self._pose = torch.tensor(expression), torch.tensor(head_pose)
        self._albedo, self._light = torch.tensor(look.albedo), torch.tensor(look.light)
        placed = self._placed(None, None, None)
        self.visible, self.pixels = patch.seen(placed, rasteriser, picture.image.shape[:2])
        self.xy, self.normals = placed.xy.numpy(), placed.normals.numpy()
        self._marks = placed.marks
        self._eyes_px = max(float(inter_ocular(placed.marks.numpy().astype(np.float32))), 1.0)

    def of(
        self,
        expression_step: torch.Tensor | None,
        pose_step: torch.Tensor | None,
        shape_step: torch.Tensor | None,
    ) -> torch.Tensor:
        """The cost of steps (E,), (6,) and (S,) from where the frame stands."""
        placed = self._placed(expression_step, pose_step, shape_step)
        gap = (placed.marks - self._marks) / (MARK_ERROR * self._eyes_px)
        marks = 0.5 * EFFECTIVE_MARKS * (gap * gap).sum(dim=1).mean()
        return self._unlikeness(placed) + marks

    def colour_error(self, pixels: Double | None = None) -> float:
        """Mean difference of colours, 0..1, where the frame stands, in its or other pixels."""
        weights = self.pixels if pixels is None else pixels
        drawn = self._drawn(self._placed(None, None, None)).detach().numpy()
        gap = np.abs(drawn - self._picture.image).mean(axis=-1)
        return float((weights * gap).sum() / max(weights.sum(), 1e-9))

    def _placed(self, expression: Any, pose: Any, shape: Any) -> Placed:
        return self._patch.place(
            self._expression if expression is None else self._expression + expression,
            self._pose if pose is None else self._pose + pose,
            self._camera,
            self._picture,
            shape,
        )

    def _drawn(self, placed: Placed) -> torch.Tensor:
        x, y, z = placed.normals.unbind(dim=1)
        import torch

        rows = [torch.ones_like(x), x, y, z, x * y, x * z, y * z, x * x - y * y, 3 * z * z - 1]
        colours = self._albedo * (torch.stack(rows, dim=1) @ self._light)
        drawn: torch.Tensor = _draw()(
            placed.xy, placed.depth, colours, self._rasteriser, self._picture.image
        )
        return drawn

    def _unlikeness(self, placed: Placed) -> torch.Tensor:
        import torch

        target, weights = torch.tensor(self._picture.image), torch.tensor(self.pixels)
        gap = (self._drawn(placed) - target).abs()
        robust = torch.where(gap < HUBER, 0.5 * gap * gap, HUBER * (gap - 0.5 * HUBER))
        mean = (weights[..., None] * robust).sum() / (3.0 * weights.sum()).clamp(min=1e-9)
        return EFFECTIVE_PIXELS * mean / COLOUR_ERROR**2


@functools.cache
def _draw() -> Callable[..., Any]:
    """The rasteriser as an operation of torch."""
    import torch

    class Draw(torch.autograd.Function):
        """Vertices in the picture and their colours -> the picture, and gradients back."""

        @staticmethod
        def forward(
            ctx: Any, xy: Any, depth: Any, colours: Any, rasteriser: Any, ground: Any
        ) -> Any:
            """The picture over the ground; the rasteriser is kept for the way back."""
            ctx.rasteriser = rasteriser
            picture = rasteriser.draw(
                xy.detach().numpy(), depth.detach().numpy(), colours.detach().numpy(), ground
            )
            return torch.tensor(picture)

        @staticmethod
        def backward(ctx: Any, *gradients: Any) -> Any:
            by_xy, by_colours = ctx.rasteriser.trace(gradients[0].numpy())
            return torch.tensor(by_xy), None, torch.tensor(by_colours), None, None

    return Draw.apply


def lowest(
    costs: Sequence[Callable[[torch.Tensor], torch.Tensor]],
    start: Double,
    steps: int,
    low: Double | None = None,
    high: Double | None = None,
) -> Double:
    """The lowest place (N,) of the summed costs that L-BFGS-B finds from `start` in so many steps.

    A place x has the prior x'x / 2.
    Each cost draws one picture and is traced back before the next is drawn. low, high (N,): bounds.
    Byrd, Lu, Nocedal and Zhu, "A limited memory algorithm for bound constrained optimization",
    SIAM J. Scientific Computing 1995.
    """
    import torch
    from scipy.optimize import Bounds, minimize

    def value_and_slope(x: Double) -> tuple[float, Double]:
        """The summed costs and the prior at a place, and their gradient."""
        total, slope = 0.5 * float(x @ x), x.copy()
        place = torch.tensor(x, requires_grad=True)
        for cost in costs:
            value = cost(place)
            total += float(value.detach())
            slope += torch.autograd.grad(value, place)[0].numpy()
        return total, slope

    bounds = None if low is None or high is None else Bounds(low, high)
    found = minimize(
        value_and_slope,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={"maxiter": steps, "maxfun": 2 * steps},
    )
    return np.asarray(found.x, np.float64)
