"""Style: how a person moves, as statistics of a real clip, put on the motion of another.

Amplitude per region of the face, size and quickness of head motion, asymmetry of the two halves,
and the resting face. What is said and felt, and when, stays as it was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.decoders.motion import Motion, pose_delta
from emotalk_cli.errors import EmotalkError
from emotalk_cli.schema import FaceTrack

Float = NDArray[np.float32]
Float64 = NDArray[np.float64]

REGIONS: Mapping[str, tuple[str, ...]] = {
    "brows": ("brow",),
    "lids": ("eyeWide", "eyeSquint"),
    "cheeks": ("cheek", "nose"),
    "mouth": ("jaw", "mouth", "tongue"),
}
"""Beginnings of the names of the units that are scaled together."""
LEAST_FRAMES = 50
BASE_S = 2.0
BASE_QUANTILE = 30
"""What moves is what is above a running quantile; what lasts longer is an emotion or a posture."""
FACTOR_RANGE = (0.25, 3.0)
"""A style changes no amplitude by more: beyond, one of the two clips was hardly moving."""
STILL_RMS = 0.004
"""A region that moves less than this (in units of activity) says nothing about a person."""
STILL_RAD = 0.002
SLOW_S = 0.4
"""Head motion slower than this is posture and sway, quicker is what a person does with words."""
SIDE_LEAST = 0.1
"""A pair of units needs this mean activity before its asymmetry is believed."""
SIDE_LIMIT = 0.3
REST_QUANTILE = 0.2
REST_LIMIT = 0.25
"""A resting face is not carried further than this: a clip that smiles throughout is no rest."""
REST_REGIONS = ("brows", "cheeks")
"""Narrow eyes and thin lips are who somebody is, not how he holds his face."""


@dataclass(frozen=True)
class Style:
    """What is taken over from a clip.

    `amplitude`: root mean square of the quick motion of each of REGIONS, in units of activity;
    `turn_rad` (3,): the same of the head's slow turning, `quick_rad` (3,) of its quick turning;
    `asymmetry`: unit without its side -> (left - right) / (left + right) in -1..1; `rest`: unit of
    REST_REGIONS -> activity at rest, 0..1.
    """

    amplitude: Mapping[str, float]
    turn_rad: Float64
    quick_rad: Float64
    asymmetry: Mapping[str, float]
    rest: Mapping[str, float]


def read_style(track: FaceTrack) -> Style:
    """The style of a clip; raises EmotalkError if it shows its face for less than two seconds."""
    seen = track.valid
    if seen.sum() < LEAST_FRAMES:
        raise EmotalkError(
            f"The clip shows a face in {int(seen.sum())} frames; a style needs {LEAST_FRAMES}.",
            "Give a longer track, of some seconds of ordinary talk.",
        )
    names, expression = track.expression_names, track.expression[seen].astype(np.float64)
    delta = pose_delta(track.head_pose, track.valid, track.rest_pose)[seen].astype(np.float64)
    slow, quick = _split(delta[:, :3], track.fps)
    rest = track.rest_expression
    if rest is None:
        rest = np.quantile(expression, REST_QUANTILE, axis=0)
    return Style(
        amplitude=_amplitudes(expression, names, track.fps),
        turn_rad=slow.std(axis=0),
        quick_rad=quick.std(axis=0),
        asymmetry=_asymmetries(expression, names),
        rest={
            name: min(float(value), REST_LIMIT)
            for name, value in zip(names, rest, strict=True)
            if _region(name) in REST_REGIONS
        },
    )


def put_on(style: Style, motion: Motion, units: Sequence[str], fps: float) -> Motion:
    """The motion (T, E), (T, 6) as a person of that style would move."""
    expression = motion.expression.astype(np.float64)
    own = _amplitudes(expression, units, fps)
    base = _base(expression, fps)
    for column, name in enumerate(units):
        region = _region(name)
        if region:
            factor = _factor(style.amplitude.get(region, 0.0), own[region], STILL_RMS)
            above = expression[:, column] - base[:, column]
            expression[:, column] = base[:, column] + factor * above
    expression = np.maximum(expression, 0.0)
    for column, name in enumerate(units):
        expression[:, column] *= 1 + _side(name) * style.asymmetry.get(_unsided(name), 0.0)
        expression[:, column] += style.rest.get(name, 0.0)
    pose = motion.head_pose_delta.astype(np.float64)
    slow, quick = _split(pose[:, :3], fps)
    turned = np.zeros_like(slow)
    for axis in range(3):
        turn = _factor(float(style.turn_rad[axis]), float(slow[:, axis].std()), STILL_RAD)
        nod = _factor(float(style.quick_rad[axis]), float(quick[:, axis].std()), STILL_RAD / 4)
        middle = slow[:, axis].mean()
        turned[:, axis] = middle + turn * (slow[:, axis] - middle) + nod * quick[:, axis]
    pose[:, :3] = turned
    return Motion(np.clip(expression, 0, 1).astype(np.float32), pose.astype(np.float32))


def _amplitudes(expression: Float64, names: Sequence[str], fps: float) -> dict[str, float]:
    above = expression - _base(expression, fps)
    power = (above**2).mean(axis=0)
    return {
        region: float(np.sqrt(sum(power[n] for n, name in enumerate(names) if _in(name, starts))))
        for region, starts in REGIONS.items()
    }


def _base(values: Float64, fps: float) -> Float64:
    """What each unit (T, E) holds for some time: a smooth running quantile."""
    from scipy.ndimage import percentile_filter, uniform_filter1d

    size = max(3, round(BASE_S * fps) | 1)
    low = percentile_filter(values, BASE_QUANTILE, size=(size, 1), mode="nearest")
    return np.asarray(uniform_filter1d(low, size, axis=0, mode="nearest"))


def _split(turns: Float64, fps: float) -> tuple[Float64, Float64]:
    """Turning of the head (T, 3) -> its slow and its quick part."""
    from scipy.ndimage import gaussian_filter1d

    slow = np.asarray(gaussian_filter1d(turns, SLOW_S * fps, axis=0, mode="nearest"))
    return slow, turns - slow


def _factor(wanted: float, own: float, still: float) -> float:
    """How many times as far to move; 1 where one of the two hardly moves."""
    if wanted < still or own < still:
        return 1.0
    return float(np.clip(wanted / own, *FACTOR_RANGE))


def _asymmetries(expression: Float64, names: Sequence[str]) -> dict[str, float]:
    mean = dict(zip(names, expression.mean(axis=0), strict=True))
    found = {}
    for name in names:
        other = _unsided(name) + "Right"
        if name.endswith("Left") and other in mean and _region(name):
            total = mean[name] + mean[other]
            if total > 2 * SIDE_LEAST:
                share = (mean[name] - mean[other]) / total
                found[_unsided(name)] = float(np.clip(share, -SIDE_LIMIT, SIDE_LIMIT))
    return found


def _region(name: str) -> str:
    return next((region for region, starts in REGIONS.items() if _in(name, starts)), "")


def _in(name: str, starts: tuple[str, ...]) -> bool:
    return name.startswith(starts)


def _side(name: str) -> int:
    """1 for the left half, -1 for the right one, 0 for the middle."""
    return int(name.endswith("Left")) - int(name.endswith("Right"))


def _unsided(name: str) -> str:
    return name.removesuffix("Left").removesuffix("Right")
