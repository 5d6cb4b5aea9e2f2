"""Round lips by construction: on w, oo, o and sh they purse, as far as the sound asks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.decoders.lips.mouth import Mouth
from emotalk_cli.decoders.motion import resample, rows_near

Float = NDArray[np.float32]

EASE_S = 0.1
"""Lips round before the sound that needs it, and let go after it."""
ROUND_UNITS = {"mouthPucker": 0.7, "mouthFunnel": 0.3}
"""What the units do at least for the roundest sound."""
SPREADERS = ("mouthStretch", "mouthSmile", "mouthDimple")
LET_GO = 0.7
"""So much of what spreads the lips the roundest sound takes away."""


def rounding_strength(
    posterior: Float, rate_hz: float, first: int, count: int, fps: float
) -> Float:
    """How round the lips must be (T,) in 0..1 at `count` frames from `first` on.

    `posterior` (N,) at `rate_hz`: how round each moment sounds.
    """
    from scipy.ndimage import uniform_filter1d

    size = max(1, round(EASE_S * rate_hz)) | 1
    at = (first + np.arange(count)) / fps * rate_hz
    near = rows_near(at, len(posterior), size)
    eased = uniform_filter1d(posterior[near], size, mode="nearest")
    return np.clip(resample(eased, at - near.start), 0.0, 1.0)


def round_lips(articulation: Float, strength: Float, mouth: Mouth) -> Float:
    """Articulation (T, L) pursed by `strength` (T,); the jaw keeps the lips' gap as it was."""
    result = np.clip(articulation, 0.0, 1.0).astype(np.float32)
    gap = mouth.gap(result)
    for name, least in ROUND_UNITS.items():
        if name in mouth.units:
            unit = mouth.units.index(name)
            result[:, unit] = np.maximum(result[:, unit], strength * least)
    for unit, name in enumerate(mouth.units):
        if name.startswith(SPREADERS):
            result[:, unit] *= 1 - LET_GO * strength
    if "jawOpen" in mouth.units:
        jaw = mouth.units.index("jawOpen")
        change = (gap - mouth.gap(result)) / mouth.opening_m[jaw]
        result[:, jaw] = np.clip(result[:, jaw] + change, 0.0, 1.0)
    return result
