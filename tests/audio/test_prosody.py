"""Prosody: pitch where it is known, none where there is none, syllables that can be counted."""

import numpy as np
import pytest

from emotalk_cli.audio.clock import RATE_HZ, row_count
from emotalk_cli.audio.prosody import energy, pitch, prosody, speech_activity
from emotalk_cli.audio.waveform import normalise_level
from emotalk_cli.schema import SAMPLE_RATE_HZ
from tests.audio.conftest import hum


def at_rows(f0_hz: np.ndarray) -> np.ndarray:
    return f0_hz[np.minimum(np.arange(row_count(len(f0_hz))) * 320, len(f0_hz) - 1)]


@pytest.mark.parametrize("centre_hz", [85.0, 130.0, 220.0, 400.0])
@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_pitch_follows_a_gliding_voice(centre_hz: float, noise: float) -> None:
    time_s = np.arange(2 * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    f0_hz = centre_hz * 2 ** (0.25 * np.sin(2 * np.pi * 1.5 * time_s))
    sound = hum(f0_hz) + noise * np.random.default_rng(1).normal(size=len(f0_hz))
    found, voicing = pitch(normalise_level(sound.astype(np.float32)), energy(sound))
    inner = slice(3, -3)
    assert (found[inner] > 0).mean() > 0.97
    assert voicing[inner].mean() > 0.8
    cents = 1200 * np.abs(np.log2(found[inner] / at_rows(f0_hz)[inner]))
    assert np.median(cents) < 15
    assert np.percentile(cents, 95) < 60


def test_hiss_and_silence_have_no_pitch() -> None:
    for sound in (hum(np.zeros(SAMPLE_RATE_HZ)), np.zeros(SAMPLE_RATE_HZ, np.float32)):
        found, voicing = pitch(sound, energy(sound))
        assert (found > 0).mean() < 0.05
        assert voicing.mean() < 0.2


def test_voice_begins_and_ends_on_time() -> None:
    f0_hz = np.zeros(2 * SAMPLE_RATE_HZ)
    f0_hz[SAMPLE_RATE_HZ // 2 : SAMPLE_RATE_HZ] = 150.0
    sound = normalise_level(hum(f0_hz))
    voiced = np.flatnonzero(pitch(sound, energy(sound))[0]) / RATE_HZ
    assert voiced[0] == pytest.approx(0.5, abs=0.041)
    assert voiced[-1] == pytest.approx(1.0, abs=0.041)


def test_energy_is_the_level_of_the_moment() -> None:
    sound = np.zeros(SAMPLE_RATE_HZ, np.float32)
    sound[8000:] = 0.1
    level = energy(sound)
    assert level[10] == pytest.approx(-80.0, abs=0.01)
    assert level[40] == pytest.approx(-20.0, abs=0.01)
    assert level[25] == pytest.approx(-23.0, abs=0.1)  # half of its 20 ms


def test_syllables_are_counted_per_second_of_speech() -> None:
    beat = np.abs(np.sin(np.pi * 4 * np.arange(3 * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ)) + 0.03
    sound = hum(np.full(len(beat), 140.0)) * beat.astype(np.float32)
    pause = np.zeros(2 * SAMPLE_RATE_HZ, np.float32)
    heard = prosody(normalise_level(np.concatenate([pause, sound, pause])))
    assert heard.speaking_rate_hz == pytest.approx(4.0, rel=0.15)
    assert heard.activity[: int(1.9 * RATE_HZ)].mean() == 0
    assert heard.activity[int(2.1 * RATE_HZ) : int(4.9 * RATE_HZ)].mean() > 0.9


def test_real_speech_is_voiced_in_part(speech: np.ndarray) -> None:
    heard = prosody(normalise_level(speech))
    voiced = heard.f0_hz[heard.f0_hz > 0]
    assert 0.3 < (heard.f0_hz > 0).mean() < 0.85
    assert np.percentile(voiced, 90) / np.percentile(voiced, 10) < 3
    assert 2 < heard.speaking_rate_hz < 6
    assert speech_activity(heard.energy_db).mean() > 0.6
