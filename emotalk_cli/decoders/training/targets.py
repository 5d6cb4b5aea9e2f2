"""What of a track the decoders learn to make: a speaker's motion, taken apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.decoders.direction.emotions import NEUTRAL
from emotalk_cli.decoders.lips.mouth import Mouth
from emotalk_cli.decoders.motion import above_rest, decompose, pose_delta
from emotalk_cli.schema import FaceTrack

Float = NDArray[np.float32]

NEUTRAL_LABELS = ("", "neutral")
NEUTRAL_WEIGHT = 0.95
"""A clip whose emotion is told frame by frame is neutral if none falls below this."""
CLOSED_SHARE = 0.15
"""The lips of a speaker rest in so large a share of the frames, those with the smallest gap."""
REST_QUANTILE = 0.3


@dataclass(frozen=True)
class Parts:
    """One track taken apart: mouth (T, L), articulation (T, L), colour (T, L), others (T, O),
    head pose delta (T, 6) rad and m, valid (T).
    """

    mouth: Float
    articulation: Float
    colour: Float
    others: Float
    head_pose: Float
    valid: NDArray[np.bool_]


def take_apart(track: FaceTrack, mouth: Mouth, other_units: Sequence[str], neutral: Float) -> Parts:
    """Split a track by what the decoders predict; `neutral` (E,) is the speaker's resting face."""
    names = track.expression_names
    lips = [names.index(name) for name in mouth.units]
    others = [names.index(name) for name in other_units]
    articulation, colour = decompose(
        track.expression[:, lips],
        neutral[lips],
        mouth,
        track.fps,
        emotional=not is_neutral(track),
    )
    return Parts(
        mouth=above_rest(track.expression[:, lips], neutral[lips], mouth),
        articulation=articulation,
        colour=colour,
        others=np.clip(track.expression[:, others] - neutral[others], 0.0, 1.0),
        head_pose=pose_delta(track.head_pose, track.valid, track.rest_pose),
        valid=track.valid,
    )


def is_neutral(track: FaceTrack) -> bool:
    """Whether no frame of the clip has an emotion."""
    if track.emotion_weights is None:
        return track.labels.emotion in NEUTRAL_LABELS
    return bool(track.emotion_weights[:, NEUTRAL].min() >= NEUTRAL_WEIGHT)


def speaker_neutral(tracks: Sequence[FaceTrack], mouth: Mouth) -> Float:
    """The resting face (E,) of one speaker, from clips without emotion; zeros if there are none.

    Lips: their mean over the frames with the smallest inner-lip gap, so that they rest together.
    Other units: a low quantile, below blinks and raised brows.
    """
    rows = [track.expression[track.valid] for track in tracks if is_neutral(track)]
    names = tracks[0].expression_names
    if not rows or not sum(map(len, rows)):
        return np.zeros(len(names), np.float32)
    frames = np.concatenate(rows)
    neutral: Float = np.quantile(frames, REST_QUANTILE, axis=0).astype(np.float32)
    lips = [names.index(name) for name in mouth.units]
    gap = mouth.gap(frames[:, lips])
    closed = gap <= np.quantile(gap, CLOSED_SHARE)
    neutral[lips] = frames[closed][:, lips].mean(axis=0)
    return neutral
