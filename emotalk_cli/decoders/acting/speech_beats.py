"""What a face follows in a voice: when it speaks, where phrases begin, what it stresses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.decoders.peaks import find_peaks
from emotalk_cli.schema import AudioFeatures

Float = NDArray[np.float64]

LOUD_QUANTILE = 0.95
SPEECH_RANGE_DB = 25.0
"""Speech is what is at most this much below the recording's loud moments."""
SILENCE_DB = -60.0
"""A recording whose loud moments are below this is silent throughout."""
MIN_PAUSE_S = 0.25
"""Shorter gaps are closures of plosives, no pauses (Goldman-Eisler 1968)."""
SMOOTH_S = 0.12
ACCENT_GAP_S = 0.35
"""Two accents of a phrase are rarely nearer than this."""
MIN_PROMINENCE = 0.35


@dataclass(frozen=True)
class Beats:
    """Speech events on a motion's clock of T frames.

    `speaking` (T,) 0 or 1; `energy` (T,) 0..1; `onsets_s` and `ends_s` (P,) of the phrases;
    `accents_s` and `accents` (A,): time and strength 0..1 of the stresses.
    """

    times_s: Float
    speaking: Float
    energy: Float
    onsets_s: Float
    ends_s: Float
    accents_s: Float
    accents: Float


def beats_of(features: AudioFeatures, times_s: Float) -> Beats:
    """Find phrases and accents in the loudness and pitch of a recording."""
    rate = features.rate_hz
    loud = float(np.quantile(features.energy_db, LOUD_QUANTILE)) if len(features.energy_db) else 0.0
    level = np.clip((features.energy_db - loud) / SPEECH_RANGE_DB + 1, 0, 1.2)
    if loud < SILENCE_DB:
        level = np.zeros_like(level)
    level = _smooth(level.astype(np.float64), SMOOTH_S * rate)
    active = _close_gaps(level > 0.25, round(MIN_PAUSE_S * rate))
    change = np.diff(np.concatenate([[0], active.astype(np.int8), [0]]))
    salience = level + 0.3 * _pitch_height(features)
    peaks = _peaks(np.where(active, salience, 0), round(ACCENT_GAP_S * rate))
    grid = np.arange(len(level)) / rate
    return Beats(
        times_s=times_s,
        speaking=np.interp(times_s, grid, active.astype(np.float64)),
        energy=np.clip(np.interp(times_s, grid, level), 0, 1),
        onsets_s=np.flatnonzero(change == 1) / rate,
        ends_s=np.flatnonzero(change == -1) / rate,
        accents_s=peaks / rate,
        accents=_rank(salience[peaks]),
    )


def silence(times_s: Float) -> Beats:
    """Beats of a recording in which nothing is said."""
    nothing, no_moment = np.zeros(len(times_s)), np.zeros(0)
    return Beats(times_s, nothing, nothing, no_moment, no_moment, no_moment, no_moment)


def _pitch_height(features: AudioFeatures) -> Float:
    """Pitch above the speaker's middle in standard deviations of log pitch, 0 where unvoiced."""
    voiced = features.f0_hz > 0
    if voiced.sum() < 5:
        return np.zeros(len(features.f0_hz))
    log_f0 = np.log(np.where(voiced, features.f0_hz, 1.0))
    middle, spread = np.median(log_f0[voiced]), np.std(log_f0[voiced]) + 0.05
    height = np.where(voiced, np.clip((log_f0 - middle) / spread, -2, 2), 0.0)
    return _smooth(height, SMOOTH_S * features.rate_hz)


def _smooth(values: Float, sigma_rows: float) -> Float:
    from scipy.ndimage import gaussian_filter1d

    return np.asarray(gaussian_filter1d(values, sigma_rows / 2, mode="nearest"))


def _close_gaps(active: NDArray[np.bool_], rows: int) -> NDArray[np.bool_]:
    from scipy.ndimage import binary_closing, binary_opening

    padded = np.pad(active, rows)
    closed = binary_closing(padded, np.ones(rows, bool))[rows : len(padded) - rows]
    return np.asarray(binary_opening(closed, np.ones(max(rows // 2, 1), bool)))


def _peaks(values: Float, gap_rows: int) -> NDArray[np.int64]:
    return find_peaks(values, distance=max(gap_rows, 1), prominence=MIN_PROMINENCE)


def _rank(values: Float) -> Float:
    """Strength of each accent: its rank among all, 0..1, so that loud voices nod no more."""
    if len(values) < 2:
        return np.full(len(values), 0.6)
    return np.argsort(np.argsort(values)) / (len(values) - 1.0)
