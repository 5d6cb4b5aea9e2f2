"""The skin of a closed upper lid: what comes out from under its crease as the eye closes.

Its colours go over from the skin above the eye to that under it, its pores are like those under
the eye, and it has the shade of a ball under skin. It hangs on the margin: on its way
down it slides out under the crease, which stays.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from emotalk_cli.render.backdrop import fill_smoothly
from emotalk_cli.render.eye_opening import EyeOpening
from emotalk_cli.render.eyeball import colourfulness
from emotalk_cli.render.projection import f32

Float = NDArray[np.float32]

LASH_SHARE = 0.085
"""Skin this near to a margin (over the eye's width) moves with it as a whole."""
LASH_WIDTH_SHARE = 0.11
"""Lashes are thinner than this, over the eye's width."""
USUAL_CREASE, CREASES, CREASE_STEPS = 0.13, (0.07, 0.36), 24
"""Height of the crease over the margin, over the eye's width: usual, and where it is looked for."""
BROW_SHARE = 0.62
"""A crease, and skin that is surely no brow, end so far up the way to the brow."""
VALLEY, DROP = 0.03, 0.25
"""A crease is darker by this share than the skin above and below it; where it lies in the shade of
the brow, that is darker than the lid by the second share."""
NEAR_BROW, FAR_BROW = 0.20, 0.35
"""Height of the brow, over the eye's width, up to which what is under it tells nothing about the
lid's colours, and from which on it tells all."""
LIGHTER_SHARE = 0.5
"""A lid that comes out of the shade under its crease gets so much nearer to the skin around it."""
BROW_DARK = 0.25
"""How dark a lid lies under a brow that tells nothing."""
CREASE_DARK, SEEN_CREASE_DARK, CREASE_WIDTH = 0.15, 0.08, 0.028
"""How dark the crease of a closed lid is, where the photo shows none and where it shows one, and
half its width over the eye's."""
SHADOW_TINT = f32([0.85, 1.0, 1.05])
LIGHT_SHARE = 0.12
"""What is finer than this, over the eye's width, is no change of light."""
CREASE_SOFT = 0.05
"""The lid goes over into the skin above its crease on so much of the eye's width."""
CREASE_FLATNESS = 0.4
"""Height of the crease over the corners, over that in its middle."""
UNDER_SHARE, PORES_SHARE = 0.13, 0.24
"""Pores come from so far under the eye, and from so high a band, over its width."""
FINE_SHARE, PORES_BOUND = 0.028, 2.5
"""What is finer than this, over the eye's width, counts as pores, within so many deviations."""
MOST_GRAIN = 0.025
"""Grain with a larger deviation, as a share of the light, is hair rather than skin."""
MAD_OF_NORMAL = 0.6745
"""Median of the size of normally distributed values with deviation 1."""
TOP_LIGHT, MARGIN_LIGHT, CREASE_LIGHT, CORNER_LIGHT = 1.03, 0.92, 0.93, 0.94
"""Light on the ball's front, next to the margin, under the crease and in both corners."""


class ClosedLid:
    """A closed lid's skin, and how it lies under the crease.

    crease: (h, w) px, how high the crease stands at each pixel's place along the eye. light:
    (h, w) the smooth light on the skin around the eye, continued over it; 1 in the eye's mean.
    skin_colour: how far that skin's channels differ, over the brightest.
    """

    def __init__(self, photo: Float, eye: EyeOpening) -> None:
        """photo: (h, w, 4) the eye's box."""
        self._eye = eye
        across = max(3, round(LASH_WIDTH_SHARE * eye.width)) | 1
        without = cv2.morphologyEx(photo, cv2.MORPH_CLOSE, np.ones((1, across), np.uint8))
        arch = np.sqrt(np.clip(1.3 * eye.shape, 0.0, 1.0))
        self._bow = f32(CREASE_FLATNESS + (1.0 - CREASE_FLATNESS) * arch)
        share, seen = self._find_crease(cv2.GaussianBlur(without, (0, 0), 0.2 * across))
        self._height = np.maximum(share, LASH_SHARE) * eye.width * self._bow
        self.crease = f32(eye.upper + self._height)
        self._dark = SEEN_CREASE_DARK if seen else CREASE_DARK
        without = cv2.morphologyEx(photo, cv2.MORPH_CLOSE, np.ones((across, across), np.uint8))
        self._skin = self._colours(cv2.GaussianBlur(without, (0, 0), 0.2 * across))
        self._skin[..., :3] *= (self._ball() * self._pores(photo))[..., None]

    def lay_over(self, skin: Float, upper: Float, share: float) -> None:
        """Lay a share of the lid over `skin` (h, w, 4), in place; its margin is at upper (h, w)."""
        eye = self._eye
        lash = LASH_SHARE * eye.width
        soft = max(1.5, CREASE_SOFT * eye.width)
        cover = np.clip((eye.n - upper - 0.6 * lash) / (0.6 * lash), 0.0, 1.0)
        cover *= np.clip((self.crease - eye.n) / soft + 0.5, 0.0, 1.0)
        cover *= share * np.clip(4.0 * eye.shape, 0.0, 1.0)
        lid = eye.drawn_along(self._skin, f32(eye.lower - upper))
        skin += cover[..., None] * (lid - skin)
        # Nothing between the lashes is lighter than the lid: what is, belongs to the eyeball.
        shade = np.clip((eye.n - upper) / lash + 1.0, 0.0, 1.0) * share
        shade *= np.clip((upper - eye.n) / lash + 2.0, 0.0, 1.0) * np.clip(
            4.0 * eye.shape, 0.0, 1.0
        )
        skin += shade[..., None] * np.minimum(lid - skin, 0.0)
        away = (eye.n - self.crease) / max(CREASE_WIDTH * eye.width, 0.7)
        dark = self._dark * share * np.exp(-away * away)
        dark *= np.clip(2.0 * eye.shape - 0.2, 0.0, 1.0)
        skin[..., :3] *= 1.0 - dark[..., None] * SHADOW_TINT

    def _find_crease(self, smooth: Float) -> tuple[float, bool]:
        """The crease's height over the eye's width in the middle, and whether it is seen."""
        eye = self._eye
        level = smooth[..., :3].mean(axis=2)
        middle = (eye.s > 0.25 * eye.width) & (eye.s < 0.75 * eye.width)
        over = (eye.n - eye.upper) / (eye.width * self._bow)
        most = BROW_SHARE * self._brow_share(middle)
        steps = np.linspace(CREASES[0], max(CREASES[0], min(CREASES[1], most)), CREASE_STEPS)
        half = 0.5 * (CREASES[1] - CREASES[0]) / CREASE_STEPS
        bands = [level[middle & (np.abs(over - step) < half)] for step in steps]
        usual = min(USUAL_CREASE, most), False
        if not all(len(band) for band in bands):
            return usual
        light = np.array([band.mean() for band in bands])
        below = np.maximum.accumulate(light)
        above = np.maximum.accumulate(light[::-1])[::-1]
        depth = 1.0 - light / np.maximum(np.minimum(below, above), 1.0)
        deepest = int(np.argmax(depth))
        if depth[deepest] > VALLEY:
            return float(steps[deepest]), True
        peak, last = int(np.argmax(light)), float(light[-1])
        if last < (1.0 - DROP) * light[peak]:
            shaded = light[peak:] < 0.5 * (last + light[peak])
            return float(steps[peak + int(np.argmax(shaded))]), True
        return usual

    def _brow_share(self, middle: NDArray[np.bool_]) -> float:
        """The brow's height over the eye, over its width."""
        eye = self._eye
        return float((eye.brow - eye.upper)[middle].mean()) / eye.width if middle.any() else 0.0

    def _colours(self, smooth: Float) -> Float:
        """The lid's smooth colours (h, w, 4) with the eye closed."""
        eye = self._eye
        beside = (eye.s > -0.15 * eye.width) & (eye.s < 1.15 * eye.width)
        top = eye.upper + BROW_SHARE * (eye.brow - eye.upper)
        above = (eye.n > self.crease + 0.05 * eye.width) & (eye.n < top) & beside
        under = (eye.n < eye.lower - UNDER_SHARE * eye.width) & beside
        under &= eye.n > eye.lower - 0.4 * eye.width
        # What the photo shows of the lid comes down with its margin.
        over = eye.n - eye.lower
        strip = (over > 1.2 * LASH_SHARE * eye.width) & (over < 0.75 * self._height)
        strip &= eye.shape > 0.3
        picture = np.where(strip[..., None], eye.drawn_along(smooth, eye.gap), smooth)
        brow = self._brow_share((eye.s > 0.0) & (eye.s < eye.width))
        trust = float(np.clip((brow - NEAR_BROW) / (FAR_BROW - NEAR_BROW), 0.0, 1.0))
        known = np.where(under, 1.0, np.where(above, trust, 0.0)) + 1e-5
        plain = fill_smoothly(smooth, f32(np.minimum(known, 1.0)))
        self.light = self._smooth_light(plain)
        self.skin_colour = float(np.median(colourfulness(plain)[eye.shape > 0.3]))
        known = np.maximum(known, np.where(strip, trust, 0.0))
        filled = fill_smoothly(f32(picture), f32(np.minimum(known, 1.0)))
        filled += LIGHTER_SHARE * np.maximum(plain - filled, 0.0)
        filled[..., :3] *= 1.0 - BROW_DARK * (1.0 - trust)
        return f32(cv2.GaussianBlur(filled, (0, 0), max(0.8, 0.03 * eye.width)))

    def _smooth_light(self, skin: Float) -> Float:
        light = cv2.GaussianBlur(skin[..., :3].mean(axis=2), (0, 0), LIGHT_SHARE * self._eye.width)
        mean = float((light * self._eye.shape).sum()) / max(float(self._eye.shape.sum()), 1e-3)
        return f32(light / max(mean, 1.0))

    def _ball(self) -> Float:
        """Light (h, w) on the closed lid: a ball under skin, lit from above."""
        eye = self._eye
        height = np.maximum(self.crease - eye.lower, 1.0)
        at = np.clip((eye.n - eye.lower) / height, 0.0, 1.0)
        light = np.interp(at, [0.0, 0.25, 0.6, 1.0], [MARGIN_LIGHT, 0.98, TOP_LIGHT, CREASE_LIGHT])
        light = cv2.GaussianBlur(f32(light), (0, 0), max(0.8, 0.04 * eye.width))
        aside = np.clip(np.abs(2.0 * eye.s / eye.width - 1.0), 0.0, 1.0) ** 3
        return f32(light * (1.0 - (1.0 - CORNER_LIGHT) * aside))

    def _pores(self, photo: Float) -> Float:
        """Grain (h, w) like that of the skin under the eye, as shares of its light.

        Random shot noise of that skin (Galerne, Gousseau and Morel, "Random phase textures", 2011):
        as fine and as strong, but without its wrinkles and strands of hair in their places.
        """
        eye = self._eye
        light = photo[..., :3].mean(axis=2) + 1.0
        grain = light / cv2.GaussianBlur(light, (0, 0), max(1.0, FINE_SHARE * eye.width)) - 1.0
        start = eye.lower - UNDER_SHARE * eye.width
        known = (eye.n < start) & (eye.n > start - PORES_SHARE * eye.width)
        known &= (eye.s > 0.1 * eye.width) & (eye.s < 0.9 * eye.width)
        # Hair mostly falls over one end of an eye: the calmer half shows its skin.
        halves = [known & (eye.s < 0.5 * eye.width), known & (eye.s >= 0.5 * eye.width)]
        if not all(half.any() for half in halves):
            return np.ones_like(light)
        strengths = [float(np.median(np.abs(grain[half]))) for half in halves]
        known = halves[int(np.argmin(strengths))]
        usual = min(min(strengths) / MAD_OF_NORMAL, MOST_GRAIN)
        grain = np.clip(grain, -PORES_BOUND * usual, PORES_BOUND * usual) * known
        noise = np.random.default_rng(0).standard_normal(light.shape) / np.sqrt(known.sum())
        mixed = np.fft.irfft2(np.fft.rfft2(grain) * np.fft.rfft2(noise), light.shape)
        return f32(1.0 + mixed)
