"""The eyeball of a photo: its white, and its iris, which turns with the gaze."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from emotalk_cli.render.backdrop import fill_smoothly
from emotalk_cli.render.projection import f32

Float = NDArray[np.float32]

IRIS_EDGE = 0.10
"""Softness of the iris' border over its radius."""
RING = 0.08
"""Width of the rings of an iris, over its radius."""
RIM_FROM_PX = 4.0
"""Irises as large as this are seen without the pixels next to the lids."""
WHITE_SHARE, REDDER_SHARE, MIN_WHITE_PX = 0.5, 0.10, 6
"""Pixels with this share of the brightest white's light, and with hardly more colour, are white as
well; the others are lashes, skin and the corner's red."""
UNSEEN_WHITE, USUAL_SHADE, MOST_SHADE = 0.88, 0.75, 0.75
"""Light of what the lids and the iris hid, over that of the white beside it; even less where the
mean of what is seen beside the iris has less than the second share of its brightest, down to the
third share."""
WHITE_COLOUR = 0.62
"""Whites are no more colourful than this share of the skin: in small photos they mix with it."""
SEEN_SHARE = 0.2
"""The one goes over into the other on so much of the iris' radius."""
EDGE_SHADE = 0.42
"""How much darker the eyeball is next to the lids."""
CORNER_SHADE = 0.42
"""How much darker the white is in the corners of the eye."""
LIGHT_BOUNDS = (0.55, 1.25)
"""Light on the eyeball, over its mean, follows that on the skin around it between these bounds."""
CORNERS_FROM, CORNERS_SOFT = 0.5, 0.2
DARKER_SHARE, DARKER_SOFT = 0.8, 0.2
"""From so far towards the corners on (over half the eye's width) what is redder than the white by
REDDER_SHARE, or has less than a share of its light, is skin, hair or shade and stays, whatever the
eye does."""


@dataclass(frozen=True)
class EyeLight:
    """share: (h, w) of the light that falls on the eye, 1 in its mean. skin: how far the channels
    of the skin beside it differ, over the brightest.
    """

    share: Float
    skin: float


class Eyeball:
    """The eyeball's picture: the white without the iris, and the whole iris to lay on it."""

    def __init__(
        self,
        photo: Float,
        opening: Float,
        centre: Float,
        radius: float,
        up: Float,
        across: Float,
        light: EyeLight,
    ) -> None:
        """Photo (h, w, 4); opening (h, w): what of the eyeball it shows; centre (2,), px; across
        (h, w): -1 in one corner of the eye, 1 in the other.
        """
        self._photo = photo
        height, width = opening.shape
        self._x, self._y = np.meshgrid(
            np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
        )
        x, y = self._x + 0.5 - centre[0], self._y + 0.5 - centre[1]
        away = np.hypot(x, y) / max(radius, 1.0)
        self._radius = radius
        self._alpha = np.clip((1.0 + IRIS_EDGE - away) / (2.0 * IRIS_EDGE), 0.0, 1.0)
        corners = 1.0 - CORNER_SHADE * np.clip(np.abs(across), 0.0, 1.2) ** 2
        shade = corners * np.clip(light.share, *LIGHT_BOUNDS)
        self._white = _whole_white(photo, opening, away, shade, radius)
        _less_colourful(self._white, opening, WHITE_COLOUR * light.skin)
        self._iris = self._whole_iris(opening, away, x, y, up)
        rest = self._white + self._alpha[..., None] * (self._iris - self._white)
        near = cv2.dilate(opening, np.ones((5, 5), np.uint8))[..., None]
        self._rest = (photo - rest) * near
        inside = cv2.GaussianBlur(cv2.erode(opening, np.ones((3, 3), np.uint8)), (0, 0), 1.2)
        self._rest_inside = (photo - rest) * (opening * inside)[..., None]
        self._stays = self._corners(away, across)
        self._inside = (opening * inside)[..., None]

    def _whole_iris(self, opening: Float, away: Float, x: Float, y: Float, up: Float) -> Float:
        """The photo inside the iris; what the lids hide is taken from its mirror image, and what
        is hidden there as well from the ring at the same distance from the pupil.
        """
        # Next to the lids the photo shows their wet rims and lashes.
        clear = opening if self._radius < RIM_FROM_PX else cv2.erode(opening, np.ones((3, 3)))
        seen = ((clear > 0.99) & (away < 1.15)).astype(np.float32)
        height = x * up[0] + y * up[1]
        mirror_x = (self._x - 2.0 * height * up[0]).astype(np.float32)
        mirror_y = (self._y - 2.0 * height * up[1]).astype(np.float32)
        mirrored = cv2.remap(self._photo, mirror_x, mirror_y, cv2.INTER_LINEAR)
        mirror_seen = cv2.remap(seen, mirror_x, mirror_y, cv2.INTER_LINEAR)
        soft = cv2.GaussianBlur(seen, (0, 0), 0.8) * seen
        hidden = np.maximum(mirror_seen - soft, 0.0)[..., None]
        picture = _rings(self._photo, seen, away)
        picture += np.clip(2.0 * hidden - 0.5, 0.0, 1.0) * (mirrored - picture)
        return f32(np.where((seen > 0.0)[..., None], self._photo, picture))

    def draw(self, shift: Float, lids_px: Float, edge: Float) -> Float:
        """The eyeball (h, w, 4) with the iris moved by `shift` (2,) px.

        lids_px (h, w): how far the lids have moved; at their old edges the photo shows lashes.
        edge (h, w): how near the lids are, 1 at their margins.
        """
        amount = float(np.hypot(*shift)) / max(0.3 * self._radius, 1.0)
        move = f32([[1, 0, shift[0]], [0, 1, shift[1]]])
        size = (self._alpha.shape[1], self._alpha.shape[0])
        flags = {"flags": cv2.INTER_CUBIC, "borderMode": cv2.BORDER_REPLICATE}
        alpha = cv2.warpAffine(self._alpha, move, size, flags=cv2.INTER_LINEAR)[..., None]
        iris = cv2.warpAffine(self._iris, move, size, **flags)
        moved = np.minimum(lids_px, 1.0)[..., None]
        rest = self._rest + moved * (self._rest_inside - self._rest)
        rest *= max(0.0, 1.0 - amount)
        ball = self._white + alpha * (iris - self._white)
        # What the photo shows has its shade; what comes to light gets it here.
        shade = EDGE_SHADE * np.minimum(1.0, np.maximum(lids_px, 2.0 * amount))
        ball[..., :3] *= 1.0 - (shade * edge)[..., None]
        ball += rest
        stays = self._stays * (1.0 + moved * (self._inside - 1.0))
        return np.asarray(ball + stays * (self._photo - ball), np.float32)

    def _corners(self, away: Float, across: Float) -> Float:
        """How much (h, w, 1) of the photo is skin, hair or deep shade in the opening's corners."""
        redder = (colourfulness(self._photo) - colourfulness(self._white)) / REDDER_SHARE
        share = self._photo[..., :3].mean(axis=2) / (self._white[..., :3].mean(axis=2) + 1.0)
        other = np.maximum(2.0 * redder - 1.0, (DARKER_SHARE - share) / DARKER_SOFT)
        soft = np.clip((np.abs(across) - CORNERS_FROM) / CORNERS_SOFT, 0.0, 1.0)
        soft *= np.clip(4.0 * (away - 1.2), 0.0, 1.0)
        stays = cv2.GaussianBlur(f32(np.clip(other, 0.0, 1.0) * soft), (0, 0), 0.7)
        return f32(stays[..., None])


def _rings(photo: Float, seen: Float, away: Float) -> Float:
    """A picture (h, w, 4) with the mean colour of what is seen (h, w) so far `away` (h, w)."""
    places = np.arange(0.0, 1.15 + RING, RING)
    nearness = np.exp(-(((away[seen > 0.0] - places[:, None]) / RING) ** 2)) + 1e-6
    if nearness.shape[1] == 0:
        return photo.copy()
    means = nearness @ photo[seen > 0.0] / nearness.sum(axis=1, keepdims=True)
    return f32(np.stack([np.interp(away, places, mean) for mean in means.T], axis=-1))


def _less_colourful(white: Float, opening: Float, most: float) -> None:
    """Take colour off a white (h, w, 4), in place: no eye's white is as colourful as skin."""
    inside = opening > 0.5
    if not inside.any():
        return
    found = float(np.median(colourfulness(white)[inside]))
    grey = white[..., :3].mean(axis=2, keepdims=True)
    white[..., :3] = grey + min(1.0, most / max(found, 1e-3)) * (white[..., :3] - grey)


def colourfulness(photo: Float) -> Float:
    """How far the channels of a photo (h, w, 4) differ, over the brightest, (h, w)."""
    brightest = photo[..., :3].max(axis=2)
    return f32((brightest - photo[..., :3].min(axis=2)) / np.maximum(brightest, 1.0))


def _whole_white(photo: Float, opening: Float, away: Float, light: Float, radius: float) -> Float:
    """The white (h, w, 4) of the eye without iris and lids, continued from where it is seen.

    light: (h, w) on it. radius: the iris', px.
    """
    seen = (opening > 0.99) & (away > 1.22)
    if seen.sum() < MIN_WHITE_PX:
        seen = (opening > 0.5) & (away > 1.0)
    level = photo[..., :3].mean(axis=2)
    dark = UNSEEN_WHITE
    if seen.any():
        bright = seen & (level >= float(np.quantile(level[seen], 0.85)))
        brightest = float(level[bright].mean())
        dark *= float(np.clip(level[seen].mean() / brightest / USUAL_SHADE, MOST_SHADE, 1.0))
        colour = colourfulness(photo)
        seen &= level > WHITE_SHARE * brightest
        seen &= colour < float(colour[bright].mean()) + REDDER_SHARE
    even = photo.copy()
    even[..., :3] /= light[..., None]
    white = fill_smoothly(even, seen.astype(np.float32) + 1e-4)
    shown = cv2.GaussianBlur(seen.astype(np.float32), (0, 0), max(0.8, SEEN_SHARE * radius))
    white[..., :3] *= (light * (dark + (1.0 - dark) * shown))[..., None]
    return white
