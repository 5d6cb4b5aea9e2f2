"""One eye in the photo: its landmarks, its own axes, and the opening between its lids."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from emotalk_cli.render.projection import f32

Float = NDArray[np.float32]

BOX_SHARES = (0.75, 0.85, 0.68)
"""What is painted reaches so far beside, above and below the eye's middle, over its width."""


@dataclass(frozen=True)
class EyePoints:
    """MediaPipe's landmarks of one eye, from the picture's left to its right."""

    upper: tuple[int, ...]
    lower: tuple[int, ...]
    brow: tuple[int, ...]
    iris: int


EYES = (
    EyePoints(
        (33, 246, 161, 160, 159, 158, 157, 173, 133),
        (33, 7, 163, 144, 145, 153, 154, 155, 133),
        (46, 53, 52, 65, 55),
        468,
    ),
    EyePoints(
        (362, 398, 384, 385, 386, 387, 388, 466, 263),
        (362, 382, 381, 380, 374, 373, 390, 249, 263),
        (285, 295, 282, 283, 276),
        473,
    ),
)


def eye_box(first: Float, last: Float) -> tuple[int, int, int, int]:
    """The part (x0, y0, x1, y1) px of the photo painted for an eye with these corners (2,) px."""
    middle, width = 0.5 * (first + last), float(np.linalg.norm(last - first))
    beside, above, below = (share * width + 2 for share in BOX_SHARES)
    x0, y0 = np.floor(middle - f32([beside, above])).astype(int)
    x1, y1 = np.ceil(middle + f32([beside, below])).astype(int)
    return int(x0), int(y0), int(x1), int(y1)


class EyeOpening:
    """The box around one eye, with every pixel's place in the eye's own axes.

    box: (x0, y0, x1, y1) px in the photo. width: px from corner to corner. along, up: (2,) the
    axes in the picture. s, n: (h, w) px along and up from the first corner. upper, lower, brow:
    (h, w) px, how high the lids' margins and the brow stand at each pixel's place along. gap:
    (h, w) px from lid to lid; shape: the same over its most.
    """

    def __init__(self, eye: EyePoints, landmarks: Float, size: tuple[int, int]) -> None:
        """landmarks: (478, 2) px in a photo of this width and height."""
        upper, lower = landmarks[list(eye.upper)], landmarks[list(eye.lower)]
        axis = upper[-1] - upper[0]
        self.width = float(np.linalg.norm(axis))
        self.along = (axis / self.width).astype(np.float32)
        self.up = f32([self.along[1], -self.along[0]])
        x0, y0, x1, y1 = eye_box(upper[0], upper[-1])
        self.box = (max(x0, 0), max(y0, 0), min(x1, size[0]), min(y1, size[1]))
        self.s, self.n = self._local(upper[0])
        self.upper = _curve(self._in_axes(upper, upper[0]), self.s)
        self.lower = np.minimum(_curve(self._in_axes(lower, upper[0]), self.s), self.upper)
        self.gap = self.upper - self.lower
        self.shape = self.gap / max(float(self.gap.max()), 1e-3)
        brow = self._in_axes(landmarks[list(eye.brow)], upper[0])
        self.brow = f32(np.interp(self.s, brow[:, 0], brow[:, 1]))
        rows, columns = self.s.shape
        self._x, self._y = np.meshgrid(
            np.arange(columns, dtype=np.float32), np.arange(rows, dtype=np.float32)
        )

    def cover(self, upper: Float, lower: Float, inset: float) -> Float:
        """Coverage (h, w) of what lies between two margins, px softly."""
        soft = np.clip(upper - self.n + 0.5 - inset, 0.0, 1.0)
        return np.asarray(soft * np.clip(self.n - lower + 0.5 - inset, 0.0, 1.0), np.float32)

    def drawn_along(self, picture: Float, move: Float) -> Float:
        """A picture (h, w, C) of the box read `move` (h, w) px further up at every pixel."""
        return f32(
            cv2.remap(
                picture,
                (self._x + move * self.up[0]).astype(np.float32),
                (self._y + move * self.up[1]).astype(np.float32),
                cv2.INTER_CUBIC,
                borderMode=cv2.BORDER_REPLICATE,
            )
        )

    def _local(self, corner: Float) -> tuple[Float, Float]:
        x0, y0, x1, y1 = self.box
        grid = np.stack(np.meshgrid(np.arange(x0, x1) + 0.5, np.arange(y0, y1) + 0.5), -1)
        local = (grid - corner).astype(np.float32)
        return local @ self.along, local @ self.up

    def _in_axes(self, points: Float, corner: Float) -> Float:
        local = points - corner
        return np.stack([local @ self.along, local @ self.up], axis=1)


def _curve(points: Float, s: Float) -> Float:
    """A smooth curve through points (N, 2), read at s (h, w); constant beyond its ends."""
    order = np.argsort(points[:, 0])
    at, height = points[order, 0].astype(np.float64), points[order, 1]
    at = np.maximum.accumulate(at + 1e-3 * np.arange(len(at)))
    inside = np.clip(s, at[0], at[-1])
    return np.asarray(PchipInterpolator(at, height)(inside), np.float32)
