"""Direction: what a user asks of a performance beside its words, put on decoded motion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.decoders.acting.gaze import DOWN_DEG_PER_UNIT, UP_DEG_PER_UNIT, YAW_DEG_PER_UNIT
from emotalk_cli.decoders.acting.speech_beats import beats_of, silence
from emotalk_cli.decoders.direction.emotions import (
    EMOTIONS,
    NEUTRAL,
    EmotionCurve,
    ease,
    emotion_curve,
)
from emotalk_cli.decoders.direction.eye_direction import (
    aside_deg,
    blink_at_rate,
    eye_units,
    gaze_of,
    look_at,
    steady_gaze,
)
from emotalk_cli.decoders.direction.style import Style, put_on
from emotalk_cli.decoders.direction.voice_strength import voice_strength
from emotalk_cli.decoders.lips.mouth import Mouth
from emotalk_cli.decoders.motion import Motion, compose, pose_delta, resample
from emotalk_cli.errors import EmotalkError
from emotalk_cli.schema import AudioFeatures, FaceTrack

Float = NDArray[np.float32]
Gaze = str | tuple[float, float]

CAMERA, WANDER = "camera", "wander"
UPPER = ("brow", "cheekSquint", "eyeSquint", "eyeWide", "nose")
LOWER = ("jaw", "mouth", "tongue", "cheekPuff")
"""Beginnings of the names of the units of the upper and of the lower face; blinks and gaze are
neither."""
MAX_STRENGTH = 2.0
MAX_BLINK_RATE = 60.0
"""Blinks a minute; one takes a third of a second."""
MAX_POSE_DEG = 45.0
"""Further from its rest a head shows what a photo does not."""
ONSET_S = 0.7
"""How long an emotion grows at the start; spontaneous smiles rise in 0.5 to 0.7 s (Schmidt,
Ambadar, Cohn & Reed 2006)."""
MAX_ONSET_S = 60.0


@dataclass(frozen=True)
class Direction:
    """What is asked for. The defaults leave decoded motion as it is.

    `emotion`: over time. `onset_s`: how long it takes to grow from neutral at the start, 0 for
    at once. `upper_strength`, `lower_strength` 0..2: how far brows, lids, cheeks and nose, and
    how far mouth and jaw move; 1 as decoded. `head_motion` 0..1; 0 holds still. `blink_rate` per
    minute, 0..60; None as decoded. `gaze`: "wander" as decoded, "camera", or (yaw, pitch) in
    degrees from the camera: yaw to the subject's left (the viewer's right), pitch upwards.
    `pose`: a track whose head motion replaces the decoded one. `style`: how somebody moves.
    Raises EmotalkError for values out of range.
    """

    emotion: EmotionCurve = field(default_factory=lambda: emotion_curve("neutral", 1.0))
    onset_s: float = ONSET_S
    upper_strength: float = 1.0
    lower_strength: float = 1.0
    head_motion: float = 1.0
    blink_rate: float | None = None
    gaze: Gaze = WANDER
    pose: FaceTrack | None = None
    style: Style | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be done."""
        _within("onset of the emotion", self.onset_s, 0.0, MAX_ONSET_S, "seconds")
        _within("upper strength", self.upper_strength, 0.0, MAX_STRENGTH, "1 is as decoded")
        _within("lower strength", self.lower_strength, 0.0, MAX_STRENGTH, "1 is as decoded")
        _within("head motion", self.head_motion, 0.0, 1.0, "0 holds the head still")
        if self.blink_rate is not None:
            _within("blink rate", self.blink_rate, 0.0, MAX_BLINK_RATE, "blinks per minute")
        if isinstance(self.gaze, tuple):
            _within("gaze's yaw", self.gaze[0], -YAW_DEG_PER_UNIT, YAW_DEG_PER_UNIT, _DEGREES)
            _within("gaze's pitch", self.gaze[1], -DOWN_DEG_PER_UNIT, UP_DEG_PER_UNIT, _DEGREES)
        elif self.gaze not in (CAMERA, WANDER):
            raise EmotalkError(f"There is no gaze '{self.gaze}'.", _GAZE_HELP)
        if self.pose is not None:
            _check_pose(self.pose)


_DEGREES = "degrees, as far as the eyes turn"
_GAZE_HELP = "Known: camera, wander, or YAW,PITCH in degrees such as 8,-3."


def parse_gaze(text: str) -> Gaze:
    """`camera`, `wander` or `YAW,PITCH` -> what `Direction.gaze` takes; else EmotalkError."""
    word = text.strip().lower()
    if word in (CAMERA, WANDER):
        return word
    try:
        yaw, pitch = (float(part) for part in word.split(","))
    except ValueError as error:
        raise EmotalkError(f"'{text.strip()}' is no gaze.", _GAZE_HELP) from error
    return yaw, pitch


def weights_of(
    direction: Direction, features: AudioFeatures, times_s: NDArray[np.float64]
) -> Float:
    """Emotion weights (T, 8) in 0..1 at times (T,) in s; every row sums to 1.

    Emotions written with `auto` follow the voice; whatever there is at the start grows from
    neutral within `onset_s`.
    """
    times = np.asarray(times_s, np.float64)
    curve = direction.emotion
    voice = voice_strength(features, times) if curve.follows_voice else np.ones(len(times))
    weights = curve.weights(times, voice)
    if direction.onset_s > 0:
        phase = np.clip(times / direction.onset_s, 0, 1)
        grown = ease(phase)[:, None].astype(np.float32)
        weights = grown * weights + (1 - grown) * np.eye(len(EMOTIONS), dtype=np.float32)[NEUTRAL]
    return np.asarray(weights, np.float32)


def direct(
    motion: Motion,
    direction: Direction,
    features: AudioFeatures | None,
    *,
    fps: float,
    seed: int,
    units: Sequence[str],
    mouth: Mouth | None = None,
    photo: FaceTrack | None = None,
) -> Motion:
    """Decoded motion, expression (T, E) of `units` and head (T, 6), as the direction asks.

    `mouth`: that of the person, so that stronger lips still close; `photo`: the fitted photo, whose
    eyes may look aside and are brought back where a gaze is asked for; the same `seed` gives the
    same motion. `features` of the speech tell where blinks like to fall; without them all is taken
    for a pause. Emotion is not dealt with here (see `weights_of`).
    """
    rng = np.random.default_rng((seed, 7))
    times = np.arange(len(motion.expression)) / fps
    before = motion
    if direction.style is not None:
        motion = put_on(direction.style, motion, units, fps)
    motion = _strengthened(motion, direction, units)
    if mouth is not None and motion is not before:
        motion = _still_closing(motion, before, units, mouth)
    motion = _turned(motion, direction, fps)
    motion = _looking(motion, before, direction, photo, times, units, rng)
    if direction.blink_rate is not None:
        columns, names = eye_units(units)
        eyes = blink_at_rate(
            motion.expression[:, columns].astype(np.float64),
            names,
            beats_of(features, times) if features else silence(times),
            direction.blink_rate,
            rng,
        )
        expression = np.clip(motion.expression, 0, 1)
        expression[:, columns] = np.clip(eyes, 0, 1)
        motion = replace(motion, expression=expression)
    return motion


def _strengthened(motion: Motion, direction: Direction, units: Sequence[str]) -> Motion:
    if direction.upper_strength == direction.lower_strength == 1.0:
        return motion
    expression = motion.expression.copy()
    for starts, strength in ((UPPER, direction.upper_strength), (LOWER, direction.lower_strength)):
        chosen = [n for n, name in enumerate(units) if name.startswith(starts)]
        expression[:, chosen] *= np.float32(strength)
    return replace(motion, expression=np.clip(expression, 0, 1))


def _still_closing(motion: Motion, before: Motion, units: Sequence[str], mouth: Mouth) -> Motion:
    """The motion with its lips shut wherever they were before."""
    lips = [units.index(name) for name in mouth.units]
    spoken, expression = before.expression[:, lips], motion.expression.copy()
    expression[:, lips] = compose(spoken, expression[:, lips] - spoken, mouth)
    return replace(motion, expression=expression)


def _turned(motion: Motion, direction: Direction, fps: float) -> Motion:
    """The head's motion, decoded or taken from a clip, as far as is asked for."""
    delta = motion.head_pose_delta
    if direction.pose is not None:
        delta = _pose_over(direction.pose, len(delta), fps)
    if delta is motion.head_pose_delta and direction.head_motion == 1.0:
        return motion
    return replace(motion, head_pose_delta=delta * np.float32(direction.head_motion))


def _pose_over(track: FaceTrack, frames: int, fps: float) -> Float:
    """The head motion (T, 6) of a clip; a shorter one goes to and fro."""
    delta = pose_delta(track.head_pose, track.valid, track.rest_pose)
    last = len(delta) - 1
    at = np.arange(frames) * track.fps / fps
    if last:
        at = last - np.abs(last - at % (2 * last))
    return resample(delta, at)


def _looking(
    motion: Motion,
    before: Motion,
    direction: Direction,
    photo: FaceTrack | None,
    times_s: NDArray[np.float64],
    units: Sequence[str],
    rng: np.random.Generator,
) -> Motion:
    """Eyes on what they are asked to look at, or still on what they looked at before the head
    was told to move otherwise.
    """
    if direction.gaze == WANDER and motion.head_pose_delta is before.head_pose_delta:
        return motion
    head = motion.head_pose_delta.astype(np.float64)
    columns, names = eye_units(units)
    eyes = motion.expression[:, columns].astype(np.float64)
    if direction.gaze != WANDER:
        yaw, pitch = (0.0, 0.0) if isinstance(direction.gaze, str) else direction.gaze
        aside = aside_deg(photo) if photo else 0.0
        path = steady_gaze(times_s, (yaw - aside, pitch), rng)
        eyes = look_at(eyes, names, path, head, counter_turn=1.0)
    else:
        old = before.head_pose_delta.astype(np.float64)
        path = gaze_of(before.expression[:, columns].astype(np.float64), names, old)
        eyes = look_at(eyes, names, path, head)
    expression = motion.expression.copy()
    expression[:, columns] = eyes
    return replace(motion, expression=expression)


def _check_pose(track: FaceTrack) -> None:
    delta = pose_delta(track.head_pose, track.valid, track.rest_pose)
    furthest = float(np.degrees(np.quantile(np.linalg.norm(delta[:, :3], axis=1), 0.99)))
    if furthest > MAX_POSE_DEG:
        raise EmotalkError(
            f"The head of the pose track turns by {furthest:.0f} degrees.",
            f"Give a track that stays within {MAX_POSE_DEG:g} degrees of its rest.",
        )


def _within(what: str, value: float, low: float, high: float, meaning: str) -> None:
    if not low <= value <= high:
        raise EmotalkError(
            f"The {what} is {value:g}.", f"Give a number from {low:g} to {high:g} ({meaning})."
        )
