"""Folds of a smile: the photo's creases from nose to chin fade as its smile is taken back."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from emotalk_cli.parts import FaceGeometry
from emotalk_cli.render.backdrop import fill_smoothly
from emotalk_cli.render.eye_opening import eye_box
from emotalk_cli.render.projection import f32
from emotalk_cli.render.registration import FACE_OVAL, NOSE_BASE, SMILES
from emotalk_cli.render.texture import Texture

Float = NDArray[np.float32]

FINE_SHARE, COARSE_SHARE = 0.010, 0.20
"""Folds are what lies between these two scales, over the distance of the irises."""
MAX_CHANGE = 1.6
"""Most that a fold's light may be changed by, as a natural logarithm."""
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
LIP_MARGIN_SHARE, LIP_SOFT_SHARE, NOSE_SOFT_SHARE = 0.01, 0.025, 0.07
"""The change keeps this far from lips and nose, and begins so softly beside lips and nose."""
BEARD_FROM = (1.5, 2.3)
"""Areas with this many times the plain skin's detail are more and more taken as beards."""
MOST_HAIR, HARDLY_HAIR = 0.25, 0.04
"""Share of the lower face taken as a beard from which on its light is left alone, and up to which
what looks like hair are the folds of a bare face."""
EVEN_GROWN_SHARE, EVEN_FROM_SHARE, EVEN_SOFT_SHARE = 0.06, 0.10, 0.12
"""Light around a smiling mouth is taken from skin so far beyond it, blurred so much, and goes over
so softly."""
MOLE_SHARE, MOLE_DEPTH, MOLE_REACH = 0.025, 0.06, 3.5
"""Size of moles over the distance of the irises, their least curvature of light at that scale, as
a natural logarithm, and what is spared around their middle, over their size."""
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
        points = landmarks[:, :2] - f32([x0, y0])
        share = (self._strength / STRENGTH) ** 2
        change, core = _change(photo, points, eyes_px, share)
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


def _change(
    photo: Float, points: Float, eyes_px: float, even: float
) -> tuple[Float, NDArray[np.bool_]]:
    """What to add (h, w, 3) to the photo (h, w, 4), and where it is not 0.

    even: 0..1, how much the wide shade around the mouth is the smile's too.
    """
    cheeks, lips, nose, oval = (
        _inside(photo.shape[:2], points, *parts)
        for parts in (CHEEKS, (LIPS,), (NOSE,), (FACE_OVAL,))
    )
    out = _grown(lips | nose, max(1, round(LIP_MARGIN_SHARE * eyes_px)))
    skin = ((out == 0) & (oval > 0)).astype(np.float32) * (photo[..., 3] / 255.0)
    # Folds are redder than the skin beside them, so each colour has its own ratio.
    level = np.log(np.maximum(photo[..., :3], DARKEST))
    skin *= _like_skin(level, skin * cheeks, round(FOLD_SHARE * eyes_px))
    fine = _blur(level, skin, FINE_SHARE * eyes_px)
    coarse = _blur(level, skin, COARSE_SHARE * eyes_px)
    weight = _where(cheeks, skin, nose, points, eyes_px)
    # Pores stay; lines that are stronger than those, and their bright edges, go with the folds.
    detail = level - fine
    bare = _hairless(detail, skin, weight, eyes_px)
    plain = _plain_face(bare, skin, points, eyes_px)
    bare += plain * (1.0 - bare)
    weight *= bare
    usual = 2.5 * np.median(np.abs(detail[weight > 0.0])) if (weight > 0.0).any() else 0.0
    pores = detail * np.clip(2.0 - np.abs(detail) / max(usual, 1e-6), 0.0, 1.0)
    ratio = coarse - fine - (detail - pores)
    # All colours are held back alike, or what is left would be coloured.
    ratio *= np.minimum(1.0, MAX_CHANGE / (np.abs(ratio).max(axis=2, keepdims=True) + 1e-6))
    around = _light_around(level, skin * (bare > 0.9), cheeks | out, eyes_px)
    ratio += even * plain * (around - coarse)
    ratio = fill_smoothly(f32(ratio), 1.0 - _moles(level, skin, points, eyes_px))
    change = photo[..., :3] * np.expm1(ratio) * weight[..., None]
    corners, near = _corners(photo[..., :3] + change, points, eyes_px)
    change += near[..., None] * corners
    return f32(change), (weight > 0.0) | (near > 0.0)


def _where(
    cheeks: NDArray[np.uint8],
    skin: Float,
    nose: NDArray[np.uint8],
    points: Float,
    eyes_px: float,
) -> Float:
    """How far (h, w) the skin may change at all: around the cheeks' folds, softly at borders."""
    cheeks = _grown(cheeks, round(GROWN_SHARE * eyes_px))
    for first, last in EYE_CORNERS:
        x0, y0, x1, y1 = (max(0, v) for v in eye_box(points[first], points[last]))
        cheeks[y0:y1, x0:x1] = 0
    weight = _distance(cheeks, BORDER_SHARE * eyes_px)
    weight *= _distance((skin > 0.99).astype(np.uint8), LIP_SOFT_SHARE * eyes_px)
    weight *= _distance((nose == 0).astype(np.uint8), NOSE_SOFT_SHARE * eyes_px)
    soft = cv2.GaussianBlur(weight, (0, 0), max(0.7, 0.5 * LIP_SOFT_SHARE * eyes_px))
    return f32(weight * np.sqrt(soft))


def _plain_face(bare: Float, skin: Float, points: Float, eyes_px: float) -> float:
    """1 for a face without a beard below its nose, 0 with one. bare, skin: (h, w) in 0..1."""
    below = skin.copy()
    below[: max(0, int(points[NOSE_BASE, 1]))] = 0.0
    _without_corners(below, points, 2.5 * CORNER_SHARE * eyes_px)
    hair = float(((1.0 - bare) * below).sum()) / max(float(below.sum()), 1.0)
    return float(np.clip((MOST_HAIR - hair) / (MOST_HAIR - HARDLY_HAIR), 0.0, 1.0))


def _light_around(level: Float, skin: Float, inner: NDArray[np.uint8], eyes_px: float) -> Float:
    """The light (h, w, 3) that the skin around `inner` (h, w) would give it, smoothly continued."""
    inner = _grown(inner, round(EVEN_GROWN_SHARE * eyes_px))
    known = f32(skin * (inner == 0))
    filled = fill_smoothly(_blur(level, skin, EVEN_FROM_SHARE * eyes_px), known)
    return f32(cv2.GaussianBlur(filled, (0, 0), EVEN_SOFT_SHARE * eyes_px))


def _moles(level: Float, skin: Float, points: Float, eyes_px: float) -> Float:
    """1 in and around moles, 0 elsewhere (h, w): dark, and alike in all directions, as no fold is.

    Eigenvalues of the Hessian tell blobs from lines (Frangi et al., MICCAI 1998).
    """
    sigma = MOLE_SHARE * eyes_px
    light = _blur(level, skin, sigma).mean(axis=2)
    xx, yy, xy = (
        sigma * sigma * cv2.Sobel(light, cv2.CV_32F, *order, ksize=3, scale=0.25)
        for order in ((2, 0), (0, 2), (1, 1))
    )
    least_bent = 0.5 * (xx + yy) - np.hypot(0.5 * (xx - yy), xy)
    found = (least_bent > MOLE_DEPTH).astype(np.float32)
    found *= _distance((skin > 0.99).astype(np.uint8), 2.0 * sigma) >= 1.0
    _without_corners(found, points, 1.5 * CORNER_SHARE * eyes_px)
    size = round(MOLE_REACH * sigma) | 1
    return f32(cv2.dilate(found, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))))


def _without_corners(mask: Float, points: Float, radius_px: float) -> None:
    """Set a mask (h, w) to 0, in place, around the corners of the mouth."""
    for corner in CORNERS:
        x, y = (int(v) for v in np.round(points[list(corner)].mean(axis=0)))
        cv2.circle(mask, (x, y), round(radius_px), 0.0, -1)


def _inside(shape: tuple[int, ...], points: Float, *outlines: tuple[int, ...]) -> NDArray[np.uint8]:
    """1 within the landmarks' outlines, 0 elsewhere (h, w)."""
    mask = np.zeros(shape, np.uint8)
    for ids in outlines:
        cv2.fillPoly(mask, [_outline(points, ids)], 1)
    return mask


def _grown(mask: NDArray[np.uint8], reach_px: int) -> NDArray[np.uint8]:
    """A mask (h, w) made wider by `reach_px` to all sides."""
    size = 2 * reach_px + 1
    return np.asarray(cv2.dilate(mask, np.ones((size, size), np.uint8)))


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


def _corners(colours: Float, points: Float, eyes_px: float) -> tuple[Float, Float]:
    """What to add (h, w, 3) to a laughing mouth's dark corners, and how near (h, w) they are."""
    near = np.zeros(colours.shape[:2], np.float32)
    for outer, inner in CORNERS:
        at = 0.5 * (points[outer] + points[inner])
        rows, columns = np.mgrid[: near.shape[0], : near.shape[1]]
        away = np.hypot(columns + 0.5 - at[0], rows + 0.5 - at[1]) / (CORNER_SHARE * eyes_px)
        near = np.maximum(near, np.clip(2.0 - 2.0 * away, 0.0, 1.0).astype(np.float32))
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
