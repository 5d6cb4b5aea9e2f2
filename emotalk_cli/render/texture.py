"""The texture that all layers read: the photo over the background, and the lips' own patches."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from emotalk_cli.render.projection import f32

Float = NDArray[np.float32]
UInt8 = NDArray[np.uint8]

MARGIN_SHARE = 0.06
"""The photo is continued so far beyond its borders, over its longer side."""

EDGE_BLUR, GRAIN_BLUR = 0.25, 0.08
"""Blur of the border's colours there, and what is finer than which is grain, over that margin."""
BLUR_STEPS = 3.0
"""Samples per standard deviation of the first blur."""
EDGE_SHARE, NEAR_SHARE = 0.6, 0.15
"""Within these shares of it the colours become soft, and the mirror image ends but for grain."""


@dataclass(frozen=True)
class Texture:
    """One RGBA picture, colour times alpha: the photo with a margin; below it two
    patches, copies of the photo's `box` that may be changed while the photo stays.

    pixels: (Ht, Wt, 4) float32 in 0..255. margin_px: where the photo starts. box: (x0, y0, x1,
    y1) px of the patches in the photo. corners: (3, 2) px, what to add to a photo position to read
    the photo (row 0) or one of the patches (rows 1, 2).
    """

    pixels: Float
    margin_px: int
    box: tuple[int, int, int, int]
    corners: Float

    def patch(self, number: int) -> Float:
        """The pixels (h, w, 4) of patch 1 or 2; write into them to change it."""
        x0, y0, x1, y1 = self.box
        left, top = (int(c) for c in self.corners[number] + f32([x0, y0]))
        return self.pixels[top : top + y1 - y0, left : left + x1 - x0]

    def window(self, box: tuple[int, int, int, int]) -> Float:
        """The pixels of a box (x0, y0, x1, y1) px of the photo itself."""
        x0, y0, x1, y1 = (b + self.margin_px for b in box)
        return self.pixels[y0:y1, x0:x1]


def make_texture(
    photo: UInt8, ground: UInt8, matte: Float | None, box: tuple[int, int, int, int]
) -> Texture:
    """Cut the person out of the photo (H, W, 3) so that laid over `ground` it is the photo again.

    In the matting equation I = F a + (1 - a) B, this keeps F a = I - (1 - a) B, exact for any
    matte; where that would be negative the matte is raised.
    """
    height, width = photo.shape[:2]
    image = photo.astype(np.float32)
    alpha = np.ones((height, width), np.float32)
    if matte is not None:
        least = 1.0 - (image / np.maximum(ground.astype(np.float32), 1.0)).min(axis=2)
        alpha = np.where(matte > 0.0, np.maximum(matte, least), 0.0).astype(np.float32)
    front = image - (1.0 - alpha[..., None]) * ground
    whole = np.concatenate([front, 255.0 * alpha[..., None]], axis=2)
    whole = np.clip(whole, 0, 255).astype(np.float32)
    margin = round(max(width, height) * MARGIN_SHARE)
    whole = _with_margin(whole, margin)
    x0, y0, x1, y1 = box
    across, down = max(whole.shape[1], 2 * (x1 - x0)), whole.shape[0] + (y1 - y0)
    pixels = np.zeros((down, across, 4), np.float32)
    pixels[: whole.shape[0], : whole.shape[1]] = whole
    below = whole.shape[0] - y0
    corners = f32([[margin, margin], [-x0, below], [x1 - 2 * x0, below]])
    texture = Texture(pixels, margin, box, corners)
    for number in (1, 2):
        texture.patch(number)[:] = texture.window(box)
    return texture


def _with_margin(pixels: Float, margin: int) -> Float:
    """Pixels (H, W, 4) continued beyond the border by what touches it, ever softer, with the grain
    of their mirror image.

    A head that ends just below the picture's edge has no second one above it, and an ear beside
    the edge no second one beyond it.
    """
    sides = (margin, margin, margin, margin)
    mirrored = cv2.copyMakeBorder(pixels, *sides, cv2.BORDER_REFLECT_101)
    edge = cv2.copyMakeBorder(pixels, *sides, cv2.BORDER_REPLICATE)
    inside = np.zeros(mirrored.shape[:2], np.uint8)
    inside[margin:-margin, margin:-margin] = 1
    beyond = cv2.distanceTransform(1 - inside, cv2.DIST_L2, 3)[..., None] / margin
    outside = (1 - inside).astype(np.float32)[..., None]
    soft = _blurred_border(edge, outside, max(1.0, EDGE_BLUR * margin))
    edge += outside * np.clip(beyond / EDGE_SHARE, 0.0, 1.0) * (soft - edge)
    size = 2 * max(1, round(GRAIN_BLUR * margin)) + 1
    grain = mirrored - cv2.blur(mirrored, (size, size))
    share = np.minimum(1.0, edge[..., 3:] / np.maximum(mirrored[..., 3:], 1e-3))
    grown = edge + share * grain
    grown[..., 3] = edge[..., 3]
    near = np.clip(beyond / NEAR_SHARE, 0.0, 1.0)
    return f32(np.clip(share * mirrored * (1.0 - near) + grown * near, 0.0, 255.0))


def _blurred_border(edge: Float, outside: Float, sigma_px: float) -> Float:
    """Pixels (H, W, 4) blurred among those that are outside (H, W, 1): on a smaller picture."""
    height, width = edge.shape[:2]
    factor = max(1.0, sigma_px / BLUR_STEPS)
    size = (max(1, round(width / factor)), max(1, round(height / factor)))
    colours = cv2.resize(edge * outside, size, interpolation=cv2.INTER_AREA)
    weights = cv2.resize(outside, size, interpolation=cv2.INTER_AREA)
    colours = cv2.GaussianBlur(colours, (0, 0), sigma_px / factor)
    weights = cv2.GaussianBlur(weights, (0, 0), sigma_px / factor)[..., None]
    small = f32(colours / np.maximum(weights, 1e-6))
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR))
