"""Log-mel bands: the spectrum on the ear's scale, and the speech encoder that is only that."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.audio.clock import RATE_HZ, frames_around, row_count, walk
from emotalk_cli.errors import EmotalkError
from emotalk_cli.large_arrays import roomy
from emotalk_cli.schema import SAMPLE_RATE_HZ

Float = NDArray[np.float32]

MEL_BANDS = 40
LOWEST_HZ, HIGHEST_HZ = 60.0, 7600.0
WINDOW = 640  # samples: 40 ms, twice the hop, so that every sample counts the same
FFT_SIZE = 1024
POWER_FLOOR = 1e-7  # about 35 dB under the bands of speech at -23 dB; hides a room's noise


def log_mel(waveform: Float, bands: int = MEL_BANDS) -> Float:
    """Waveform (S,) -> natural log of mel band power (N, bands), row n centred at n / 50 s.

    Full-scale sine = power 1. The mel scale is HTK's: 2595 log10(1 + f / 700).
    """
    weights = _filters(bands)
    window = np.hanning(WINDOW + 1)[:-1].astype(np.float32)
    scale = np.float32((2 / window.sum()) ** 2)
    out = roomy(row_count(len(waveform)), bands)
    for first, last in walk(waveform, out):
        frames = frames_around(waveform, first, last, WINDOW) * window
        spectrum = np.fft.rfft(frames, FFT_SIZE)
        power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
        out[first:last] = np.log(power @ weights * scale + POWER_FLOOR)
    return out


class MelEncoder:
    """Log-mel bands as speech features: needs nothing, forgets no speaker."""

    rate_hz = RATE_HZ

    def __init__(self, bands: int | str = 80) -> None:
        if not str(bands).isdecimal() or not 8 <= int(bands) <= 128:
            raise EmotalkError(f"mel:{bands} names no number of bands.", "Give mel:8 to mel:128.")
        self.bands = int(bands)
        self.name = "mel" if self.bands == 80 else f"mel:{self.bands}"
        self.feature_names = tuple(f"mel_{hz:.0f}hz" for hz in _centres_hz(self.bands)[1:-1])

    def encode(self, waveform: Float) -> Float:
        """Mono 16 kHz waveform (S,) -> (N, bands) float32; row n is n / 50 s."""
        return log_mel(waveform, self.bands)


def _centres_hz(bands: int) -> NDArray[np.float64]:
    """Edges and centres of the triangles: (bands + 2,)."""
    low, high = (2595 * np.log10(1 + f / 700) for f in (LOWEST_HZ, HIGHEST_HZ))
    return np.asarray(700 * (10 ** (np.linspace(low, high, bands + 2) / 2595) - 1))


@cache
def _filters(bands: int) -> Float:
    """Triangular bands as a matrix (FFT_SIZE / 2 + 1, bands)."""
    edges = _centres_hz(bands)
    frequencies = np.fft.rfftfreq(FFT_SIZE, 1 / SAMPLE_RATE_HZ)[:, None]
    rising = (frequencies - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - frequencies) / (edges[2:] - edges[1:-1])
    return np.clip(np.minimum(rising, falling), 0, None).astype(np.float32)
