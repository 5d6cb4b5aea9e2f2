"""Life that sampling blurs: eyes that hold still or jump, blinks in their number, heads at rest.

A decoder says where eyes look, roughly when they blink and how the head goes; how an eye gets
there is everybody's: it fixates or jumps (Carpenter 1988), and turns against the head. Rare events
are lost where a network is unsure; their number is known from the corpus that it learned.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.decoders.acting.blinks import blink_times
from emotalk_cli.decoders.acting.speech_beats import Beats
from emotalk_cli.decoders.direction.emotions import EMOTIONS
from emotalk_cli.decoders.direction.eye_direction import (
    close_lids,
    eye_units,
    find_blinks,
    gaze_of,
    look_at,
)
from emotalk_cli.decoders.motion import Motion

Float = NDArray[np.float64]

SHIFT_DEG = 2.6
"""Eyes that are further than this from where they looked have jumped."""
MICRO_SHARE = 0.3
"""Share of their wandering within one look that eyes keep."""
STEADY_S = 0.5
"""Heads in silence keep what is slower than this ..."""
SILENT_SHARE = 0.35
"""... and this share of what is quicker."""
EASE_S = 0.2
RATE_SPREAD = 0.15
"""Spread of the logarithm of how often one person blinks in one recording."""
APART_S = 0.8
"""Blinks put in are at least so far from any other."""
TRIES = 8


def blink_rates(
    lids: Sequence[Float], weights: Sequence[NDArray[np.float32]], fps: float
) -> tuple[float, ...]:
    """Blinks a minute of each of the eight emotions in a corpus.

    `lids` (T,) closure in 0..1 and `weights` (T, 8) of each clip. An emotion hardly shown has the
    rate of all together.
    """
    blinks, minutes = np.zeros(len(EMOTIONS)), np.zeros(len(EMOTIONS))
    for closure, weight in zip(lids, weights, strict=True):
        for _, peak, _ in find_blinks(closure, fps):
            blinks += weight[peak]
        minutes += weight.sum(axis=0) / fps / 60
    overall = blinks.sum() / max(float(minutes.sum()), 1e-9)
    shown = minutes > 0.5
    rates = np.where(shown, blinks / np.maximum(minutes, 1e-9), overall)
    return tuple(round(float(rate), 2) for rate in rates)


def enliven(
    motion: Motion,
    units: Sequence[str],
    beats: Beats,
    blinks_per_minute: Float | None,
    rng: np.random.Generator,
) -> Motion:
    """Motion whose head rests in silence, whose eyes fixate or jump and blink often enough.

    `units` (E) names the expression; `blinks_per_minute` (T,): how often eyes blink, or None to
    leave the blinks as they are. The clock is that of `beats`.
    """
    head = _at_rest(motion.head_pose_delta.astype(np.float64), beats)
    columns, names = eye_units(units)
    eyes = motion.expression[:, columns].astype(np.float64)
    looks = fixated(gaze_of(eyes, names, motion.head_pose_delta.astype(np.float64)))
    eyes = look_at(eyes, names, looks, head)
    if blinks_per_minute is not None:
        eyes = _with_blinks(eyes, names, beats, blinks_per_minute, rng)
    expression = np.clip(motion.expression, 0, 1)
    expression[:, columns] = np.clip(eyes, 0, 1)
    return Motion(expression, head.astype(np.float32))


def fixated(gaze_deg: Float) -> Float:
    """Gaze (T, 2) in degrees -> looks that each stay nearly on one spot, with jumps between."""
    result, first = gaze_deg.copy(), 0
    middle = gaze_deg[0]
    for frame in range(1, len(gaze_deg) + 1):
        ended = frame == len(gaze_deg)
        if not ended:
            near = gaze_deg[frame : frame + 2] - middle  # one frame alone may be noise
            ended = bool(np.all(np.hypot(*near.T) > SHIFT_DEG))
        if ended:
            spot = np.median(gaze_deg[first:frame], axis=0)
            result[first:frame] = spot + MICRO_SHARE * (gaze_deg[first:frame] - spot)
            first = frame
            middle = gaze_deg[min(frame, len(gaze_deg) - 1)]
        else:
            middle = gaze_deg[first : frame + 1].mean(axis=0)
    return result


def _at_rest(head: Float, beats: Beats) -> Float:
    """Head pose (T, 6) with less of its quick motion where nobody speaks."""
    from scipy.ndimage import gaussian_filter1d

    fps = _fps(beats)
    slow = gaussian_filter1d(head, STEADY_S * fps, axis=0, mode="nearest")
    speaking = gaussian_filter1d(beats.speaking, EASE_S * fps, mode="nearest")
    share = SILENT_SHARE + (1 - SILENT_SHARE) * speaking
    return np.asarray(slow + share[:, None] * (head - slow))


def _with_blinks(
    expression: Float, units: Sequence[str], beats: Beats, rate: Float, rng: np.random.Generator
) -> Float:
    """Put in the blinks that are missing to the rate (T,) a minute, where people like to blink."""
    lids = [n for n, name in enumerate(units) if name.startswith("eyeBlink")]
    if not lids:
        return expression
    fps = _fps(beats)
    there = [peak / fps for _, peak, _ in find_blinks(expression[:, lids].mean(axis=1), fps)]
    wanted = float(rate.sum()) / fps / 60 * float(rng.lognormal(0, RATE_SPREAD))
    missing = int(wanted + rng.random()) - len(there)
    added: list[float] = []
    for _ in range(TRIES if missing > 0 else 0):
        offered = blink_times(beats, rng, np.maximum(rate, 0.1))
        for when in rng.permutation(offered):
            far = all(abs(when - other) > APART_S for other in (*there, *added))
            if far and len(added) < missing:
                added.append(float(when))
    return close_lids(expression, units, beats.times_s, added, rng)


def _fps(beats: Beats) -> float:
    return float((len(beats.times_s) - 1) / max(beats.times_s[-1] - beats.times_s[0], 1e-6))
