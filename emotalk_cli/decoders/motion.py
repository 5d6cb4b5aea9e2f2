"""Motion: mouth = what speech does + what emotion does; head pose; change of frame rate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.decoders.lips.mouth import Mouth

Float = NDArray[np.float32]

POSE_NAMES = ("head_rx", "head_ry", "head_rz", "head_tx", "head_ty", "head_tz")

NEAR_CLOSED_M = 0.001
"""Up to this much above the gap at rest the articulation counts as closed and must stay so."""
OPEN_M = 0.005
"""From this much above the gap at rest on, the emotion may open the mouth as it likes."""

COLOUR_WORDS = (
    "Smile", "Frown", "Dimple", "Stretch", "Press", "UpperUp", "LowerDown", "Shrug",
    "mouthLeft", "mouthRight", "jawForward", "jawLeft", "jawRight", "jawOpen",
)  # fmt: skip
"""Units whose name has one of these can carry an emotion; the others only articulate."""
COLOUR_WINDOW_S = 1.2
COLOUR_QUANTILE = 0.35
"""An emotion holds the mouth longer than a sound does: it is what is there most of the time."""

CLOSERS = ("mouthClose", "mouthRollUpper", "mouthRollLower", "mouthShrugLower", "mouthPucker")
"""Units that may be raised to keep closed lips closed, in this order."""
MAX_CLOSER = 0.6
"""No unit is raised by more than this to close the lips."""


RESAMPLED_ROWS = 4096


@dataclass(frozen=True)
class Motion:
    """Generated motion: `expression` (T, E) in 0..1 and `head_pose_delta` (T, 6) rad, m."""

    expression: Float
    head_pose_delta: Float


def colour_units(units: Sequence[str]) -> NDArray[np.bool_]:
    """Names (L) -> True (L,) where the unit can carry an emotion."""
    return np.array([any(word in name for word in COLOUR_WORDS) for name in units], bool)


def compose(articulation: Float, mouth_colour: Float, mouth: Mouth) -> Float:
    """What speech and what emotion do to the mouth, together: (T, L) + (T, L) -> (T, L) in 0..1.

    They add up; but where the articulation alone closes the lips, the sum may not open them: the
    jaw rises, the lips close or roll in, and if that is not enough the emotion lets go. So
    gap(result) <= gap(articulation) where that is at most NEAR_CLOSED_M above the gap at rest.
    """
    spoken = np.clip(articulation, 0.0, 1.0).astype(np.float32)
    result = np.clip(spoken + mouth_colour, 0.0, 1.0).astype(np.float32)
    opening = np.asarray(mouth.opening_m, np.float32)
    gap = mouth.gap(spoken)
    closed = np.clip((mouth.rest_m + OPEN_M - gap) / (OPEN_M - NEAR_CLOSED_M), 0.0, 1.0)
    excess = closed * np.maximum(mouth.gap(result) - gap, 0.0)
    if "jawOpen" in mouth.units:
        excess = _lower(result, excess, mouth.units.index("jawOpen"), opening)
    for name in CLOSERS:
        if name in mouth.units:
            excess = _raise(result, excess, mouth.units.index(name), opening)
    return _let_go(result, spoken, excess, opening)


def decompose(
    expression: Float, neutral: Float, mouth: Mouth, fps: float, *, emotional: bool = True
) -> tuple[Float, Float]:
    """Mouth units (T, L) of a real clip -> articulation (T, L) and mouth colour (T, L), in 0..1.

    `neutral` (L,) is the speaker's resting mouth, which belongs to neither. A clip that is not
    `emotional` has no colour. The colour is a running quantile of COLOUR_WINDOW_S, smoothed.
    """
    above = above_rest(expression, neutral, mouth)
    colour = np.zeros_like(above)
    if emotional:
        carrying = colour_units(mouth.units)
        colour[:, carrying] = _slow(above[:, carrying], fps)
    return np.clip(above - colour, 0.0, 1.0), colour


def above_rest(expression: Float, neutral: Float, mouth: Mouth) -> Float:
    """Mouth units (T, L) relative to the speaker's resting mouth (L,), in 0..1.

    Units that rest high can fall below their rest, which 0 cannot say: what their fall opens of
    the lips is given to the jaw, so that the lips open as far as they did.
    """
    above = np.clip(expression - neutral, 0.0, 1.0).astype(np.float32)
    if "jawOpen" in mouth.units:
        jaw = mouth.units.index("jawOpen")
        opening = mouth.opening_m[jaw]
        missing = mouth.gap(expression) - mouth.gap(neutral) - (mouth.gap(above) - mouth.rest_m)
        above[:, jaw] = np.clip(above[:, jaw] + missing / opening, 0.0, 1.0)
    return above


def pose_delta(
    head_pose: Float, valid: NDArray[np.bool_] | None = None, rest: Float | None = None
) -> Float:
    """Head pose (T, 6) -> the same relative to its rest: log(R_t R_rest^T), t - t_rest.

    Without a known `rest` (6,) it is the mean rotation and the median translation of the clip.
    """
    from scipy.spatial.transform import Rotation

    if rest is None:
        kept = head_pose if valid is None or not valid.any() else head_pose[valid]
        middle, place = Rotation.from_rotvec(kept[:, :3]).mean(), np.median(kept[:, 3:], axis=0)
    else:
        middle, place = Rotation.from_rotvec(rest[:3]), rest[3:]
    turned = (Rotation.from_rotvec(head_pose[:, :3]) * middle.inv()).as_rotvec()
    return np.asarray(np.concatenate([turned, head_pose[:, 3:] - place], axis=1), np.float32)


def add_pose(rest: Float, delta: Float) -> Float:
    """Rest pose (6,) moved by deltas (T, 6): the inverse of `pose_delta`, (T, 6)."""
    from scipy.spatial.transform import Rotation

    turned = Rotation.from_rotvec(delta[:, :3]) * Rotation.from_rotvec(rest[:3])
    return np.asarray(
        np.concatenate([turned.as_rotvec(), rest[3:] + delta[:, 3:]], axis=1), np.float32
    )


def resample(values: Float, times: NDArray[np.float64]) -> Float:
    """Rows (N, ...) at fractional row numbers `times` (T,), linear, ends held -> (T, ...)."""
    made = np.empty((len(times), *values.shape[1:]), np.float32)
    for start in range(0, len(times), RESAMPLED_ROWS):  # many at a time would fill the memory
        block = np.clip(times[start : start + RESAMPLED_ROWS], 0, len(values) - 1)
        low = np.floor(block).astype(np.int64)
        high = np.minimum(low + 1, len(values) - 1)
        part = (block - low).astype(np.float32).reshape(-1, *[1] * (values.ndim - 1))
        made[start : start + len(block)] = values[low] * (1 - part) + values[high] * part
    return made


def rows_near(at: NDArray[np.float64], count: int, reach: float) -> slice:
    """The part of `count` rows that lies at fractional row numbers (T,) and within `reach`.

    What asks the whole recording in each of its windows takes longer with the square of its length.
    """
    first = min(max(0, int(at[0] - reach)), count - 1)
    return slice(first, max(first + 1, min(count, int(at[-1] + reach) + 2)))


def _slow(values: Float, fps: float) -> Float:
    """Running quantile of (T, L), then smoothed over half the window."""
    from scipy.ndimage import percentile_filter, uniform_filter1d

    size = max(3, round(COLOUR_WINDOW_S * fps) | 1)
    low = percentile_filter(values, 100 * COLOUR_QUANTILE, size=(size, 1), mode="nearest")
    smooth = uniform_filter1d(low, size // 2 | 1, axis=0, mode="nearest")
    return np.asarray(np.minimum(smooth, 1.0), np.float32)


def _lower(result: Float, excess: Float, unit: int, opening: Float) -> Float:
    """Lower an opening unit to take away `excess` (T,) m of gap, in place; what is left of it."""
    if opening[unit] <= 0:
        return excess
    change = np.minimum(result[:, unit], excess / opening[unit])
    result[:, unit] -= change
    return np.asarray(np.maximum(excess - change * opening[unit], 0.0), np.float32)


def _raise(result: Float, excess: Float, unit: int, opening: Float) -> Float:
    """Raise a closing unit to take away `excess` (T,) m of gap, in place; what is left of it."""
    if opening[unit] >= 0:
        return excess
    room = np.minimum(1.0 - result[:, unit], MAX_CLOSER)
    change = np.minimum(room, excess / -opening[unit])
    result[:, unit] += change
    return np.asarray(np.maximum(excess + change * opening[unit], 0.0), np.float32)


def _let_go(result: Float, spoken: Float, excess: Float, opening: Float) -> Float:
    """Take back so much of what opens the lips that no excess is left."""
    added = result - spoken
    opens = np.where(added * opening > 0, added, 0.0)
    total = opens @ opening
    share = np.divide(excess, total, out=np.zeros_like(excess), where=total > 1e-9)
    return np.asarray(
        np.clip(result - np.clip(share, 0.0, 1.0)[:, None] * opens, 0.0, 1.0), np.float32
    )
