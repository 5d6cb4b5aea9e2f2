"""Folds of a smile: the photo's creases from nose to chin fade as its smile is taken back."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from emotalk_cli.parts import FaceGeometry
from emotalk_cli.render.projection import f32
from emotalk_cli.render.registration import SMILES
from emotalk_cli.render.texture import Texture

Float = NDArray[np.float32]

FINE_SHARE, COARSE_SHARE = 0.010, 0.20
"""Folds are what lies between these two scales, over the distance of the irises."""
MAX_CHANGE = 0.75
"""Most that a fold's light may be changed by, as a natural logarithm: moles are darker."""
STRENGTH = 0.95
SMILE_FROM, SMILE_FULL = 0.25, 0.65
"""From a photo's smile of the first strength on folds are its smile's, from the second all."""
CHEEKS = (
    (129, 209, 126, 142, 36, 205, 187, 192, 214, 210, 211, 204, 202, 43, 61, 40, 39, 37, 164, 98),
    (358, 429, 355, 371, 266, 425, 411, 416, 434, 430, 431, 424, 422, 273, 291, 270, 269, 267, 164,
     327),
)  # fmt: skip
"""MediaPipe's landmarks around each cheek's folds, between nose, cheek, chin and lips."""
LIPS = (
    61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146,
)  # fmt: skip
NOSE = (129, 49, 131, 134, 51, 5, 281, 363, 360, 279, 358, 327, 326, 2, 97, 98)
LIP_MARGIN_SHARE = 0.02
"""The change keeps this far from lips and nose."""
IRISES = (468, 473)
BORDER_SHARE = 0.12
"""How softly the change begins at the border of the cheeks."""
DARKEST = 4.0
"""Colour level below which nothing is known about the light."""


class SmileFolds:
    """Takes the folds out of the photo's texture by as much as its smile is gone.

    The light of the skin without its band of middle scales, over its light with it: a ratio image
    (Liu, Shan and Zhang, SIGGRAPH 2001) of the same person. Pores and colour stay.
    """

    def __init__(
        self, model: FaceGeometry, texture: Texture, landmarks: Float, still: Float
    ) -> None:
        """landmarks: (478, 2) px in the photo. still: (E,) the photo's expression."""
        names = model.expression_names
        self._smiles = [names.index(name) for name in SMILES if name in names]
        self._still = float(still[self._smiles].mean()) if self._smiles else 0.0
        share = (self._still - SMILE_FROM) / (SMILE_FULL - SMILE_FROM)
        self._strength = STRENGTH * float(np.clip(share, 0.0, 1.0))
        if self._strength == 0.0:
            return
        eyes_px = float(np.linalg.norm(landmarks[IRISES[1], :2] - landmarks[IRISES[0], :2]))
        reach = round(4 * COARSE_SHARE * eyes_px)
        around = landmarks[[i for cheek in CHEEKS for i in cheek], :2]
        height = int(texture.corners[1, 1] + texture.box[1]) - 2 * texture.margin_px
        width = texture.pixels.shape[1] - 2 * texture.margin_px
        x0, y0 = (int(v) for v in np.maximum(np.floor(around.min(axis=0)) - reach, 0))
        x1, y1 = (int(v) for v in np.minimum(np.ceil(around.max(axis=0)) + reach, [width, height]))
        photo = texture.window((x0, y0, x1, y1))
        change, core = _change(photo, landmarks[:, :2] - f32([x0, y0]), eyes_px)
        rows, columns = np.flatnonzero(core.any(axis=1)), np.flatnonzero(core.any(axis=0))
        a, b, c, d = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
        self._window = texture.window((x0 + c, y0 + a, x0 + d, y0 + b))
        self._photo = photo[a:b, c:d, :3].copy()
        self._change = np.ascontiguousarray(change[a:b, c:d])
        self._last = 0.0

    def update(self, expression: Float) -> bool:
        """Show the folds that are left at an expression (E,); tells whether that changed much."""
        if self._strength == 0.0:
            return False
        gone = 1.0 - float(expression[self._smiles].mean()) / self._still
        amount = self._strength * float(np.clip(gone, 0.0, 1.0))
        if abs(amount - self._last) < 0.01 and (amount > 0.0) == (self._last > 0.0):
            return False
        self._last = amount
        self._window[..., :3] = self._photo * (1.0 + amount * self._change)
        return True


def _change(photo: Float, points: Float, eyes_px: float) -> tuple[Float, NDArray[np.bool_]]:
    """What to add to 1 as the factor (h, w, 3) on the photo (h, w, 4), and where it is not 0."""
    shape = photo.shape[:2]
    cheeks, out = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    for cheek in CHEEKS:
        cv2.fillPoly(cheeks, [np.round(points[list(cheek)]).astype(np.int32)], 1)
    for part in (LIPS, NOSE):
        cv2.fillPoly(out, [np.round(points[list(part)]).astype(np.int32)], 1)
    edge = max(1, round(LIP_MARGIN_SHARE * eyes_px))
    out = cv2.dilate(out, np.ones((2 * edge + 1, 2 * edge + 1), np.uint8))
    skin = (out == 0).astype(np.float32) * (photo[..., 3] / 255.0)
    # Folds are redder than the skin beside them, so each colour has its own ratio.
    level = np.log(np.maximum(photo[..., :3], DARKEST))
    fine = _blur(level, skin, FINE_SHARE * eyes_px)
    coarse = _blur(level, skin, COARSE_SHARE * eyes_px)
    soft = max(1.0, BORDER_SHARE * eyes_px)
    inside = cv2.distanceTransform(cheeks * (skin > 0.99).astype(np.uint8), cv2.DIST_L2, 3) / soft
    weight = np.clip(inside, 0.0, 1.0)
    ratio = coarse - fine
    # All colours are held back alike, or what is left would be coloured.
    ratio *= np.minimum(1.0, MAX_CHANGE / (np.abs(ratio).max(axis=2, keepdims=True) + 1e-6))
    change = np.expm1(ratio) * weight[..., None]
    return f32(change), weight > 0.0


def _blur(values: Float, weight: Float, sigma: float) -> Float:
    """Gaussian means of values (h, w, C) over what has weight (h, w)."""
    total = cv2.GaussianBlur(values * weight[..., None], (0, 0), sigma)
    weights = np.maximum(cv2.GaussianBlur(weight, (0, 0), sigma), 1e-3)
    return f32(total / weights[..., None])
