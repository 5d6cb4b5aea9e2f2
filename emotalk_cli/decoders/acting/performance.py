"""The prior of the emotion decoder: an emotion and a voice become the motion of a living face.

Prototypes of the emotions, growing and fading with the voice, plus blinks, gaze, head motion and
brows that rise with accents. It is a generator of training data where no emotional corpus is at
hand; what it assumes stands, with sources, in prototypes, blinks, gaze and head_motion.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.decoders.acting.blinks import RATE_PER_MINUTE, blink_times, lid_closure
from emotalk_cli.decoders.acting.gaze import gaze_path, look_units
from emotalk_cli.decoders.acting.head_motion import TRACKER_SIGMA, head_motion
from emotalk_cli.decoders.acting.prototypes import prototypes
from emotalk_cli.decoders.acting.speech_beats import Beats
from emotalk_cli.decoders.direction.emotions import EMOTIONS, EmotionCurve
from emotalk_cli.decoders.motion import Motion

Float = NDArray[np.float64]

UPPER_LEAD_S = 0.06
"""Brows and eyes are ahead of the mouth by about this much."""
SIDE_LAG_S = 0.025
SIDE_SPREAD = 0.05
"""Spread of the lag and of the strength of the two halves of a face."""
LEVEL_SPREAD = 0.06
LEVEL_S = 1.6
"""Spread and tempo of an emotion's slow rise and fall."""
QUIET_LEVEL = 0.78
LOUD_GAIN = 0.28
"""An emotion fades in silence and grows with the voice: most on the loud words."""
BROW_FLASH = 0.30
"""Height of the brows at the strongest accent (F. Cavé et al. 1996: brows rise with pitch)."""
BROW_CHANCE = 0.45
BROW_S = 0.16
IDLE = 0.03
"""Size of the small movements of a resting face."""
IDLE_UNITS = ("browInnerUp", "browDown", "eyeSquint", "cheekSquint", "noseSneer")
REAL_LIMIT = 0.35
"""Brows, cheeks and nose of a real neutral speaker rise at most so far: seen by a tracker, a head
that nods can seem to raise its brows."""
TALKING_JAW = 0.5
"""Share of the emotion's open jaw that is left while the mouth has to speak."""


@dataclass(frozen=True)
class EyeManner:
    """What an emotion at full strength does to eyes: factors, and angles in degrees.

    `look_deg`: where they look when they leave the camera; `droop_deg`: how far below the camera
    they stay.
    """

    blinks: float = 1.0
    restlessness: float = 1.0
    look_deg: tuple[float, float] = (0.0, 0.0)
    droop_deg: float = 0.0


EYE_MANNERS: Mapping[str, EyeManner] = {
    "angry": EyeManner(0.75, 0.5),
    "contempt": EyeManner(0.9, 1.1, (5.0, -2.0)),
    "disgusted": EyeManner(1.2, 1.3, (-4.0, -3.0)),
    "fear": EyeManner(1.3, 1.8, (0.0, 0.0)),
    "happy": EyeManner(1.1, 0.9),
    "neutral": EyeManner(),
    "sad": EyeManner(1.0, 1.5, (0.0, -7.0), 6.0),
    "surprised": EyeManner(0.7, 0.5),
}


def act_face(
    beats: Beats,
    curve: EmotionCurve,
    unit_names: Sequence[str],
    rng: np.random.Generator,
    real: Motion | None = None,
) -> Motion:
    """One performance: expression (T, E) in 0..1 of `unit_names` and head pose deltas (T, 6).

    The mouth's units hold what the emotion does to the mouth; articulation is the lip decoder's.
    `real`: motion of a neutral speaker who says the same, whose head and upper face are kept.
    """
    weights = curve.weights(beats.times_s).astype(np.float64)
    faces = _Faces(unit_names, len(beats.times_s))
    _put_emotion(faces, beats, curve, rng)
    _put_brows(faces, beats, weights, rng)
    real_head = None
    if real is None:
        _put_idle(faces, beats, rng)
    else:
        faces.values += _upper_only(real.expression.astype(np.float64), unit_names)
        real_head = real.head_pose_delta.astype(np.float64)
    head = head_motion(beats, weights, rng, real_head)
    _put_eyes(faces, beats, weights, head, rng)
    expression = np.clip(faces.values, 0, 1).astype(np.float32)
    return Motion(expression, head.astype(np.float32))


class _Faces:
    """Expression over time whose columns are found by name; unknown names are ignored."""

    def __init__(self, unit_names: Sequence[str], frames: int) -> None:
        self.names = tuple(unit_names)
        self.values = np.zeros((frames, len(self.names)))

    def columns(self, unit: str) -> list[int]:
        """Columns of a unit, or of both of its sides."""
        sides = (unit, unit + "Left", unit + "Right")
        return [n for n, name in enumerate(self.names) if name in sides]

    def add(self, unit: str, values: Float) -> None:
        """Add (T,) to a unit, or to both of its sides."""
        for column in self.columns(unit):
            self.values[:, column] += values

    def raise_by(self, unit: str, values: Float) -> None:
        """Add (T,) to a unit, or to both of its sides, the less the nearer they are to 1."""
        for column in self.columns(unit):
            self.values[:, column] += values * np.clip(1 - self.values[:, column], 0, 1)

    def scale(self, unit: str, factor: Float) -> None:
        """Multiply a unit, or both of its sides, by (T,)."""
        for column in self.columns(unit):
            self.values[:, column] *= factor


def _put_emotion(
    faces: _Faces, beats: Beats, curve: EmotionCurve, rng: np.random.Generator
) -> None:
    """The prototypes in their strength over time; the face's quarters differ a little."""
    table = prototypes(faces.names).astype(np.float64)
    fps = _fps(beats)
    level = QUIET_LEVEL + LOUD_GAIN * _smooth(beats.energy, 0.3 * fps)
    level = level + LEVEL_SPREAD * _noise(len(level), LEVEL_S * fps, rng)
    is_mouth = np.array([name.startswith(("mouth", "jaw")) for name in faces.names])
    is_right = np.array([name.endswith("Right") for name in faces.names])
    for mouth in (False, True):
        for right in (False, True):
            chosen = (is_mouth == mouth) & (is_right == right)
            lag = rng.normal(0, SIDE_LAG_S) + (UPPER_LEAD_S / 2 if mouth else -UPPER_LEAD_S / 2)
            gain = 1 + rng.normal(0, SIDE_SPREAD)
            weights = curve.weights(np.maximum(beats.times_s - lag, 0))
            faces.values[:, chosen] = (weights @ table[:, chosen]) * (gain * level)[:, None]
    speaking = _smooth(beats.speaking, 0.15 * fps)
    faces.scale("jawOpen", 1 - (1 - TALKING_JAW) * speaking)


def _put_brows(faces: _Faces, beats: Beats, weights: Float, rng: np.random.Generator) -> None:
    """Brows rise with accents; in anger and disgust they knit instead."""
    frown = weights[:, EMOTIONS.index("angry")] + weights[:, EMOTIONS.index("disgusted")]
    for when, strength in zip(beats.accents_s, beats.accents, strict=True):
        if rng.random() > BROW_CHANCE:
            continue
        lag = float(rng.normal(0, 0.04))
        course = np.exp(
            -0.5 * ((beats.times_s - when - lag) / (BROW_S * rng.uniform(0.8, 1.4))) ** 2
        )
        height = BROW_FLASH * (0.3 + 0.7 * strength) * course
        faces.raise_by("browInnerUp", 0.8 * height * (1 - np.clip(frown, 0, 1)))
        faces.raise_by("browOuterUp", height * (1 - np.clip(frown, 0, 1)))
        faces.raise_by("browDown", 0.6 * height * np.clip(frown, 0, 1))


def _put_idle(faces: _Faces, beats: Beats, rng: np.random.Generator) -> None:
    for unit in IDLE_UNITS:
        noise = _noise(len(beats.times_s), 1.2 * _fps(beats), rng)
        faces.add(unit, IDLE * np.maximum(noise + 0.5, 0))


def _put_eyes(
    faces: _Faces, beats: Beats, weights: Float, head: Float, rng: np.random.Generator
) -> None:
    """Gaze and blinks from where the emotion holds the lids; a closed lid is not wide or narrow."""
    path = gaze_path(beats, _eye(weights, "restlessness"), weights @ _looks(), rng)
    angles = path.angles_deg - np.outer(_eye(weights, "droop_deg"), (0.0, 1.0))
    for unit, values in look_units(angles, head).items():
        faces.add(unit, values)
    rate = RATE_PER_MINUTE * _eye(weights, "blinks")
    blinks = blink_times(beats, rng, rate, path.shifts_s)
    closed = lid_closure(beats.times_s, blinks, rng)
    faces.raise_by("eyeBlink", closed)
    faces.scale("eyeWide", 1 - closed)
    faces.scale("eyeSquint", 1 - 0.7 * closed)


def _upper_only(expression: Float, unit_names: Sequence[str]) -> Float:
    """Brows, cheeks and nose of a real clip above its own rest; eyes and mouth are made here."""
    kept = np.array([name.startswith(("brow", "cheek", "nose")) for name in unit_names])
    steady = _smooth(expression, TRACKER_SIGMA)
    above = np.maximum(steady - np.median(steady, axis=0), 0)
    above = REAL_LIMIT * np.tanh(above / REAL_LIMIT)
    return np.asarray(np.where(kept, above, 0.0))


def _eye(weights: Float, field: str) -> Float:
    return np.asarray(weights @ np.array([getattr(EYE_MANNERS[e], field) for e in EMOTIONS]))


def _looks() -> Float:
    return np.array([EYE_MANNERS[emotion].look_deg for emotion in EMOTIONS])


def _fps(beats: Beats) -> float:
    return float((len(beats.times_s) - 1) / (beats.times_s[-1] - beats.times_s[0]))


def _smooth(values: Float, sigma: float) -> Float:
    from scipy.ndimage import gaussian_filter1d

    return np.asarray(gaussian_filter1d(values, sigma, axis=0, mode="nearest"))


def _noise(frames: int, sigma: float, rng: np.random.Generator) -> Float:
    """Smooth noise (T,) of unit spread."""
    pad = int(4 * sigma)
    raw = _smooth(rng.normal(size=frames + 2 * pad), sigma)[pad : pad + frames]
    return np.asarray(raw * np.sqrt(2 * np.sqrt(np.pi) * sigma))
