"""Closed lips on p, b and m by construction: where the encoder hears one, the lips meet."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.decoders.motion import resample
from emotalk_cli.decoders.mouth import Mouth

Float = NDArray[np.float32]

CLOSING_PHONES = ("p", "b", "m")
UNSURE, SURE = 0.15, 0.5
"""Posteriors of the three together: below the first nothing is done, from the second on all."""
SPREAD_S = (0.0, 0.02, 0.04)
SPREAD = (1.0, 0.6, 0.2)
"""How much a moment counts for one so far away: recognisers mark a phone by a short peak only,
lips take about 60 ms to close and as long to open."""
LIFTERS = ("mouthUpperUpLeft", "mouthUpperUpRight", "mouthLowerDownLeft", "mouthLowerDownRight")


def closing_columns(speech_names: Sequence[str]) -> list[int]:
    """Columns of the encoder's posteriors that mean closed lips; none for other encoders."""
    return [i for i, name in enumerate(speech_names) if name in CLOSING_PHONES]


def closing_strength(posterior: Float, rate_hz: float, times_s: NDArray[np.float64]) -> Float:
    """Posterior (N,) of p, b or m at `rate_hz` -> how much the lips must close (T,) in 0..1."""
    heard = np.zeros(len(times_s), np.float32)
    for distance, weight in zip(SPREAD_S, SPREAD, strict=True):
        for sign in (-1, 1):
            moved = resample(posterior, (times_s + sign * distance) * rate_hz)
            heard = np.maximum(heard, np.float32(weight) * moved)
    certain = np.clip((heard - UNSURE) / (SURE - UNSURE), 0.0, 1.0)
    return np.asarray(certain**2 * (3 - 2 * certain), np.float32)


def close_lips(articulation: Float, strength: Float, mouth: Mouth) -> Float:
    """Articulation (T, L) with the inner-lip gap above rest shrunk to (1 - strength) of itself.

    What lifts the lips apart lets go by the same share; the rest is done by mouthClose, which
    shuts the lips over whatever the jaw does, or by the jaw where a model has no such unit.
    """
    result = np.clip(articulation, 0.0, 1.0).astype(np.float32)
    wanted = np.maximum(mouth.gap(result) - mouth.rest_m, 0.0) * (1 - strength) + mouth.rest_m
    for name in LIFTERS:
        if name in mouth.units:
            result[:, mouth.units.index(name)] *= 1 - strength
    for name in ("mouthClose", "jawOpen"):
        if name in mouth.units:
            unit = mouth.units.index(name)
            missing = np.minimum(wanted - mouth.gap(result), 0.0) / mouth.opening_m[unit]
            closed = np.clip(result[:, unit] + missing, 0.0, 1.0)
            result[:, unit] = np.where(strength > 0, closed, result[:, unit])
    return result
