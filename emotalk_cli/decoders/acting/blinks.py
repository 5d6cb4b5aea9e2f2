"""Blinks: when people blink and how a lid moves.

Rates: 17 a minute at rest, 26 in conversation, 4.5 when reading (Bentivoglio et al., "Analysis of
blink rate patterns in normal subjects", Movement Disorders 1997). Intervals are close to
log-normal; blinks gather at the ends of phrases and in pauses (Nakano & Kitazawa 2010) and go
along with large gaze shifts (Evinger et al. 1994).

Course of a blink: 550 dips of the lids in 250 clips of GRID s1 at 25 frames/s have, relative to
their peak, the mean .17 .56 1 .76 .43 .27. His rate is not used: one dip or two in each command
that he reads, 45 a minute, is no conversation.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.decoders.acting.speech_beats import Beats

Float = NDArray[np.float64]

RATE_PER_MINUTE = 17.0
INTERVAL_SPREAD = 0.55
"""Standard deviation of the logarithm of the time between blinks."""
SHORTEST_S = 0.6
PULL_S = 0.7
"""A blink moves to a phrase's end that is at most this far away ..."""
PULL_CHANCE = 0.6
"""... with this probability."""
DOUBLE_CHANCE = 0.06
DOUBLE_GAP_S = (0.32, 0.45)
CLOSING_S = 0.085
CLOSED_S = 0.03
OPENING_S = 0.17
TEMPO_SPREAD = 0.12


def blink_times(
    beats: Beats,
    rng: np.random.Generator,
    rate: Float | float = RATE_PER_MINUTE,
    shifts_s: Sequence[float] = (),
) -> list[float]:
    """Times (s) of the blinks of a clip; `rate` per minute, one number or one per frame (T,).

    `shifts_s`: moments of large gaze shifts, which attract blinks as the ends of phrases do.
    """
    times = beats.times_s
    rates = np.broadcast_to(np.asarray(rate, np.float64), times.shape)
    attractors = np.sort(np.concatenate([beats.ends_s + 0.08, np.asarray(shifts_s, np.float64)]))
    found: list[float] = []
    now = float(rng.uniform(0, 60 / RATE_PER_MINUTE))
    while now < times[-1]:
        when = _pulled(now, attractors, rng)
        if not found or when - found[-1] > SHORTEST_S:
            found.append(when)
            if rng.random() < DOUBLE_CHANCE:
                found.append(when + float(rng.uniform(*DOUBLE_GAP_S)))
        mean = 60 / max(float(np.interp(now, times, rates)), 0.1)
        middle = np.log(mean) - INTERVAL_SPREAD**2 / 2
        now += max(float(rng.lognormal(middle, INTERVAL_SPREAD)), SHORTEST_S)
    return [when for when in found if when < times[-1]]


def lid_closure(times_s: Float, blinks_s: Sequence[float], rng: np.random.Generator) -> Float:
    """How far the lids are closed (T,), 0 open, 1 closed, for blinks whose peaks are given."""
    closure = np.zeros(len(times_s))
    for peak_s in blinks_s:
        tempo = float(np.exp(rng.normal(0, TEMPO_SPREAD)))
        depth = float(rng.uniform(0.95, 1.0))
        after = (times_s - peak_s) / tempo
        rising = np.clip((after + CLOSING_S + CLOSED_S / 2) / CLOSING_S, 0, 1)
        falling = np.clip((after - CLOSED_S / 2) / OPENING_S, 0, 1)
        shut = np.sin(rising * np.pi / 2) ** 2 * (1 - falling) ** 1.6
        closure = np.maximum(closure, depth * shut)
    return closure


def _pulled(when: float, attractors: Float, rng: np.random.Generator) -> float:
    if len(attractors) and rng.random() < PULL_CHANCE:
        nearest = float(attractors[np.argmin(np.abs(attractors - when))])
        if abs(nearest - when) < PULL_S:
            return max(nearest + float(rng.normal(0, 0.06)), 0.0)
    return when
