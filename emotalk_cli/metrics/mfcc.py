"""Mel-frequency cepstra as SyncNet learned them: those of the package python_speech_features."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.schema import SAMPLE_RATE_HZ

FRAMES_PER_S = 100
FRAME, STEP = 400, 160  # samples: 25 and 10 ms
FFT_SIZE = 512
FILTERS = 26
CEPSTRA = 13
LIFTER = 22
EMPHASIS = 0.97
FULL_SCALE = 32768.0  # the network heard 16-bit integers


def mfcc(waveform: NDArray[np.float32]) -> NDArray[np.float32]:
    """Waveform (S,) of 16 kHz in -1..1 -> cepstra (N, 13), one row for every 10 ms.

    Davis and Mermelstein, 1980; the first coefficient is the logarithm of the frame's energy.
    """
    from scipy.fft import dct

    sound = np.round(waveform.astype(np.float64) * FULL_SCALE)
    sound = np.append(sound[:1], sound[1:] - EMPHASIS * sound[:-1])
    count = 1 + max(0, int(np.ceil((len(sound) - FRAME) / STEP)))
    sound = np.pad(sound, (0, (count - 1) * STEP + FRAME - len(sound)))
    frames = np.lib.stride_tricks.sliding_window_view(sound, FRAME)[::STEP]
    power = np.abs(np.fft.rfft(frames, FFT_SIZE)) ** 2 / FFT_SIZE
    tiny = np.finfo(float).eps
    bands = power @ _mel_filters().T
    cepstra = dct(np.log(np.where(bands == 0, tiny, bands)), type=2, axis=1, norm="ortho")
    order = np.arange(CEPSTRA)
    cepstra = cepstra[:, :CEPSTRA] * (1 + LIFTER / 2 * np.sin(np.pi * order / LIFTER))
    energy = power.sum(1)
    cepstra[:, 0] = np.log(np.where(energy == 0, tiny, energy))
    return np.asarray(cepstra, np.float32)


def _mel_filters() -> NDArray[np.float64]:
    """Triangles (26, 257) between equal steps on the mel scale, corners on whole FFT bins."""
    top = 2595 * np.log10(1 + SAMPLE_RATE_HZ / 2 / 700)
    hertz = 700 * (10 ** (np.linspace(0, top, FILTERS + 2) / 2595) - 1)
    corners = np.floor((FFT_SIZE + 1) * hertz / SAMPLE_RATE_HZ)
    bins = np.arange(FFT_SIZE // 2 + 1)
    left, middle, right = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        rise = np.where((bins >= left) & (bins < middle), (bins - left) / (middle - left), 0)
        fall = np.where((bins >= middle) & (bins < right), (right - bins) / (right - middle), 0)
    return np.asarray(rise + fall)
