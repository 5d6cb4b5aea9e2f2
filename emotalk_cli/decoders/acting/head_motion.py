"""Head motion: still in silence, tied to phrases and stresses, coloured by emotion.

Sources: U. Hadar et al., "Head movement correlates of juncture and stress at sentence level",
1983; K. Munhall et al., "Visual prosody and speech intelligibility", 2004 (heads follow pitch and
loudness); C. Busso et al., "Rigid head motion in expressive speech animation", 2007 (anger and
happiness move more, sadness less); H. Wallbott, "Bodily expression of emotion", 1998 (postures).
On 250 clips of GRID s1, who reads commands to a camera, heads range over 3.3 degrees of pitch,
1.8 of yaw and 1.2 of roll (medians of 3 s); conversation is livelier: here it is twice that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.decoders.acting.speech_beats import Beats
from emotalk_cli.decoders.direction.emotions import EMOTIONS

Float = NDArray[np.float64]

SWAY_DEG = np.array([1.0, 1.3, 0.7])
"""Spread of the slow sway around x (nod), y (turn) and z (tilt) while speaking."""
SWAY_S = 0.9
QUICK_DEG = np.array([0.6, 0.32, 0.23])
QUICK_S = 0.18
"""Quicker and smaller sway above it; so chosen that the speeds of a neutral head are spread as
those of GRID s1 in his held-out clips (Kolmogorov-Smirnov distance .07)."""
TRACKER_SIGMA = 1.5
"""Frames over which measured motion is smoothed: what is quicker is the tracker's noise."""
SILENT_SHARE = 0.2
"""How much of the sway is left in silence; GRID s1 moves at 2.3 degrees/s just before and after
he speaks, half of his speed then."""
PEOPLE_SPREAD = 0.25
"""Spread of the logarithm of how much people, or one person's moods, move their heads."""
STANCE_DEG = np.array([1.0, 1.9, 1.1])
"""Spread of the stance that a speaker takes for one phrase."""
STANCE_S = 0.45
NOD_DEG = 2.2
"""Depth of the nod that goes with the strongest accent."""
NOD_S = 0.22
NOD_CHANCE = 0.7
BREATH_HZ = 0.25
BREATH_MM = 0.5
BREATH_DEG = 0.12
CHEST_MM_PER_DEG = 0.9
"""The neck carries the head along as it turns."""


@dataclass(frozen=True)
class Manner:
    """How an emotion at full strength carries the head, relative to neutral.

    `posture_deg`: down, to the subject's left, tilt to the subject's right. `forward_mm`.
    `liveliness` and `tempo` are factors.
    """

    posture_deg: tuple[float, float, float] = (0.0, 0.0, 0.0)
    forward_mm: float = 0.0
    liveliness: float = 1.0
    tempo: float = 1.0


MANNERS: Mapping[str, Manner] = {
    "angry": Manner((3.5, 0.0, 0.0), 12.0, 1.35, 1.3),
    "contempt": Manner((-4.0, -3.0, 3.0), -6.0, 0.75, 0.8),
    "disgusted": Manner((-1.5, 4.0, -2.0), -12.0, 0.9, 0.9),
    "fear": Manner((1.5, 0.0, 0.0), -14.0, 0.85, 1.5),
    "happy": Manner((-1.5, 0.0, 2.0), 4.0, 1.4, 1.15),
    "neutral": Manner(),
    "sad": Manner((6.0, 0.0, 2.0), -4.0, 0.55, 0.65),
    "surprised": Manner((-3.5, 0.0, 0.0), -12.0, 1.0, 1.15),
}


def head_motion(
    beats: Beats, weights: Float, rng: np.random.Generator, real_delta: Float | None = None
) -> Float:
    """Head pose deltas (T, 6) in rad and m from the pose at rest.

    `weights` (T, 8): emotion over time. `real_delta` (T, 6): measured motion of a neutral speaker
    saying the same, which then replaces the sway and the nods.
    """
    fps = (len(beats.times_s) - 1) / (beats.times_s[-1] - beats.times_s[0])
    lively, tempo = _manner(weights, "liveliness"), _manner(weights, "tempo")
    if real_delta is None:
        gate = _ease_to(SILENT_SHARE + (1 - SILENT_SHARE) * beats.speaking, 0.25 * fps)
        slow = _wander(len(weights), SWAY_S * fps, tempo, rng) * SWAY_DEG
        quick = _wander(len(weights), QUICK_S * fps, tempo, rng) * QUICK_DEG
        turns_deg = (slow + quick) * gate[:, None] + _nods(beats, rng)
        turns_deg *= rng.lognormal(0, PEOPLE_SPREAD)
        shift_mm = np.zeros((len(weights), 3))
    else:
        steady = _ease_to(real_delta, TRACKER_SIGMA)
        turns_deg, shift_mm = np.degrees(steady[:, :3]), 1e3 * steady[:, 3:]
    turns_deg = (turns_deg + _stances(beats, fps, rng)) * lively[:, None]
    posture = np.stack([MANNERS[name].posture_deg for name in EMOTIONS])
    turns_deg = turns_deg + weights @ posture
    breath = np.sin(2 * np.pi * (BREATH_HZ * beats.times_s + rng.random()))
    turns_deg[:, 0] += BREATH_DEG * breath
    shift_mm = shift_mm + CHEST_MM_PER_DEG * np.stack(
        [0.5 * turns_deg[:, 1], -0.3 * turns_deg[:, 0], 0.5 * turns_deg[:, 0]], axis=1
    )
    shift_mm[:, 1] += BREATH_MM * breath
    shift_mm[:, 2] += _manner(weights, "forward_mm")
    return np.concatenate([np.radians(turns_deg), 1e-3 * shift_mm], axis=1)


def _manner(weights: Float, field: str) -> Float:
    """A field of the manners, mixed by the emotions' weights: (T,)."""
    return np.asarray(weights @ np.array([getattr(MANNERS[name], field) for name in EMOTIONS]))


def _ease_to(values: Float, sigma_frames: float) -> Float:
    from scipy.ndimage import gaussian_filter1d

    return np.asarray(gaussian_filter1d(values, sigma_frames, axis=0, mode="nearest"))


def _wander(frames: int, period: float, tempo: Float, rng: np.random.Generator) -> Float:
    """Noise (T, 3) of unit spread, smooth over `period` frames on a clock that runs at `tempo`."""
    clock = np.concatenate([[0.0], np.cumsum(tempo[1:])])
    raw = _ease_to(rng.normal(size=(int(clock[-1]) + 2, 3)), period / 2)
    raw /= max(float(raw.std()), 1e-9)
    return np.stack([np.interp(clock, np.arange(len(raw)), axis) for axis in raw.T], axis=1)


def _nods(beats: Beats, rng: np.random.Generator) -> Float:
    """A short nod with most accents: (T, 3) degrees."""
    turns = np.zeros((len(beats.times_s), 3))
    for when, strength in zip(beats.accents_s, beats.accents, strict=True):
        if rng.random() > NOD_CHANCE:
            continue
        course = np.exp(-0.5 * ((beats.times_s - when - rng.normal(0.02, 0.03)) / NOD_S) ** 2)
        depth = NOD_DEG * (0.35 + 0.65 * strength) * rng.lognormal(0, 0.3)
        turns += course[:, None] * depth * np.array([1.0, rng.normal(0, 0.3), rng.normal(0, 0.2)])
    return turns


def _stances(beats: Beats, fps: float, rng: np.random.Generator) -> Float:
    """A new stance at each phrase, half taken back at its end: (T, 3) degrees."""
    goal = np.zeros((len(beats.times_s), 3))
    for begin, end in zip(beats.onsets_s, beats.ends_s, strict=True):
        stance = rng.normal(size=3) * STANCE_DEG
        inside = (beats.times_s >= begin - 0.1) & (beats.times_s < end)
        goal[inside] = stance
        goal[beats.times_s >= end] = 0.4 * stance
    return _ease_to(goal, STANCE_S * fps / 2)
