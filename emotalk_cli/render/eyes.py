"""Eyes: gaze and lids, painted into the photo's texture around each eye.

The lids' margins come from the model's landmarks. Between them stands the eyeball, whose iris is
cut out of the photo, completed and moved; the skin above and below is drawn along with its margin,
so that the photo's own lashes come down in a blink.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.parts import FaceGeometry
from emotalk_cli.render.eye_motion import EyeMotion, within_lids
from emotalk_cli.render.eye_opening import EYES, EyeOpening, EyePoints
from emotalk_cli.render.eyeball import Eyeball, EyeLight
from emotalk_cli.render.lid_skin import LidSkin
from emotalk_cli.render.projection import f32
from emotalk_cli.render.registration import Registered
from emotalk_cli.render.texture import Texture

Float = NDArray[np.float32]

LOWER_LID_SINKS = 0.25
"""The lower lid goes down by this share of what the units say: white under the iris looks mad."""
LOWER_LID_LIMIT = 0.4
"""The lower lid rises at most by this share of the eye's opening."""
EDGE_SHARE = 0.035
"""Reach of the shade next to both lids, over the eye's width."""
SHADOW_SHARE, SHADOW_DEPTH = 0.10, 0.45
"""Reach (over the eye's width) and strength of the upper lid's shadow on the eyeball."""
SURE_HAIR = (0.5, 0.8)
"""From the first to the second share of hair, lids and eyeballs are more and more behind it."""

BESIDE_EYE, HAIR_PLACES = (0.2, 0.45), 40
"""Hair is looked for so far above and below an eye, over its width, at so many places along it."""


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
        hair: Float | None = None,
    ) -> None:
        """landmarks: (478, 2) px in the photo. still: (E,) the photo's expression. shape: (S,).

        hair: (H, W) in 0..1, what hangs before the eyes and stays as it is.
        """
        neutral, units = model.landmark_bases(shape)
        self._eyes = [
            _Eye(eye, landmarks, texture, EyeMotion(eye, neutral, units, still, registered), hair)
            for eye in EYES
        ]

    def update(self, expression: Float) -> None:
        """Paint the eyes for an expression (E,) into the texture."""
        for eye in self._eyes:
            eye.update(expression)


class _Eye:
    def __init__(
        self,
        points: EyePoints,
        landmarks: Float,
        texture: Texture,
        motion: EyeMotion,
        hair: Float | None,
    ) -> None:
        height = int(texture.corners[1, 1] + texture.box[1]) - 2 * texture.margin_px
        width = texture.pixels.shape[1] - 2 * texture.margin_px
        self._motion = motion
        self._eye = eye = EyeOpening(points, landmarks, (width, height))
        self._most_px = float(eye.gap.max())
        self._window = texture.window(eye.box)
        photo = self._window.copy()
        self._lids = LidSkin(photo, eye)
        iris = landmarks[points.iris : points.iris + 5]
        self._radius = max(1.0, float(np.linalg.norm(iris[1:] - iris[0], axis=1).mean()))
        self._ball = Eyeball(
            photo,
            eye.cover(eye.upper, eye.lower, 1.0),
            iris[0] - f32(eye.box[:2]),
            self._radius,
            eye.up,
            f32(2.0 * eye.s / eye.width - 1.0),
            EyeLight(self._lids.light * self._lid_shadow(eye.upper), self._lids.skin_colour),
        )
        self._hair = None if hair is None else hair_before_eye(hair, eye)
        self._photo = photo
        self._last = np.zeros(4, np.float32) - 9.0

    def update(self, expression: Float) -> None:
        """Paint the eye for an expression (E,)."""
        eye = self._eye
        openness = self._motion.openness(expression)
        limit = LOWER_LID_LIMIT * self._most_px
        low = self._motion.low_px(expression)
        low = float(np.clip(low if low > 0.0 else LOWER_LID_SINKS * low, -limit, limit))
        shift = within_lids(self._motion.iris_px(expression), eye.up, self._radius)
        state = f32([openness * self._most_px, low, *shift])
        if float(np.abs(state - self._last).max()) < 0.03:
            return
        self._last = state
        lower = eye.lower + low * eye.shape
        upper = lower + openness * eye.gap
        skin = self._lids.draw(upper, lower, float(np.clip(1.0 - openness, 0.0, 1.0)))
        lids_px = max(abs(openness - 1.0) * self._most_px, abs(low)) * eye.shape
        near = np.minimum(upper - eye.n, eye.n - lower) / (EDGE_SHARE * eye.width)
        ball = self._ball.draw(shift, lids_px, np.exp(-np.maximum(near, 0.0)))
        ball[..., :3] *= self._shadow(upper)[..., None]
        cover = eye.cover(upper, lower, 0.0) * np.clip(upper - lower, 0.0, 1.0)
        # Where the margin stands as in the photo, nothing may change.
        picture = skin + cover[..., None] * (ball - skin)
        if self._hair is not None:
            picture += self._hair * (self._photo - picture)
        np.clip(picture, 0.0, 255.0, out=self._window)

    def _shadow(self, upper: Float) -> Float:
        """How the upper lid's shadow changes on the eyeball against the photo."""
        ratio = self._lid_shadow(upper) / self._lid_shadow(self._eye.upper)
        return f32(np.clip(ratio, 0.5, 1.15))

    def _lid_shadow(self, upper: Float) -> Float:
        """Light (h, w) on the eyeball under an upper lid whose margin is at upper (h, w) px."""
        away = np.maximum(upper - self._eye.n, 0.0) / (SHADOW_SHARE * self._eye.width)
        return f32(1.0 - SHADOW_DEPTH * np.exp(-away))


def hair_before_eye(hair: Float, eye: EyeOpening) -> Float | None:
    """Where (h, w, 1) in an eye's box hair (H, W) surely hangs; None if nowhere.

    It comes down from above the eye and goes on below it; lashes and shades do not.
    """
    x0, y0, x1, y1 = eye.box
    share = hair[y0:y1, x0:x1]
    places = np.linspace(-0.75, 1.75, HAIR_PLACES) * eye.width
    place = np.clip(np.searchsorted(places, eye.s.ravel()), 0, HAIR_PLACES - 1)
    through = np.ones(HAIR_PLACES)
    for away in (eye.n - eye.upper, eye.lower - eye.n):
        low, high = (bound * eye.width for bound in BESIDE_EYE)
        beside = ((away > low) & (away < high)).ravel().astype(np.float64)
        amount = np.bincount(place, beside * share.ravel(), HAIR_PLACES)
        through = np.minimum(
            through, amount / np.maximum(np.bincount(place, beside, HAIR_PLACES), 1.0)
        )
    low, high = SURE_HAIR
    hangs = np.interp(eye.s, places, through)
    sure = np.clip((np.minimum(share, hangs) - low) / (high - low), 0.0, 1.0)[..., None]
    return f32(sure) if sure.any() else None
