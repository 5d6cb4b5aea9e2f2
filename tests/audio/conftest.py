"""Sounds with known content: a made-up voice, and the demo's real speech."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import emotalk_cli
from emotalk_cli.schema import SAMPLE_RATE_HZ

DEMO_SPEECH = Path(emotalk_cli.__file__).parent / "assets" / "demo_speech.flac"


def hum(f0_hz: NDArray[np.float64], seed: int = 0) -> NDArray[np.float32]:
    """A vowel whose pitch follows f0_hz (S,); where that is 0, a hiss."""
    phase = 2 * np.pi * np.cumsum(f0_hz) / SAMPLE_RATE_HZ
    voice = sum(np.sin(k * phase) * np.exp(-((k * f0_hz / 700 - 1) ** 2)) for k in range(1, 12))
    hiss = 0.05 * np.random.default_rng(seed).normal(size=len(f0_hz))
    return (0.2 * np.where(f0_hz > 0, voice, hiss)).astype(np.float32)


@pytest.fixture(scope="session")
def speech() -> NDArray[np.float32]:
    """Real speech: the demo's recording (S,)."""
    from emotalk_cli.audio.waveform import load_waveform

    return load_waveform(DEMO_SPEECH)
