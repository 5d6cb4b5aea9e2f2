"""Folds of a smile: the photo's creases from nose to chin fade as its smile is taken back."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from emotalk_cli.parts import FaceGeometry
from emotalk_cli.render.backdrop import fill_smoothly
from emotalk_cli.render.eyes import eye_box
from emotalk_cli.render.projection import f32
from emotalk_cli.render.registration import FACE_OVAL, SMILES
from emotalk_cli.render.texture import Texture

Float = NDArray[np.float32]

FINE_SHARE, COARSE_SHARE = 0.010, 0.20
"""Folds are what lies between these two scales, over the distance of the irises."""
MAX_CHANGE = 1.0
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
EYE_CORNERS = ((33, 133), (362, 263))
"""What is painted for the eyes stays as the photo shows it."""
LIPS = (
    61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146,
)  # fmt: skip
NOSE = (129, 49, 131, 134, 51, 5, 281, 363, 360, 279, 358, 327, 326, 2, 97, 98)
CORNERS = ((61, 78), (291, 308))
"""Outer and inner landmark of each corner of the mouth."""
CORNER_SHARE = 0.14
"""Reach of what is done to the corners, over the distance of the irises."""
LIP_MARGIN_SHARE, LIP_SOFT_SHARE = 0.02, 0.03
"""The change keeps this far from lips and nose, and begins so softly beside them."""
BEARD_FROM = (1.5, 2.3)
"""Areas with this many times the plain skin's detail are more and more taken as beards."""
LEAST_DETAIL = 0.006
"""Detail of skin at least, as a natural logarithm."""
FOLD_SHARE = 0.09
"""Folds are no wider than this, over the distance of the irises."""
SKIN_RANGE = 0.8
"""Skin's colours differ by no more from the cheeks', as natural logarithms."""
IRISES = (468, 473)
GROWN_SHARE, BORDER_SHARE = 0.16, 0.20
"""The change reaches so far beyond those outlines, and begins so softly at its border."""
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
        self._window[..., :3] = self._photo + amount * self._change
        return True


def _change(photo: Float, points: Float, eyes_px: float) -> tuple[Float, NDArray[np.bool_]]:
    """What to add (h, w, 3) to the photo (h, w, 4), and where it is not 0."""
    shape = photo.shape[:2]
    cheeks, out, oval = (np.zeros(shape, np.uint8) for _ in range(3))
    for cheek in CHEEKS:
        cv2.fillPoly(cheeks, [_outline(points, cheek)], 1)
    for part in (LIPS, NOSE):
        cv2.fillPoly(out, [_outline(points, part)], 1)
    cv2.fillPoly(oval, [_outline(points, FACE_OVAL)], 1)
    edge = max(1, round(LIP_MARGIN_SHARE * eyes_px))
    out = cv2.dilate(out, np.ones((2 * edge + 1, 2 * edge + 1), np.uint8))
    skin = ((out == 0) & (oval > 0)).astype(np.float32) * (photo[..., 3] / 255.0)
    # Folds are redder than the skin beside them, so each colour has its own ratio.
    level = np.log(np.maximum(photo[..., :3], DARKEST))
    skin *= _like_skin(level, skin * cheeks, round(FOLD_SHARE * eyes_px))
    fine = _blur(level, skin, FINE_SHARE * eyes_px)
    coarse = _blur(level, skin, COARSE_SHARE * eyes_px)
    grown = round(GROWN_SHARE * eyes_px)
    cheeks = cv2.dilate(cheeks, np.ones((2 * grown + 1, 2 * grown + 1), np.uint8))
    for first, last in EYE_CORNERS:
        x0, y0, x1, y1 = (max(0, v) for v in eye_box(points[first], points[last]))
        cheeks[y0:y1, x0:x1] = 0
    weight = _distance(cheeks, BORDER_SHARE * eyes_px)
    weight *= _distance((skin > 0.99).astype(np.uint8), LIP_SOFT_SHARE * eyes_px)
    # Pores stay; lines that are deeper than those are drawn with the folds.
    detail = level - fine
    weight *= _hairless(detail, skin, weight, eyes_px)
    usual = 2.5 * np.median(np.abs(detail[weight > 0.0])) if (weight > 0.0).any() else 0.0
    ratio = coarse - fine - np.minimum(detail + usual, 0.0)
    # All colours are held back alike, or what is left would be coloured.
    ratio *= np.minimum(1.0, MAX_CHANGE / (np.abs(ratio).max(axis=2, keepdims=True) + 1e-6))
    change = photo[..., :3] * np.expm1(ratio) * weight[..., None]
    corners, near = _corners(photo, points, eyes_px)
    change += near[..., None] * (corners - change)
    return f32(change), (weight > 0.0) | (near > 0.0)


def _outline(points: Float, ids: tuple[int, ...]) -> NDArray[np.int32]:
    return np.asarray(np.round(points[list(ids)]), np.int32)


def _hairless(detail: Float, skin: Float, weight: Float, eyes_px: float) -> Float:
    """1 on plain skin, 0 where a beard grows: over wide areas full of detail (h, w, 3).

    skin: (h, w), 0 in lips and nose, whose edges are no hair.
    """
    if not (weight > 0.5).any():
        return np.ones_like(weight)
    rough = _blur(np.abs(detail), skin, max(1.0, 0.03 * eyes_px)).mean(axis=2)
    rough *= cv2.GaussianBlur(skin, (0, 0), max(1.0, 0.03 * eyes_px)) > 0.05
    size = round(2 * FOLD_SHARE * eyes_px) | 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    rough = cv2.morphologyEx(rough, cv2.MORPH_OPEN, disc)
    usual = max(float(np.quantile(rough[weight > 0.5], 0.25)), LEAST_DETAIL)
    low, high = BEARD_FROM
    bare = np.clip((high - rough / usual) / (high - low), 0.0, 1.0)
    return f32(cv2.GaussianBlur(bare, (0, 0), max(1.0, 0.03 * eyes_px)))


def _distance(mask: NDArray[np.uint8], soft_px: float) -> Float:
    """How deep inside a mask (h, w) each pixel lies, 0 at its border, 1 from `soft_px` on."""
    inside = cv2.distanceTransform(mask, cv2.DIST_L2, 3)
    return f32(np.clip(inside / max(1.0, soft_px), 0.0, 1.0))


def _like_skin(level: Float, cheeks: Float, fold_px: int) -> Float:
    """1 where logarithms of colours (h, w, 3) may be the cheeks' skin, 0 in hair and deep shade.

    What is thinner than `fold_px` may be a fold.
    """
    if not (cheeks > 0.5).any():
        return np.ones_like(cheeks)
    usual = np.median(level[cheeks > 0.5], axis=0)
    far = np.abs(level - usual).max(axis=2)
    other = (far > SKIN_RANGE).astype(np.uint8)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (fold_px | 1, fold_px | 1))
    thick = cv2.morphologyEx(other, cv2.MORPH_OPEN, disc)
    return f32(cv2.dilate(thick, np.ones((5, 5), np.uint8)) == 0)


def _corners(photo: Float, points: Float, eyes_px: float) -> tuple[Float, Float]:
    """The same for the dark corners of a laughing mouth: skin from around them; and how near."""
    near = np.zeros(photo.shape[:2], np.float32)
    for outer, inner in CORNERS:
        at = 0.5 * (points[outer] + points[inner])
        rows, columns = np.mgrid[: near.shape[0], : near.shape[1]]
        away = np.hypot(columns + 0.5 - at[0], rows + 0.5 - at[1]) / (CORNER_SHARE * eyes_px)
        near = np.maximum(near, np.clip(2.0 - 2.0 * away, 0.0, 1.0).astype(np.float32))
    colours = photo[..., :3]
    around = cv2.GaussianBlur(colours, (0, 0), 0.5 * CORNER_SHARE * eyes_px)
    light, usual = colours.mean(axis=2), around.mean(axis=2)
    ring = (near == 0.0) | (light > 0.9 * usual)
    filled = fill_smoothly(colours, ring.astype(np.float32))
    filled = cv2.GaussianBlur(filled, (0, 0), max(0.5, 0.1 * CORNER_SHARE * eyes_px))
    return f32(np.maximum(filled - colours, 0.0)), near


def _blur(values: Float, weight: Float, sigma: float) -> Float:
    """Gaussian means of values (h, w, C) over what has weight (h, w)."""
    total = cv2.GaussianBlur(values * weight[..., None], (0, 0), sigma)
    weights = np.maximum(cv2.GaussianBlur(weight, (0, 0), sigma), 1e-3)
    return f32(total / weights[..., None])
