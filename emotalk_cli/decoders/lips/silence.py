"""Lips that rest while nothing is said: in silence, and under music and noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.decoders.motion import resample

Float = NDArray[np.float32]

SILENT_BELOW_LOUD_DB = 25.0
"""So far below the recording's loud rows nothing is said; a noisy one never falls so low."""
NO_SPEECH, SURE_SPEECH = 0.2, 0.5
"""Probability of speech up to which the mouth rests, and from which on it moves in full."""
WORD_S = 0.5
BEFORE_S = 0.32
AFTER_S = 0.28
"""Lips part so long before the first sound, and close so long after the last."""
EASE_S = 0.1
IDLE = 0.35
"""Share of its motion that the mouth keeps in silence."""
BEGIN_S = 0.24
"""A recording that begins with silence begins with closed lips, which are free so much later."""
HALF = 0.5
"""Where it is likelier that nothing is said."""


def speaking(energy_db: Float, loud_db: float, rate_hz: float, speech: Float) -> Float:
    """Level (N,) in dB, probability of speech (N,) -> share of its motion that the mouth has (N,).

    Where noise hides the pauses from the level, the probability tells them; its dips that are
    shorter than WORD_S lie within a sentence.
    """
    from scipy.ndimage import maximum_filter1d, uniform_filter1d

    words = _bridged(speech, round(WORD_S * rate_hz) | 1)
    sounds = (energy_db > loud_db - SILENT_BELOW_LOUD_DB).astype(np.float32)
    sounds *= np.clip((words - NO_SPEECH) / (SURE_SPEECH - NO_SPEECH), 0, 1)
    before, after = round(BEFORE_S * rate_hz), round(AFTER_S * rate_hz)
    size = before + after + 1
    # Row n looks from `after` rows back to `before` rows ahead.
    shift = (before - after) // 2
    near = maximum_filter1d(sounds, size, mode="constant", origin=-shift)
    eased = uniform_filter1d(near, max(1, round(EASE_S * rate_hz)), mode="nearest")
    share = IDLE + (1 - IDLE) * eased
    begin = min(round(BEGIN_S * rate_hz), len(share))
    if not np.any(sounds[: begin // 2] > HALF):
        share[:begin] *= np.linspace(0, 1, begin)
    return np.asarray(share, np.float32)


def _bridged(speech: Float, size: int) -> Float:
    """Probability (N,) with dips of less than `size` rows filled: a closing (Serra 1982)."""
    from scipy.ndimage import maximum_filter1d, minimum_filter1d

    wide = maximum_filter1d(np.pad(speech, size), size, mode="constant")
    return np.asarray(minimum_filter1d(wide, size, mode="constant")[size:-size], np.float32)


def at_rest(mouth: Float, share: Float, rate_hz: float, times_s: NDArray[np.float64]) -> Float:
    """Mouth (T, L) with its motion scaled by `share` (N,) at `rate_hz`, read at times (T,)."""
    return np.asarray(mouth * resample(share, times_s * rate_hz)[:, None], np.float32)
