"""The skin of the lids in one eye's box, drawn out of the photo to where the margins stand."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from emotalk_cli.render.backdrop import fill_smoothly
from emotalk_cli.render.eye_opening import EyeOpening
from emotalk_cli.render.projection import f32

Float = NDArray[np.float32]

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
WET_RIM_SHARE = 0.05
LEAST_UNFOLDED, MOST_UNFOLDED = 0.85, 2.4
"""How steeply the stretching of a closing lid falls off: the first keeps the skin from folding
over, the second is the most."""
MAX_STRETCH = 2.0
"""A lid stretched more than this in a blink shows plain skin instead, more and more."""
PLAIN_LID_SHADE, CREASE_SHADE, FILLED_SHARE = 0.95, 0.3, 0.75


class LidSkin:
    """Draws the skin around one eye for margins that have moved.

    The skin next to the upper margin moves with it, lashes and all; above it unfolds, and where
    the photo shows hardly a lid, plain skin from under the eye appears.
    """

    def __init__(self, photo: Float, eye: EyeOpening) -> None:
        """photo: (h, w, 4) the eye's box."""
        self._photo, self._eye = photo, eye
        room = BROW_SHARE * (eye.brow - eye.upper)
        self._ceiling = eye.upper + np.maximum(room, MIN_BROW_SHARE * eye.width)
        self._floor = eye.lower - CHEEK_SHARE * eye.width
        rows, columns = eye.s.shape
        self._x, self._y = np.meshgrid(
            np.arange(columns, dtype=np.float32), np.arange(rows, dtype=np.float32)
        )
        self._tightness, self._plain = self._plain_lid()
        self._lashless = self._without_lashes()

    def _plain_lid(self) -> tuple[float, Float]:
        """How little lid the photo shows between lashes and brow (0..1), and skin to put there.

        The skin is continued from under the eye.
        """
        weight = self._eye.shape / max(float(self._eye.shape.sum()), 1e-3)
        room = (
            float((weight * (self._ceiling - self._eye.upper)).sum()) - LASH_SHARE * self._eye.width
        )
        stretch = (room + float(self._eye.gap.max())) / max(room, 1.0)
        tightness = float(np.clip((stretch - MAX_STRETCH) / MAX_STRETCH, 0.0, 1.0))
        under = (self._eye.n < self._eye.lower - 0.15 * self._eye.width) & (
            self._eye.n > self._floor
        )
        known = (under & (self._eye.s > 0.0) & (self._eye.s < self._eye.width)).astype(np.float32)
        over = (self._eye.n > self._eye.upper + LASH_SHARE * self._eye.width) & (
            self._eye.n < self._ceiling
        )
        skins = [
            self._photo[part]
            for part in (known > 0.0, over & (self._eye.s > 0.0) & (self._eye.s < self._eye.width))
        ]
        usual = [np.median(skin, axis=0) for skin in skins if len(skin)]
        self._most_light = f32(LID_LIGHT * np.max(usual, axis=0)) if usual else f32([255.0] * 4)
        return tightness, fill_smoothly(self._photo, known + 1e-6)

    def _without_lashes(self) -> Float:
        """The difference (h, w, 4) that takes lashes off the lid: they point down in a blink."""
        across = max(3, round(LASH_WIDTH_SHARE * self._eye.width)) | 1
        closed = cv2.morphologyEx(self._photo, cv2.MORPH_CLOSE, np.ones((1, across), np.uint8))
        smooth = cv2.GaussianBlur(closed, (0, 0), 0.25 * across)
        # A lid that shines in the photo would shine all over once it is drawn out.
        shine = np.maximum(smooth - self._most_light, 0.0)
        pores = self._photo - cv2.GaussianBlur(self._photo, (0, 0), 0.15 * across)
        under = (
            self._eye.lower - UNDER_SHARE * self._eye.width + 0.5 * (self._eye.upper - self._eye.n)
        )
        pores = self._drawn_along(pores, f32(under - self._eye.n))
        smooth += np.clip(shine.max(axis=2, keepdims=True) / PORES_FROM, 0.0, 1.0) * pores
        smooth -= (1.0 - SHINE_SHARE) * cv2.GaussianBlur(shine, (0, 0), 0.15 * across)
        over = (self._eye.n - self._eye.upper) / (0.5 * LASH_SHARE * self._eye.width)
        zone = np.clip(over - 0.6, 0.0, 1.0) * np.clip(8.0 - over, 0.0, 1.0)
        zone *= np.clip(4.0 * self._eye.shape, 0.0, 1.0)
        return f32(zone[..., None] * (smooth - self._photo))

    def draw(self, upper: Float, lower: Float, closed: float) -> Float:
        """The photo (h, w, 4) with its lids drawn to the margins."""
        lash = LASH_SHARE * self._eye.width
        rise, sink = upper - self._eye.upper, lower - self._eye.lower
        room = np.maximum(self._ceiling - upper - lash, 1.0)
        share_up = 1.0 - np.clip((self._eye.n - upper - lash) / room, 0.0, 1.0)
        # The skin next to the margin unfolds first; its crease stays up as long as it can.
        power = np.clip(LEAST_UNFOLDED * room / np.maximum(-rise, 1e-3), 1.0, MOST_UNFOLDED)
        share_up **= power
        span = np.maximum(lower - 0.5 * lash - self._floor, 1.0)
        share_down = 1.0 - np.clip((lower - 0.5 * lash - self._eye.n) / span, 0.0, 1.0)
        # Where there is hardly a lid to see, the brow stays and plain skin appears under it.
        bare = self._tightness * closed
        top = np.clip((self._eye.upper + 1.5 * lash - self._eye.n) / (2.5 * lash), 0.0, 1.0)
        share_up *= 1.0 - bare * (1.0 - top)
        photo = self._photo + min(1.0, 1.5 * closed) * self._lashless
        skin = self._drawn_along(photo, -rise * share_up)
        if closed > 0.0:
            lid = np.clip((self._eye.n - upper - lash) / lash, 0.0, 1.0)
            lid *= top * top * (3.0 - 2.0 * top)
            shade = PLAIN_LID_SHADE - CREASE_SHADE * (1.0 - top)
            missing = self._plain * shade[..., None] - skin
            # Else only what lashes leave dark on the drawn-out skin is filled up.
            lighter = closed * FILLED_SHARE * np.maximum(missing, 0.0)
            skin += lid[..., None] * (lighter + min(1.0, 2.0 * bare) * (missing - lighter))
        # The wet rim of the lower lid goes out of sight as the eye closes.
        sink = sink + WET_RIM_SHARE * self._eye.width * closed * self._eye.shape
        under = np.clip(0.5 * (upper + lower) - self._eye.n + 0.5, 0.0, 1.0)[..., None]
        skin += under * (self._drawn_along(self._photo, -sink * share_down) - skin)
        return f32(skin)

    def _drawn_along(self, photo: Float, move: Float) -> Float:
        """A photo (h, w, 4) read `move` (h, w) px further up at every pixel."""
        return f32(
            cv2.remap(
                photo,
                (self._x + move * self._eye.up[0]).astype(np.float32),
                (self._y + move * self._eye.up[1]).astype(np.float32),
                cv2.INTER_CUBIC,
                borderMode=cv2.BORDER_REPLICATE,
            )
        )
