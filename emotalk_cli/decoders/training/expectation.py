"""What is expected of each output before the network says more: its mean and spread per emotion.

The network learns what differs from the mean face and pose of an emotion, not that face again, so
that small motion around a strong expression is as large to it as it is to a viewer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.decoders.motion import POSE_NAMES
from emotalk_cli.decoders.spec import Spec

Float = NDArray[np.float32]

UNIT_FLOOR = 0.02
POSE_FLOORS = (0.004, 0.004, 0.004, 0.001, 0.001, 0.001)
"""No channel is normalised by less than this: 2 % of a unit, rad, m."""
RIDGE_FRAMES = 1.0
"""An emotion counts as if one frame more had shown nothing of it."""


@dataclass(frozen=True)
class Expectation:
    """`mean` (D) without emotion, `by_emotion` (7, D) added by each at full strength, `scale` (D)
    of what is left.
    """

    mean: Float
    by_emotion: Float
    scale: Float


def learn_expectation(
    targets: Sequence[Float],
    emotions: Sequence[Float],
    outputs: Sequence[str],
    plain: Sequence[str] = (),
) -> Expectation:
    """Least squares over many targets (T, D) with emotions (T, 7); one never shown adds nothing.

    `outputs` (D) names the channels; to those in `plain` no emotion adds anything.
    """
    width = emotions[0].shape[1]
    gram, moment = np.zeros((1 + width, 1 + width)), np.zeros((1 + width, len(outputs)))
    for target, emotion in zip(targets, emotions, strict=True):
        told = np.column_stack([np.ones(len(emotion)), emotion]).astype(np.float64)
        gram += told.T @ told
        moment += told.T @ target.astype(np.float64)
    ridge = np.diag([0.0] + [RIDGE_FRAMES] * width)
    found = np.linalg.solve(gram + ridge, moment)
    same = np.isin(outputs, list(plain))
    found[0, same], found[1:, same] = moment[0, same] / gram[0, 0], 0.0
    square, frames = np.zeros(len(outputs)), 0
    for target, emotion in zip(targets, emotions, strict=True):
        rest = target - found[0] - emotion @ found[1:]
        square += (rest**2).sum(axis=0)
        frames += len(rest)
    scale = np.maximum(np.sqrt(square / frames), floors(outputs))
    return Expectation(found[0].astype(np.float32), found[1:].astype(np.float32), scale)


def floors(outputs: Sequence[str]) -> Float:
    """Names (D) -> least scale of each channel (D)."""
    known = dict(zip(POSE_NAMES, POSE_FLOORS, strict=True))
    return np.array([known.get(name, UNIT_FLOOR) for name in outputs], np.float32)


def normalised(spec: Spec, target: Float, emotion: Float) -> Float:
    """Outputs (T, D) in natural units, shown with an emotion (T, 7) -> what the network learns."""
    return np.asarray((target - _expected(spec, emotion)) / spec.output_scale, np.float32)


def natural(spec: Spec, x0: Float, emotion: Float) -> Float:
    """The inverse of `normalised`."""
    return np.asarray(x0 * np.asarray(spec.output_scale) + _expected(spec, emotion), np.float32)


def _expected(spec: Spec, emotion: Float) -> Float:
    """Mean motion (D,), or (T, D) where emotions (T, 7) shift it."""
    mean = np.asarray(spec.output_mean, np.float32)
    if not spec.output_emotion:
        return mean
    return mean + emotion @ np.asarray(spec.output_emotion, np.float32)
