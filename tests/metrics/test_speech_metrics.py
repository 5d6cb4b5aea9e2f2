"""Agreement with the speech: a known delay is found, beats are matched by hand."""

from dataclasses import replace

import numpy as np
import pytest

from emotalk_cli.metrics import speech as sp
from emotalk_cli.metrics.opening import MouthOpening
from emotalk_cli.schema import AudioFeatures, FaceTrack, MadeBy

NAMES = ("m", "a", "blank")
ROWS = 101  # two seconds at 50 Hz


def features(open_share: object, energy_db: object) -> AudioFeatures:
    """Speech that goes between m and a."""
    share = np.asarray(open_share, np.float32)
    posteriors = np.stack([1 - share, share, np.zeros_like(share)], -1)
    return AudioFeatures(
        made_by=MadeBy("test", "0"),
        speech=posteriors,
        log_mel=np.zeros((ROWS, 2), np.float32),
        f0_hz=np.zeros(ROWS, np.float32),
        voicing=np.ones(ROWS, np.float32),
        energy_db=np.asarray(energy_db, np.float32),
        speaking_rate_hz=4.0,
        rate_hz=50.0,
        duration_s=2.0,
        encoder="test",
        speech_names=NAMES,
    )


@pytest.fixture
def babble() -> AudioFeatures:
    time = np.arange(ROWS) / 50
    share = 0.5 + 0.3 * np.sin(2 * np.pi * 1.9 * time) + 0.2 * np.sin(2 * np.pi * 3.1 * time + 1)
    return features(share, np.full(ROWS, -20.0))


def test_expected_opening_is_loudness_times_openness() -> None:
    share = np.r_[np.zeros(50), np.ones(51)]
    energy = np.full(ROWS, -20.0)
    energy[-20:] = -80  # silence
    expected = sp.expected_opening(features(share, energy))
    assert expected[:50].max() < 0.02
    assert expected[50:-20].min() > 0.85
    assert expected[-20:].max() == 0


@pytest.mark.parametrize("late_frames", [-3, 0, 2])
def test_a_delayed_mouth_is_late(babble: AudioFeatures, late_frames: int) -> None:
    moments = np.clip((np.arange(50) - late_frames) * 2, 0, ROWS - 1)
    mouth = sp.expected_opening(babble)[moments] * 12
    opening = MouthOpening(mouth.astype(np.float32), np.ones(50, bool), "mm", 25.0)
    assert sp.SpeechLag()(opening, babble) == late_frames
    assert sp.SpeechCorrelation()(opening, babble) > 0.95


def test_beats_of_the_voice_are_rises_of_loudness() -> None:
    energy = np.full(ROWS, -60.0)
    energy[20:40] = -20
    energy[70:90] = -20
    beats = sp.loudness_beats_s(features(np.ones(ROWS), energy))
    np.testing.assert_allclose(beats, [0.4, 1.4], atol=0.04)


def test_beat_alignment_by_hand(still: FaceTrack) -> None:
    energy = np.full(ROWS, -60.0)
    energy[50:70] = -20  # one beat at 1.0 s
    heard = features(np.ones(ROWS), energy)
    beat = float(sp.loudness_beats_s(heard)[0])

    def stopping_at(frame: int) -> FaceTrack:
        speed = np.abs(np.arange(50) - frame) * 0.002 + 0.001
        pose = still.head_pose.copy()
        pose[:, 0] = np.cumsum(speed)
        return replace(still, head_pose=pose)

    exact = sp.BeatAlignment()(stopping_at(25), heard)
    late = sp.BeatAlignment()(stopping_at(30), heard)
    # The speed between frames k and k + 1 is least just before the stop.
    assert exact == pytest.approx(np.exp(-((24.5 / 25 - beat) ** 2) / 0.02), abs=0.05)
    assert late == pytest.approx(np.exp(-((29.5 / 25 - beat) ** 2) / 0.02), abs=0.05)
    assert late < 0.5 < exact
    assert sp.BeatAlignment()(still, heard) == 0
