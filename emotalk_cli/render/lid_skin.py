"""The skin of the lids in one eye's box, drawn out of the photo to where the margins stand."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from emotalk_cli.render.closed_lid import LASH_SHARE, LASH_WIDTH_SHARE, ClosedLid
from emotalk_cli.render.eye_opening import EyeOpening
from emotalk_cli.render.projection import f32

Float = NDArray[np.float32]

BROW_SHARE = 0.85
"""The skin is stretched up to here on the way from the margin to the brow."""
MIN_BROW_SHARE = 0.14
CHEEK_SHARE = 0.40
"""The lower lid is stretched so far down, over the eye's width."""
WET_RIM_SHARE = 0.05
RIM_SHARE = 0.09
"""Height of the zone under the eye in which nothing shines when it is closed, over its width."""
LEAST_UNFOLDED, MOST_UNFOLDED = 0.85, 2.4
"""How steeply the stretching of a closing lid falls off: the first keeps the skin from folding
over, the second is the most."""
LID_COMES = 3.0
"""A closed lid's own skin is all there from this part of the way down on (1 over it)."""
SKIN_FOLLOWS = 0.12
"""The skin over the crease comes down with the margin by this share of its way."""


class LidSkin:
    """Draws the skin around one eye for margins that have moved.

    The skin next to the upper margin moves with it, lashes and all. A lid that hardly moves is
    stretched; one that closes comes out from under its crease. light: (h, w) on the skin around the
    eye, continued over it; 1 in the eye's mean. skin_colour: how far its channels differ, over the
    brightest.
    """

    def __init__(self, photo: Float, eye: EyeOpening) -> None:
        """photo: (h, w, 4) the eye's box."""
        self._photo, self._eye = photo, eye
        room = BROW_SHARE * (eye.brow - eye.upper)
        self._ceiling = eye.upper + np.maximum(room, MIN_BROW_SHARE * eye.width)
        self._floor = eye.lower - CHEEK_SHARE * eye.width
        self._lid = ClosedLid(photo, eye)
        self.light, self.skin_colour = self._lid.light, self._lid.skin_colour
        self._lashless = self._without_lashes()
        self._rimless = self._without_rim()

    def _without_lashes(self) -> Float:
        """The difference (h, w, 4) that takes lashes off the lid: they point down in a blink."""
        eye = self._eye
        across = max(3, round(LASH_WIDTH_SHARE * eye.width)) | 1
        closed = cv2.morphologyEx(self._photo, cv2.MORPH_CLOSE, np.ones((1, across), np.uint8))
        smooth = cv2.GaussianBlur(closed, (0, 0), 0.25 * across)
        over = (eye.n - eye.upper) / (0.5 * LASH_SHARE * eye.width)
        zone = np.clip(over - 0.6, 0.0, 1.0) * np.clip(8.0 - over, 0.0, 1.0)
        zone *= np.clip(4.0 * eye.shape, 0.0, 1.0)
        # A brow near to the eye keeps its hairs.
        zone *= np.clip((eye.brow - eye.n) / (LASH_SHARE * eye.width), 0.0, 1.0)
        return f32(zone[..., None] * (smooth - self._photo))

    def _without_rim(self) -> Float:
        """The difference (h, w, 4) that takes what shines off the lower lid's rim, white or wet."""
        eye = self._eye
        reach = RIM_SHARE * eye.width
        below = np.maximum(eye.lower - 1.5 * reach - eye.n, 0.0)
        smooth = cv2.GaussianBlur(self._photo, (0, 0), max(0.8, 0.4 * reach))
        skin = eye.drawn_along(smooth, f32(eye.lower - 1.5 * reach - below - eye.n))
        zone = np.clip((eye.n - eye.lower) / reach + 1.5, 0.0, 1.0)
        zone *= np.clip(4.0 * eye.shape, 0.0, 1.0)
        return f32(zone[..., None] * np.minimum(skin - self._photo, 0.0))

    def draw(self, upper: Float, lower: Float, closed: float) -> Float:
        """The photo (h, w, 4) with its lids drawn to the margins upper, lower (h, w) px.

        closed: 0 for the photo's opening, 1 for none.
        """
        eye = self._eye
        lash = LASH_SHARE * eye.width
        rise, sink = upper - eye.upper, lower - eye.lower
        room = np.maximum(self._ceiling - upper - lash, 1.0)
        share_up = 1.0 - np.clip((eye.n - upper - lash) / room, 0.0, 1.0)
        # The skin next to the margin unfolds first.
        power = np.clip(LEAST_UNFOLDED * room / np.maximum(-rise, 1e-3), 1.0, MOST_UNFOLDED)
        share_up **= power
        span = np.maximum(lower - 0.5 * lash - self._floor, 1.0)
        share_down = 1.0 - np.clip((lower - 0.5 * lash - eye.n) / span, 0.0, 1.0)
        lid = min(1.0, LID_COMES * closed)
        over = np.clip((eye.n - self._lid.crease) / lash + 1.0, 0.0, 1.0)
        share_up *= 1.0 - lid * (1.0 - SKIN_FOLLOWS) * over
        photo = self._photo + min(1.0, 1.5 * closed) * self._lashless
        skin = eye.drawn_along(photo, -rise * share_up)
        if lid > 0.0:
            self._lid.lay_over(skin, upper, lid)
        # The wet rim of the lower lid goes out of sight as the eye closes.
        sink = sink + WET_RIM_SHARE * eye.width * closed * eye.shape
        under = np.clip(0.5 * (upper + lower) - eye.n + 0.5, 0.0, 1.0)[..., None]
        photo = self._photo + closed * self._rimless
        skin += under * (eye.drawn_along(photo, -sink * share_down) - skin)
        return f32(skin)
