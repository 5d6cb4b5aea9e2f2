"""Gaze: mostly at the camera, small saccades, looks away, eyes that counter the head.

Sources: A. Kendon, "Some functions of gaze-direction in social interaction", 1967 (speakers look
away as a phrase begins and back as it ends); Lee, Badler & Badler, "Eyes alive", 2002 (lengths of
looks and sizes of saccades); R. Carpenter, "Movements of the eyes", 1988 (a saccade takes 2.2 ms
per degree and 21 ms: one frame).

On 250 clips of GRID s1 the iris moves against the pitch of the head by .20 mm per degree
(r = -.34), as a 12 mm eye does that stays on its target; against his turns, of half a degree,
nothing can be made out (r = .05).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.decoders.acting.speech_beats import Beats

Float = NDArray[np.float64]

LOOK_S = 2.6
"""Middle length of a look at the camera; log-normal with LOOK_SPREAD."""
LOOK_SPREAD = 0.6
AWAY_S = 0.7
AWAY_SPREAD = 0.4
MICRO_S = 0.55
"""Middle time between fixational shifts around one spot, and their size."""
MICRO_DEG = 0.3
AWAY_DEG = 7.0
BIG_SHIFT_DEG = 4.0
COUNTER_TURN = 0.9
"""Share of the head's turn that the eyes take back while they look at one spot."""

YAW_DEG_PER_UNIT = 30.0
UP_DEG_PER_UNIT = 25.0
DOWN_DEG_PER_UNIT = 28.0
"""How far the default head's eyes turn at eyeLookOut, eyeLookUp and eyeLookDown 1."""


@dataclass(frozen=True)
class GazePath:
    """Where the eyes look: `angles_deg` (T, 2) yaw to the subject's left and pitch upwards,
    relative to the camera; `shifts_s` when they jump by BIG_SHIFT_DEG or more.
    """

    angles_deg: Float
    shifts_s: tuple[float, ...]


def gaze_path(
    beats: Beats, restlessness: Float, bias_deg: Float, rng: np.random.Generator
) -> GazePath:
    """Looks and saccades of one clip.

    `restlessness` (T,): 1 is neutral, 2 looks away twice as often; `bias_deg` (T, 2): where the
    emotion draws the eyes when they leave the camera.
    """
    times = beats.times_s
    path = np.zeros((len(times), 2))
    shifts: list[float] = []
    now, target = 0.0, np.zeros(2)
    while now < times[-1]:
        rest = float(np.interp(now, times, restlessness))
        away = bool(np.any(target)) or now == 0.0
        if away:  # back to the camera
            target, stay = np.zeros(2), float(rng.lognormal(np.log(LOOK_S / rest), LOOK_SPREAD))
            stay = _until_onset(now, stay, beats, rng)
        else:
            target = _away(np.array([np.interp(now, times, b) for b in bias_deg.T]), rng)
            stay = float(rng.lognormal(np.log(AWAY_S), AWAY_SPREAD))
            if np.hypot(*target) > BIG_SHIFT_DEG:
                shifts.append(now)
        fixate(path, times, (now, now + stay), target, rng)
        now += stay
    return GazePath(path, tuple(shifts))


def look_units(
    angles_deg: Float, head_pose: Float, counter_turn: float = COUNTER_TURN
) -> Mapping[str, Float]:
    """Gaze (T, 2) in degrees and head pose (T, 6) -> the eight eyeLook units (T,) in 0..1.

    `counter_turn`: the share of the head's turn that the eyes take back.
    """
    turn = np.degrees(head_pose[:, :3])
    yaw = angles_deg[:, 0] - counter_turn * turn[:, 1]
    pitch = angles_deg[:, 1] + counter_turn * turn[:, 0]
    left, right = np.maximum(yaw, 0), np.maximum(-yaw, 0)
    up, down = np.maximum(pitch, 0) / UP_DEG_PER_UNIT, np.maximum(-pitch, 0) / DOWN_DEG_PER_UNIT
    units = {
        "eyeLookOutLeft": left / YAW_DEG_PER_UNIT,
        "eyeLookInRight": left / YAW_DEG_PER_UNIT,
        "eyeLookOutRight": right / YAW_DEG_PER_UNIT,
        "eyeLookInLeft": right / YAW_DEG_PER_UNIT,
        "eyeLookUpLeft": up,
        "eyeLookUpRight": up,
        "eyeLookDownLeft": down,
        "eyeLookDownRight": down,
    }
    return {name: np.clip(value, 0, 1) for name, value in units.items()}


def _away(bias_deg: Float, rng: np.random.Generator) -> Float:
    """A spot beside the camera; sideways more than up and down."""
    size = AWAY_DEG * float(rng.lognormal(0, 0.35))
    angle = float(rng.choice([0.0, np.pi])) + float(rng.normal(0, 0.5))
    return np.asarray(bias_deg + size * np.array([np.cos(angle), 0.7 * np.sin(angle)]))


def _until_onset(now: float, stay_s: float, beats: Beats, rng: np.random.Generator) -> float:
    """Half the looks at the camera end where the next phrase begins (Kendon)."""
    near: Sequence[float] = beats.onsets_s[np.abs(beats.onsets_s - now - stay_s) < 0.8].tolist()
    if near and rng.random() < 0.5:
        return max(near[0] - now, 0.3)
    return stay_s


def fixate(
    path: Float, times: Float, span_s: tuple[float, float], target: Float, rng: np.random.Generator
) -> None:
    """Hold the eyes on `target` with fixational shifts, in place."""
    start, end = span_s
    while start < end:
        stop = min(start + float(rng.lognormal(np.log(MICRO_S), 0.5)), end)
        rows = (times >= start) & (times < stop)
        path[rows] = target + rng.normal(0, MICRO_DEG, 2) * np.array([1.0, 0.7])
        start = stop
