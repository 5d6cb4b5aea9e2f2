"""Other voices and rooms, the same moments."""

import time

import numpy as np
import pytest

from emotalk_cli.audio.augment import augment, change_voice
from emotalk_cli.audio.mel_encoder import log_mel
from emotalk_cli.audio.prosody import energy, pitch
from emotalk_cli.audio.waveform import normalise_level
from emotalk_cli.schema import SAMPLE_RATE_HZ
from tests.audio.conftest import hum

STEP = 16  # samples: 1 ms


def envelope(sound: np.ndarray) -> np.ndarray:
    smooth = np.convolve(sound.astype(float) ** 2, np.hanning(321) / 160, "same")[::STEP]
    shape = smooth**0.25
    return np.asarray(shape - shape.mean())


def lag_ms(before: np.ndarray, after: np.ndarray) -> int:
    match = np.correlate(envelope(after), envelope(before), "full")
    return int(match.argmax()) - len(envelope(before)) + 1


def test_timing_and_length_stay(speech: np.ndarray) -> None:
    clip = speech[: 3 * SAMPLE_RATE_HZ + 77]
    for seed in range(12):
        other = augment(clip, np.random.default_rng(seed))
        assert other.shape == clip.shape and other.dtype == np.float32
        assert np.abs(other).max() <= 1
        assert abs(lag_ms(clip, other)) <= 5, seed


def test_variants_differ_and_repeat(speech: np.ndarray) -> None:
    clip = speech[:SAMPLE_RATE_HZ]
    one, again, two = (augment(clip, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, two)


@pytest.mark.parametrize("ratio", [0.7, 1.4])
def test_pitch_moves_by_its_ratio(ratio: float) -> None:
    voice = hum(np.full(2 * SAMPLE_RATE_HZ, 160.0)).astype(float)
    other = normalise_level(change_voice(voice, ratio, 1.0).astype(np.float32))
    f0_hz, _ = pitch(other, energy(other))
    assert np.median(f0_hz[f0_hz > 0]) == pytest.approx(160 * ratio, rel=0.02)


def test_tract_moves_formants_and_not_pitch() -> None:
    voice = hum(np.full(2 * SAMPLE_RATE_HZ, 100.0)).astype(float)
    other = change_voice(voice, 1.0, 1.2).astype(np.float32)
    f0_hz, _ = pitch(normalise_level(other), energy(normalise_level(other)))
    assert np.median(f0_hz[f0_hz > 0]) == pytest.approx(100, rel=0.02)
    before, after = (log_mel(s.astype(np.float32)).mean(axis=0)[4:20] for s in (voice, other))
    assert after.argmax() > before.argmax()


def test_short_silent_and_constant_sounds_survive() -> None:
    rng = np.random.default_rng(0)
    for sound in (np.zeros(4000, np.float32), np.full(3300, 0.1, np.float32)):
        for _ in range(8):
            assert np.isfinite(augment(sound, rng)).all()


def test_a_clip_takes_little_time(speech: np.ndarray) -> None:
    clip = speech[: 3 * SAMPLE_RATE_HZ]
    start = time.process_time()
    for seed in range(4):
        augment(clip, np.random.default_rng(seed))
    assert (time.process_time() - start) / 4 < 0.3
