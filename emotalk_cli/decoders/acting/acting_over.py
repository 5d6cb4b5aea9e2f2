"""An emotion acted over a real neutral clip, whose lips, head and brows stay.

For corpora without emotions. The lips articulate as they did in the video, by MANNER more or less
wide, and what the emotion does to the mouth is put on them by the rule that keeps closed lips
closed (`motion.compose`); eyes, blinks and the rest of the face are the prior's (`acting`).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.decoders.acting.performance import act_face
from emotalk_cli.decoders.acting.speech_beats import beats_of
from emotalk_cli.decoders.direction.emotions import EMOTIONS, EmotionCurve
from emotalk_cli.decoders.lips.mouth import Mouth
from emotalk_cli.decoders.motion import Motion, compose
from emotalk_cli.decoders.training.targets import Parts
from emotalk_cli.schema import AudioFeatures

Float = NDArray[np.float32]

MANNER: Mapping[str, float] = {
    "angry": 1.2,
    "contempt": 0.85,
    "disgusted": 0.95,
    "fear": 1.05,
    "happy": 1.15,
    "neutral": 1.0,
    "sad": 0.8,
    "surprised": 1.15,
}
"""How wide an emotion at full strength articulates. Assumed: anger and joy wider, sadness less; no
figure is taken from anywhere. It makes emotion and speech multiply, not only add up."""


def act_over(
    parts: Parts,
    unit_names: tuple[str, ...],
    mouth: Mouth,
    features: AudioFeatures,
    curve: EmotionCurve,
    fps: float,
    rng: np.random.Generator,
) -> Motion:
    """Performance of a clip taken apart (`targets.take_apart`), relative to the face at rest."""
    times_s = np.arange(len(parts.valid)) / fps
    whole = rested(parts, unit_names, mouth)
    made = act_face(beats_of(features, times_s), curve, unit_names, rng, whole)
    lips = [unit_names.index(name) for name in mouth.units]
    width = curve.weights(times_s) @ np.array([MANNER[name] for name in EMOTIONS], np.float32)
    spoken = np.clip(parts.mouth * width[:, None], 0.0, 1.0).astype(np.float32)
    expression = made.expression.copy()
    expression[:, lips] = compose(spoken, made.expression[:, lips], mouth)
    return Motion(expression, made.head_pose_delta)


def rested(parts: Parts, unit_names: tuple[str, ...], mouth: Mouth) -> Motion:
    """A clip taken apart, put together again relative to the speaker's own face at rest."""
    expression = np.zeros((len(parts.valid), len(unit_names)), np.float32)
    expression[:, [unit_names.index(name) for name in mouth.units]] = parts.mouth
    others = [n for n, name in enumerate(unit_names) if name not in mouth.units]
    expression[:, others] = parts.others
    return Motion(expression, parts.head_pose)
