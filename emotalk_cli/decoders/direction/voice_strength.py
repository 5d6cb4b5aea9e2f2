"""How lively a voice is, moment by moment: what emotions written with `auto` follow.

Aroused voices are louder, higher and vary more in pitch (R. Banse & K. Scherer, "Acoustic profiles
in vocal emotion expression", JPSP 1996), and effort lifts the upper spectrum (H. Traunmüller & A.
Eriksson, "Acoustic effects of variation in vocal effort", JASA 2000). Loudness and height are taken
relative to the recording itself, since microphones and throats differ; how lively the recording is
as a whole is read from the range of its pitch and from its spectrum.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.decoders.acting.speech_beats import beats_of
from emotalk_cli.schema import AudioFeatures, blocks

Float = NDArray[np.float64]

SMOOTH_S = 0.35
"""An emotion does not flicker with every syllable."""
FLAT_SEMITONES, LIVELY_SEMITONES = 1.5, 4.5
"""Spread of the pitch of a voice that reads a list, and of one that acts."""
CALM_TILT_DB, EFFORT_TILT_DB = -10.0, -2.0
"""Power from 1 to 5 kHz over that below 1 kHz in the loud half of speech. CREMA-D's actors 1001 and
1002: -8 and -12 neutral, -5 and +7 angry, -5 and -3 happy."""
TILT_BANDS = (0.33, 0.83)
"""Where 1 and 5 kHz lie among mel bands from 60 to 7600 Hz, as a share of them."""
MIDDLE = (0.4, 0.8)
"""Strength at an ordinary moment of a flat and of a lively voice."""
SWING = 0.22
"""Change of the strength per standard deviation of loudness and height."""
LOUDNESS = 0.6
"""Share of loudness in them; the rest is height."""
LEAST_SPREAD_DB = 1.5
LEAST_SPREAD_SEMITONES = 0.7
PAUSE_SHARE = 0.6
"""What is left of the strength in a pause."""


def voice_strength(features: AudioFeatures, times_s: Float) -> Float:
    """How lively the voice is at times (T,) in s: (T,) in 0..1; all 0 in a silent recording."""
    rows = np.arange(len(features.energy_db)) / features.rate_hz
    speaking = beats_of(features, rows).speaking > 0.5
    if not speaking.any():
        return np.zeros(len(times_s))
    sigma = SMOOTH_S * features.rate_hz
    level = features.energy_db.astype(np.float64)
    loudness = _relative(_around(level, speaking, sigma), speaking, LEAST_SPREAD_DB)
    height, liveliness = np.zeros(len(rows)), _effort(features, speaking)
    voiced = speaking & (features.f0_hz > 0)
    if voiced.sum() > 1:
        semitones = 12.0 * np.log2(np.where(voiced, features.f0_hz, 1.0).astype(np.float64))
        height = _relative(_around(semitones, voiced, sigma), speaking, LEAST_SPREAD_SEMITONES)
        low, high = np.quantile(semitones[voiced], [0.1, 0.9])
        spread = (high - low) / 2.56  # of a normal distribution with these quantiles
        range_of_pitch = np.interp(spread, (FLAT_SEMITONES, LIVELY_SEMITONES), (0.0, 1.0))
        liveliness = max(liveliness, float(range_of_pitch))
    middle = MIDDLE[0] + (MIDDLE[1] - MIDDLE[0]) * liveliness
    arousal = LOUDNESS * loudness + (1 - LOUDNESS) * height
    strength = np.clip(middle + SWING * arousal, 0.0, 1.0)
    strength *= PAUSE_SHARE + (1 - PAUSE_SHARE) * _smooth(speaking.astype(np.float64), sigma)
    return np.asarray(np.interp(times_s, rows, strength))


def _effort(features: AudioFeatures, speaking: NDArray[np.bool_]) -> float:
    """Vocal effort of the whole recording, 0 calm to 1 raised."""
    loud = speaking & (features.energy_db >= np.median(features.energy_db[speaking]))
    tilts = [_tilt_db(block[loud[part]]) for part, block in blocks(features.log_mel)]
    tilt_db = float(np.median(np.concatenate(tilts)))
    return float(np.interp(tilt_db, (CALM_TILT_DB, EFFORT_TILT_DB), (0.0, 1.0)))


def _tilt_db(log_mel: NDArray[np.float32]) -> Float:
    """Power of the upper over that of the lower bands of each row (N, M): (N,)."""
    power = np.exp(log_mel.astype(np.float64))
    low, high = (round(share * power.shape[1]) for share in TILT_BANDS)
    below, above = power[:, :low].sum(axis=1), power[:, low:high].sum(axis=1)
    return np.asarray(10 * np.log10((above + 1e-12) / (below + 1e-12)))


def _around(values: Float, counted: NDArray[np.bool_], sigma_rows: float) -> Float:
    """Mean of the values (N,) around each row, of those alone that are `counted`."""
    weight = _smooth(counted.astype(np.float64), sigma_rows)
    rows = np.arange(len(values))
    near = weight > 1e-3
    mean = _smooth(np.where(counted, values, 0.0), sigma_rows)[near] / weight[near]
    return np.asarray(np.interp(rows, rows[near], mean))


def _relative(values: Float, counted: NDArray[np.bool_], least_spread: float) -> Float:
    """Values (N,) in standard deviations from their middle, both where `counted`."""
    spread = max(float(values[counted].std()), least_spread)
    return np.asarray(np.clip((values - np.median(values[counted])) / spread, -2.0, 2.0))


def _smooth(values: Float, sigma_rows: float) -> Float:
    from scipy.ndimage import gaussian_filter1d

    return np.asarray(gaussian_filter1d(values, sigma_rows, mode="nearest"))
