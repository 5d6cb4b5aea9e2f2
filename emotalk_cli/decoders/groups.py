"""Groups: which channels the lip, the emotion and the single decoder predict."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.decoders.motion import POSE_NAMES
from emotalk_cli.decoders.spec import Spec
from emotalk_cli.decoders.training.targets import Parts

Float = NDArray[np.float32]

COLOUR_PREFIX = "colour:"


def output_names(group: str, lip_units: Sequence[str], other_units: Sequence[str]) -> list[str]:
    """Names of the channels that a group predicts, in order."""
    if group == "lip":
        return list(lip_units)
    if group == "emo":
        return [*other_units, *(COLOUR_PREFIX + name for name in lip_units), *POSE_NAMES]
    return [*lip_units, *other_units, *POSE_NAMES]


def target(group: str, parts: Parts) -> Float:
    """The parts of a track -> what the group should predict (T, D), in natural units."""
    if group == "lip":
        return parts.articulation
    if group == "emo":
        columns = (parts.others, parts.colour, parts.head_pose)
    else:
        columns = (parts.mouth, parts.others, parts.head_pose)
    return np.concatenate(columns, axis=1).astype(np.float32)


def colour_of(spec: Spec, predicted: Float) -> Float:
    """What the emotion decoder says of the mouth: (T, D) -> colour (T, L)."""
    first = len(spec.other_units)
    return np.clip(predicted[:, first : first + len(spec.lip_units)], 0.0, 1.0)


def face_of(spec: Spec, predicted: Float) -> tuple[Float, Float]:
    """Of an emotion or single decoder: (T, D) -> others (T, O) in 0..1, head pose (T, 6)."""
    first = len(spec.lip_units) if spec.group == "single" else 0
    others = predicted[:, first : first + len(spec.other_units)]
    return np.clip(others, 0.0, 1.0), predicted[:, -len(POSE_NAMES) :]


def mouth_of_single(spec: Spec, predicted: Float) -> Float:
    """What the single decoder says of the mouth: (T, D) -> (T, L) in 0..1."""
    return np.clip(predicted[:, : len(spec.lip_units)], 0.0, 1.0)


def whole_face(spec: Spec, mouth: Float, others: Float) -> Float:
    """Mouth (T, L) and other units (T, O) -> expression (T, E) in the face model's order."""
    expression = np.zeros((len(mouth), len(spec.expression_names)), np.float32)
    expression[:, [spec.expression_names.index(name) for name in spec.lip_units]] = mouth
    expression[:, [spec.expression_names.index(name) for name in spec.other_units]] = others
    return expression
