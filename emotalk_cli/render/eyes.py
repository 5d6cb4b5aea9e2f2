"""Eyes: gaze and lids, painted into the photo's texture around each eye.

The lids' margins come from the model's landmarks. Between them stands the eyeball, whose iris is
cut out of the photo, completed and moved; the skin above and below is drawn along with its margin,
so that the photo's own lashes come down in a blink.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from emotalk_cli.parts import FaceGeometry
from emotalk_cli.render.backdrop import fill_smoothly
from emotalk_cli.render.eyeball import Eyeball
from emotalk_cli.render.projection import f32
from emotalk_cli.render.registration import Registered
from emotalk_cli.render.texture import Texture

Float = NDArray[np.float32]

ZONE_M = (0.017, 0.016)
"""Half width and depth (below an eye) of the zone in which the texture moves, not the mesh."""
ZONE_END = 1.7
"""At this multiple of the half width the mesh moves fully."""
LID_FOLLOWS = 0.25
"""How much of the brow's motion the upper lid's margin takes part in."""
BROW_ROOM_SHARE = 0.45
"""A brow comes down to its eye by no more than this share of its height over it."""
MIN_LID_M, MIN_OPENING_M = 0.008, 0.009
LASH_SHARE = 0.085
"""Skin this near to a margin (over the eye's width) moves with it as a whole."""
BROW_SHARE = 0.85
"""The skin is stretched up to here on the way from the margin to the brow."""
LASH_WIDTH_SHARE = 0.11
"""Lashes, which a blink takes off the lid, are thinner than this, over the eye's width."""
LID_LIGHT, SHINE_SHARE, PORES_FROM, UNDER_SHARE = 1.15, 0.15, 20.0, 0.2
"""A closing lid is lighter than the skin around the eye by no more than this factor; of more light
this share stays; from so many levels on it gets pores from so far under the eye, over its width."""
MIN_BROW_SHARE = 0.14
CHEEK_SHARE = 0.40
"""The lower lid is stretched so far down, over the eye's width."""
WIDE_SHARE, MAX_WIDER = 0.45, 0.13
"""Eyes open wider than in the photo by less than the units say, and not without end."""
LOWER_LID_SINKS = 0.25
"""The lower lid goes down by this share of what the units say: white under the iris looks mad."""
LOWER_LID_LIMIT = 0.4
"""The lower lid rises at most by this share of the eye's opening."""
WET_RIM_SHARE = 0.05
BOX_SHARES = (0.75, 0.85, 0.68)
"""What is painted reaches so far beside, above and below the eye's middle, over its width."""
LEAST_UNFOLDED, MOST_UNFOLDED = 0.85, 2.4
"""How steeply the stretching of a closing lid falls off: the first keeps the skin from folding
over, the second is the most."""
MAX_STRETCH = 2.0
"""A lid stretched more than this in a blink shows plain skin instead, more and more."""
PLAIN_LID_SHADE, CREASE_SHADE, FILLED_SHARE = 0.95, 0.3, 0.75
EDGE_SHARE = 0.035
"""Reach of the shade next to both lids, over the eye's width."""
SHADOW_SHARE, SHADOW_DEPTH = 0.10, 0.45
"""Reach (over the eye's width) and strength of the upper lid's shadow on the eyeball."""


@dataclass(frozen=True)
class _Points:
    """MediaPipe's landmarks of one eye, from the picture's left to its right."""

    upper: tuple[int, ...]
    lower: tuple[int, ...]
    brow: tuple[int, ...]
    iris: int


EYES = (
    _Points(
        (33, 246, 161, 160, 159, 158, 157, 173, 133),
        (33, 7, 163, 144, 145, 153, 154, 155, 133),
        (46, 53, 52, 65, 55),
        468,
    ),
    _Points(
        (362, 398, 384, 385, 386, 387, 388, 466, 263),
        (362, 382, 381, 380, 374, 373, 390, 249, 263),
        (285, 295, 282, 283, 276),
        473,
    ),
)

BROWS_DOWN = ("browDownLeft", "browDownRight")


def quiet_lids(model: FaceGeometry, registered: Registered) -> Float:
    """The units (E, V, 3) m without what they do to the lids, which the texture shows."""
    corners = model.triangles[model.landmark_triangles]
    weights = model.landmark_barycentric[..., None]
    points = (registered.vertices[corners] * weights).sum(axis=1)
    share = np.ones(len(registered.vertices), np.float32)
    for eye in EYES:
        share = np.minimum(share, _free_of_lids(registered.vertices, points, eye))
    units = np.asarray(registered.units * share[None, :, None], np.float32)
    moves = (units[:, corners] * weights).sum(axis=2)
    for name in BROWS_DOWN:
        if name in model.expression_names:
            number = model.expression_names.index(name)
            units[number] *= min(_brow_room(points, moves[number], eye) for eye in EYES)
    return units


def _brow_room(points: Float, move: Float, eye: _Points) -> float:
    """The share of a unit's motion (478, 3) m that leaves a lid to see under the brow."""
    brow, lid = points[list(eye.brow)], points[list(eye.upper)]
    room = (brow[:, 1] - _height_at(lid, brow[:, 0])) * BROW_ROOM_SHARE
    drop = np.maximum(-move[list(eye.brow), 1], 1e-5)
    return float(np.clip((room / drop).min(), 0.2, 1.0))


def _free_of_lids(vertices: Float, points: Float, eye: _Points) -> Float:
    """How far each vertex (V, 3) m may follow its units beside an eye, (V,) in 0..1.

    points: (478, 3) m. The brow and what is above it are free, the lower lid is held, and between
    the two the skin is stretched.
    """
    lids = points[[*eye.upper, *eye.lower]]
    middle = lids[:, :2].mean(axis=0)
    beside = np.abs(vertices[:, 0] - middle[0]) / ZONE_M[0]
    x, y = vertices[:, 0], vertices[:, 1]
    low, lid, brow = (_height_at(points[list(ids)], x) for ids in (eye.lower, eye.upper, eye.brow))
    # Beyond the corners the lids are one; the change must stay gentle there too.
    middle_y, half = 0.5 * (lid + low), 0.5 * np.maximum(lid - low, MIN_OPENING_M)
    lid, low = middle_y + half, middle_y - half
    brow = np.maximum(brow, lid + MIN_LID_M)
    above = np.where(
        y < lid,
        LID_FOLLOWS * np.clip((y - low) / (lid - low), 0.0, 1.0),
        LID_FOLLOWS + (1.0 - LID_FOLLOWS) * _ease((y - lid) / (brow - lid)),
    )
    below = _ease((low - y) / ZONE_M[1])
    outside = _ease((beside - 1.0) / (ZONE_END - 1.0))
    free = np.maximum(np.maximum(above, below), outside)
    return f32(np.where(vertices[:, 2] < 0.0, 1.0, free))


def _height_at(line: Float, x: Float) -> Float:
    """The y of a line of points (N, 3) at x (V,)."""
    order = np.argsort(line[:, 0])
    return f32(np.interp(x, line[order, 0], line[order, 1]))


def _ease(value: Float) -> Float:
    t = np.clip(value, 0.0, 1.0)
    return f32(t * t * (3.0 - 2.0 * t))


def eye_box(first: Float, last: Float) -> tuple[int, int, int, int]:
    """The part (x0, y0, x1, y1) px of the photo painted for an eye with these corners (2,) px."""
    middle, width = 0.5 * (first + last), float(np.linalg.norm(last - first))
    beside, above, below = (share * width + 2 for share in BOX_SHARES)
    x0, y0 = np.floor(middle - f32([beside, above])).astype(int)
    x1, y1 = np.ceil(middle + f32([beside, below])).astype(int)
    return int(x0), int(y0), int(x1), int(y1)


class Eyes:
    """Both eyes of a photo; `update` paints them for an expression."""

    def __init__(
        self,
        model: FaceGeometry,
        registered: Registered,
        texture: Texture,
        landmarks: Float,
        still: Float,
        shape: Float,
    ) -> None:
        """landmarks: (478, 2) px in the photo. still: (E,) the photo's expression. shape: (S,)."""
        neutral, units = model.landmark_bases(shape)
        self._eyes = [
            _Eye(eye, landmarks, texture, _Motion(eye, neutral, units, still, registered))
            for eye in EYES
        ]

    def update(self, expression: Float) -> None:
        """Paint the eyes for an expression (E,) into the texture."""
        for eye in self._eyes:
            eye.update(expression)


class _Motion:
    """What an expression does to one eye, as linear functions of the units."""

    def __init__(
        self, eye: _Points, neutral: Float, units: Float, still: Float, registered: Registered
    ) -> None:
        top, bottom = list(eye.upper[1:-1]), list(eye.lower[1:-1])
        self._gap = float((neutral[top, 1] - neutral[bottom, 1]).mean())
        self._gap_units = (units[:, top, 1] - units[:, bottom, 1]).mean(axis=1)
        self._low_units = units[:, bottom, 1].mean(axis=1)
        self._iris_units = units[:, eye.iris]
        self._still = still
        self._gap_still = max(self._gap + float(still @ self._gap_units), 0.35 * self._gap)
        placed = registered.rotation @ neutral[eye.iris] + registered.translation
        self.px_per_m = registered.camera.focal_px / float(-placed[2])
        self._rotation = registered.rotation

    def openness(self, expression: Float) -> float:
        """The lids' distance over that in the photo."""
        gap = self._gap + float(expression @ self._gap_units)
        ratio = max(0.0, gap / self._gap_still)
        return ratio if ratio < 1.0 else 1.0 + min(WIDE_SHARE * (ratio - 1.0), MAX_WIDER)

    def low_px(self, expression: Float) -> float:
        """How far the lower lid rises, px."""
        return float((expression - self._still) @ self._low_units) * self.px_per_m

    def iris_px(self, expression: Float) -> Float:
        """How far the iris moves (2,) px, y down."""
        moved = self._rotation @ ((expression - self._still) @ self._iris_units)
        return np.asarray(moved[:2] * [self.px_per_m, -self.px_per_m], np.float32)


class _Eye:
    def __init__(self, eye: _Points, landmarks: Float, texture: Texture, motion: _Motion) -> None:
        self._motion = motion
        upper, lower = landmarks[list(eye.upper)], landmarks[list(eye.lower)]
        axis = upper[-1] - upper[0]
        self._width = float(np.linalg.norm(axis))
        self._along = (axis / self._width).astype(np.float32)
        self._up = f32([self._along[1], -self._along[0]])
        self._set_box(upper, texture)
        s, n = self._local(upper[0])
        self._n = n
        self._upper = _curve(self._in_axes(upper, upper[0]), s)
        self._lower = np.minimum(_curve(self._in_axes(lower, upper[0]), s), self._upper)
        self._gap = self._upper - self._lower
        self._shape = self._gap / max(float(self._gap.max()), 1e-3)
        brow = self._in_axes(landmarks[list(eye.brow)], upper[0])
        brow_n = np.interp(s, brow[:, 0], brow[:, 1])
        room = BROW_SHARE * (brow_n - self._upper)
        self._ceiling = self._upper + np.maximum(room, MIN_BROW_SHARE * self._width)
        self._floor = self._lower - CHEEK_SHARE * self._width
        self._window = texture.window(self._box)
        self._photo = self._window.copy()
        self._x, self._y = np.meshgrid(
            np.arange(s.shape[1], dtype=np.float32), np.arange(s.shape[0], dtype=np.float32)
        )
        iris = landmarks[eye.iris : eye.iris + 5]
        self._ball = Eyeball(
            self._photo,
            self._opening(self._upper, self._lower, 1.0),
            iris[0] - f32(self._box[:2]),
            float(np.linalg.norm(iris[1:] - iris[0], axis=1).mean()),
            self._up,
            f32(2.0 * s / self._width - 1.0),
        )
        self._last = np.zeros(4, np.float32) - 9.0
        self._tightness, self._plain = self._plain_lid(s)
        self._lashless = self._without_lashes()

    def _plain_lid(self, s: Float) -> tuple[float, Float]:
        """How little lid the photo shows between lashes and brow (0..1), and skin to put there.

        The skin is continued from under the eye.
        """
        weight = self._shape / max(float(self._shape.sum()), 1e-3)
        room = float((weight * (self._ceiling - self._upper)).sum()) - LASH_SHARE * self._width
        stretch = (room + float(self._gap.max())) / max(room, 1.0)
        tightness = float(np.clip((stretch - MAX_STRETCH) / MAX_STRETCH, 0.0, 1.0))
        under = (self._n < self._lower - 0.15 * self._width) & (self._n > self._floor)
        known = (under & (s > 0.0) & (s < self._width)).astype(np.float32)
        over = (self._n > self._upper + LASH_SHARE * self._width) & (self._n < self._ceiling)
        skins = [self._photo[part] for part in (known > 0.0, over & (s > 0.0) & (s < self._width))]
        usual = [np.median(skin, axis=0) for skin in skins if len(skin)]
        self._most_light = f32(LID_LIGHT * np.max(usual, axis=0)) if usual else f32([255.0] * 4)
        return tightness, fill_smoothly(self._photo, known + 1e-6)

    def _without_lashes(self) -> Float:
        """The difference (h, w, 4) that takes lashes off the lid: they point down in a blink."""
        across = max(3, round(LASH_WIDTH_SHARE * self._width)) | 1
        closed = cv2.morphologyEx(self._photo, cv2.MORPH_CLOSE, np.ones((1, across), np.uint8))
        smooth = cv2.GaussianBlur(closed, (0, 0), 0.25 * across)
        # A lid that shines in the photo would shine all over once it is drawn out.
        shine = np.maximum(smooth - self._most_light, 0.0)
        pores = self._photo - cv2.GaussianBlur(self._photo, (0, 0), 0.15 * across)
        under = self._lower - UNDER_SHARE * self._width + 0.5 * (self._upper - self._n)
        pores = self._drawn_along(pores, f32(under - self._n))
        smooth += np.clip(shine.max(axis=2, keepdims=True) / PORES_FROM, 0.0, 1.0) * pores
        smooth -= (1.0 - SHINE_SHARE) * cv2.GaussianBlur(shine, (0, 0), 0.15 * across)
        over = (self._n - self._upper) / (0.5 * LASH_SHARE * self._width)
        zone = np.clip(over - 0.6, 0.0, 1.0) * np.clip(8.0 - over, 0.0, 1.0)
        zone *= np.clip(4.0 * self._shape, 0.0, 1.0)
        return f32(zone[..., None] * (smooth - self._photo))

    def _set_box(self, upper: Float, texture: Texture) -> None:
        height = int(texture.corners[1, 1] + texture.box[1]) - 2 * texture.margin_px
        width = texture.pixels.shape[1] - 2 * texture.margin_px
        x0, y0, x1, y1 = eye_box(upper[0], upper[-1])
        self._box = (max(x0, 0), max(y0, 0), min(x1, width), min(y1, height))

    def _local(self, corner: Float) -> tuple[Float, Float]:
        x0, y0, x1, y1 = self._box
        grid = np.stack(np.meshgrid(np.arange(x0, x1) + 0.5, np.arange(y0, y1) + 0.5), -1)
        local = (grid - corner).astype(np.float32)
        return local @ self._along, local @ self._up

    def _in_axes(self, points: Float, corner: Float) -> Float:
        local = points - corner
        return np.stack([local @ self._along, local @ self._up], axis=1)

    def _opening(self, upper: Float, lower: Float, inset: float) -> Float:
        """Coverage (h, w) of what lies between two margins, px softly."""
        soft = np.clip(upper - self._n + 0.5 - inset, 0.0, 1.0)
        return np.asarray(soft * np.clip(self._n - lower + 0.5 - inset, 0.0, 1.0), np.float32)

    def update(self, expression: Float) -> None:
        """Paint the eye for an expression (E,)."""
        openness = self._motion.openness(expression)
        limit = LOWER_LID_LIMIT * float(self._gap.max())
        low = self._motion.low_px(expression)
        low = float(np.clip(low if low > 0.0 else LOWER_LID_SINKS * low, -limit, limit))
        shift = self._motion.iris_px(expression)
        state = f32([openness * float(self._gap.max()), low, *shift])
        if float(np.abs(state - self._last).max()) < 0.03:
            return
        self._last = state
        lower = self._lower + low * self._shape
        upper = lower + openness * self._gap
        closed = float(np.clip(1.0 - openness, 0.0, 1.0))
        skin = self._skin(upper, lower, closed)
        lids_px = max(abs(openness - 1.0) * float(self._gap.max()), abs(low))
        near = np.minimum(upper - self._n, self._n - lower) / (EDGE_SHARE * self._width)
        ball = self._ball.draw(shift, lids_px, np.exp(-np.maximum(near, 0.0)))
        ball[..., :3] *= self._shadow(upper)[..., None]
        cover = self._opening(upper, lower, 0.0) * np.clip(upper - lower, 0.0, 1.0)
        # Where the margin stands as in the photo, nothing may change.
        picture = skin + cover[..., None] * (ball - skin)
        np.clip(picture, 0.0, 255.0, out=self._window)

    def _skin(self, upper: Float, lower: Float, closed: float) -> Float:
        """The photo (h, w, 4) with its lids drawn to the margins."""
        lash = LASH_SHARE * self._width
        rise, sink = upper - self._upper, lower - self._lower
        room = np.maximum(self._ceiling - upper - lash, 1.0)
        share_up = 1.0 - np.clip((self._n - upper - lash) / room, 0.0, 1.0)
        # The skin next to the margin unfolds first; its crease stays up as long as it can.
        power = np.clip(LEAST_UNFOLDED * room / np.maximum(-rise, 1e-3), 1.0, MOST_UNFOLDED)
        share_up **= power
        span = np.maximum(lower - 0.5 * lash - self._floor, 1.0)
        share_down = 1.0 - np.clip((lower - 0.5 * lash - self._n) / span, 0.0, 1.0)
        # Where there is hardly a lid to see, the brow stays and plain skin appears under it.
        bare = self._tightness * closed
        top = np.clip((self._upper + 1.5 * lash - self._n) / (2.5 * lash), 0.0, 1.0)
        share_up *= 1.0 - bare * (1.0 - top)
        photo = self._photo + min(1.0, 1.5 * closed) * self._lashless
        skin = self._drawn_along(photo, -rise * share_up)
        if closed > 0.0:
            lid = np.clip((self._n - upper - lash) / lash, 0.0, 1.0)
            lid *= top * top * (3.0 - 2.0 * top)
            shade = PLAIN_LID_SHADE - CREASE_SHADE * (1.0 - top)
            missing = self._plain * shade[..., None] - skin
            # Else only what lashes leave dark on the drawn-out skin is filled up.
            lighter = closed * FILLED_SHARE * np.maximum(missing, 0.0)
            skin += lid[..., None] * (lighter + min(1.0, 2.0 * bare) * (missing - lighter))
        # The wet rim of the lower lid goes out of sight as the eye closes.
        sink = sink + WET_RIM_SHARE * self._width * closed * self._shape
        under = np.clip(0.5 * (upper + lower) - self._n + 0.5, 0.0, 1.0)[..., None]
        skin += under * (self._drawn_along(self._photo, -sink * share_down) - skin)
        return f32(skin)

    def _drawn_along(self, photo: Float, move: Float) -> Float:
        """A photo (h, w, 4) read `move` (h, w) px further up at every pixel."""
        return f32(
            cv2.remap(
                photo,
                (self._x + move * self._up[0]).astype(np.float32),
                (self._y + move * self._up[1]).astype(np.float32),
                cv2.INTER_CUBIC,
                borderMode=cv2.BORDER_REPLICATE,
            )
        )

    def _shadow(self, upper: Float) -> Float:
        """How the upper lid's shadow changes on the eyeball against the photo."""
        reach = SHADOW_SHARE * self._width
        now = np.exp(-np.maximum(upper - self._n, 0.0) / reach)
        before = np.exp(-np.maximum(self._upper - self._n, 0.0) / reach)
        ratio = (1.0 - SHADOW_DEPTH * now) / (1.0 - SHADOW_DEPTH * before)
        return f32(np.clip(ratio, 0.5, 1.15))


def _curve(points: Float, s: Float) -> Float:
    """A smooth curve through points (N, 2), read at s (h, w); constant beyond its ends."""
    order = np.argsort(points[:, 0])
    at, height = points[order, 0].astype(np.float64), points[order, 1]
    at = np.maximum.accumulate(at + 1e-3 * np.arange(len(at)))
    inside = np.clip(s, at[0], at[-1])
    return np.asarray(PchipInterpolator(at, height)(inside), np.float32)
