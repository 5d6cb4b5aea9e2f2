"""Directed eyes: blinks at a given rate, and a gaze at the camera or in a given direction."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.decoders.acting.blinks import blink_times, lid_closure
from emotalk_cli.decoders.acting.gaze import (
    COUNTER_TURN,
    DOWN_DEG_PER_UNIT,
    UP_DEG_PER_UNIT,
    YAW_DEG_PER_UNIT,
    fixate,
    look_units,
)
from emotalk_cli.decoders.acting.speech_beats import Beats
from emotalk_cli.decoders.peaks import find_peaks
from emotalk_cli.schema import FaceTrack

Float = NDArray[np.float64]

BLINK_HEIGHT = 0.3
"""A lid that falls by at least this much above how it stays around blinks ..."""
BLINK_REST_S = 1.0
BLINK_EDGE = 0.06
"""... and until it is back within this."""
JITTER = 0.15
"""Blinks that fill a gap stand so far from its middle, as a share of it."""
CLOSED_SQUINT = 0.7
"""Share of a squint that a closed lid lets go."""

FITTED_COUNTER = 0.85
ASIDE_DEG = 10.0
_UNTURNED = np.zeros((1, 6))


def eye_units(units: Sequence[str]) -> tuple[list[int], list[str]]:
    """Columns and names of the units of eyes and lids: all that this module reads and moves."""
    columns = [n for n, name in enumerate(units) if name.startswith("eye")]
    return columns, [units[n] for n in columns]


def find_blinks(closure: Float, fps: float) -> list[tuple[int, int, int]]:
    """Lid closure (T,) in 0..1 -> (first, peak, last) frame of each blink, first to last."""
    from scipy.ndimage import percentile_filter

    size = max(3, round(BLINK_REST_S * fps) | 1)
    above = closure - percentile_filter(closure, 30, size=size, mode="nearest")
    padded = np.concatenate([[0.0], above, [0.0]])
    peaks = find_peaks(padded, height=BLINK_HEIGHT, prominence=0.5 * BLINK_HEIGHT)
    found = []
    for peak in peaks - 1:
        first = last = int(peak)
        while first > 0 and above[first - 1] > BLINK_EDGE and above[first - 1] <= above[first]:
            first -= 1
        while (
            last < len(above) - 1
            and above[last + 1] > BLINK_EDGE
            and above[last + 1] <= above[last]
        ):
            last += 1
        found.append((first, int(peak), last))
    return found


def blink_at_rate(
    expression: Float,
    units: Sequence[str],
    beats: Beats,
    rate_per_minute: float,
    rng: np.random.Generator,
) -> Float:
    """Expression (T, E) with its blinks taken away and others put in, so many a minute.

    Their number is exact, to the nearest whole one; they fall where blinks like to fall.
    """
    times = beats.times_s
    fps = (len(times) - 1) / max(float(times[-1] - times[0]), 1e-6)
    result = _without_blinks(expression, units, fps)
    count = round(rate_per_minute * len(times) / fps / 60)
    peaks = _exactly(count, blink_times(beats, rng, max(rate_per_minute, 0.1)), times, rng)
    return close_lids(result, units, times, peaks, rng)


def close_lids(
    expression: Float,
    units: Sequence[str],
    times_s: Float,
    blinks_s: Sequence[float],
    rng: np.random.Generator,
) -> Float:
    """Expression (T, E) at some times, with blinks put in whose peaks are given."""
    result = expression.copy()
    closed = lid_closure(times_s, blinks_s, rng)
    for column, name in enumerate(units):
        if name.startswith("eyeBlink"):
            result[:, column] += (1 - result[:, column]) * closed
        elif name.startswith("eyeWide"):
            result[:, column] *= 1 - closed
        elif name.startswith("eyeSquint"):
            result[:, column] *= 1 - CLOSED_SQUINT * closed
    return result


def gaze_of(expression: Float, units: Sequence[str], head_pose: Float) -> Float:
    """Where the eyes of (T, E) under heads (T, 6) look, relative to the camera: (T, 2) degrees."""
    side = {
        name: expression[:, units.index(name)] if name in units else np.zeros(len(expression))
        for name in look_units(np.zeros((1, 2)), np.zeros((1, 6)))
    }
    yaw = side["eyeLookOutLeft"] + side["eyeLookInRight"]
    yaw = 0.5 * YAW_DEG_PER_UNIT * (yaw - side["eyeLookOutRight"] - side["eyeLookInLeft"])
    up = 0.5 * UP_DEG_PER_UNIT * (side["eyeLookUpLeft"] + side["eyeLookUpRight"])
    down = 0.5 * DOWN_DEG_PER_UNIT * (side["eyeLookDownLeft"] + side["eyeLookDownRight"])
    turn = np.degrees(head_pose[:, :3])
    return np.stack([yaw + COUNTER_TURN * turn[:, 1], up - down - COUNTER_TURN * turn[:, 0]], 1)


def aside_deg(photo: FaceTrack) -> float:
    """How far a photo's eyes look past the camera, to the subject's left, degrees; 0 if they do
    not.

    In a fit, eyes that look at the camera turn against the head by FITTED_COUNTER of its turn: on
    11 portraits of people who do, 10 are within 3.5 degrees of it and one 7; three who look away
    are 17 to 23 degrees off.
    """
    from scipy.spatial.transform import Rotation

    pose = photo.head_pose[0].astype(np.float64)
    towards_camera = Rotation.from_rotvec(pose[:3]).inv().apply(-pose[3:])
    camera_deg = float(np.degrees(np.arctan2(towards_camera[0], towards_camera[2])))
    looks = gaze_of(photo.expression[:1].astype(np.float64), photo.expression_names, _UNTURNED)
    off = float(looks[0, 0]) - FITTED_COUNTER * camera_deg
    return off if abs(off) > ASIDE_DEG else 0.0


def look_at(
    expression: Float,
    units: Sequence[str],
    angles_deg: Float,
    head_pose: Float,
    counter_turn: float = COUNTER_TURN,
) -> Float:
    """Expression (T, E) with eyes that look along (T, 2) degrees from the camera's direction."""
    result = expression.copy()
    for name, values in look_units(angles_deg, head_pose, counter_turn).items():
        if name in units:
            result[:, units.index(name)] = values
    return result


def steady_gaze(times_s: Float, angles_deg: tuple[float, float], rng: np.random.Generator) -> Float:
    """A gaze (T, 2) that stays on one spot, with the small shifts of living eyes."""
    path = np.zeros((len(times_s), 2))
    fixate(path, times_s, (0.0, float(times_s[-1]) + 1.0), np.array(angles_deg), rng)
    return path


def _without_blinks(expression: Float, units: Sequence[str], fps: float) -> Float:
    """Lids led straight over every blink, with what blinks do to eyeWide and eyeSquint."""
    result = expression.copy()
    lids = [n for n, name in enumerate(units) if name.startswith("eyeBlink")]
    moved = [n for n, name in enumerate(units) if name.startswith(("eyeWide", "eyeSquint"))]
    if not lids:
        return result
    frames = np.arange(len(expression))
    covered = np.zeros(len(expression), bool)
    for first, _, last in find_blinks(expression[:, lids].mean(axis=1), fps):
        covered[max(first - 1, 0) : last + 2] = True
    if covered.all():
        result[:, lids] = 0.0
    elif covered.any():
        for column in lids + moved:
            result[:, column] = np.interp(frames, frames[~covered], expression[~covered, column])
    return result


def _exactly(
    count: int, times: Sequence[float], clock_s: Float, rng: np.random.Generator
) -> list[float]:
    """So many of the times, the closest pairs thinned out, the widest gaps filled."""
    chosen = sorted(times)
    while len(chosen) > count:
        gaps = np.diff(chosen, prepend=-np.inf)
        del chosen[int(np.argmin(gaps))]
    while len(chosen) < count:
        edges = np.array([clock_s[0], *chosen, clock_s[-1]])
        widest = int(np.argmax(np.diff(edges)))
        gap = edges[widest + 1] - edges[widest]
        chosen.insert(widest, float(edges[widest] + gap * (0.5 + rng.uniform(-JITTER, JITTER))))
    return chosen
