"""Life: eyes fixate or jump, heads rest in silence, blinks come in the corpus's number."""

import numpy as np
import pytest

from emotalk_cli.decoders.acting.speech_beats import Beats, beats_of
from emotalk_cli.decoders.direction.emotions import EMOTIONS
from emotalk_cli.decoders.direction.eye_direction import find_blinks, gaze_of, look_at
from emotalk_cli.decoders.life import blink_rates, enliven, fixated
from emotalk_cli.decoders.motion import Motion
from tests.decoders.voices import voice

FPS = 25.0
SECONDS = 60.0
SIDES = ("Left", "Right")
UNITS = [
    *(f"eye{what}{side}" for what in ("Blink", "Wide", "Squint") for side in SIDES),
    *(f"eyeLook{where}{side}" for where in ("Up", "Down", "In", "Out") for side in SIDES),
]


def beats() -> Beats:
    phrases = [(1.0, 9.0), (20.0, 29.0), (40.0, 49.0)]
    return beats_of(voice(phrases, SECONDS), np.arange(0, SECONDS, 1 / FPS))


def still(frames: int) -> Motion:
    zeros = np.zeros((frames, len(UNITS)), np.float32)
    return Motion(zeros, np.zeros((frames, 6), np.float32))


def lids(motion: Motion) -> np.ndarray:
    return motion.expression[:, :2].mean(axis=1).astype(np.float64)


def test_a_blurred_gaze_becomes_looks_and_jumps() -> None:
    rng = np.random.default_rng(0)
    truth = np.repeat([[0, 0], [6, 1], [0, -3]], 40, axis=0).astype(float)
    ramp = np.stack([np.convolve(c, np.ones(5) / 5, "same") for c in truth.T], axis=1)
    seen = fixated(ramp + rng.normal(0, 0.3, truth.shape))
    inside = np.r_[5:35, 45:75, 85:112]
    np.testing.assert_allclose(seen[inside], truth[inside], atol=0.5)
    speed = np.hypot(*np.diff(seen, axis=0).T)
    assert (speed > 1).sum() <= 6
    assert np.median(speed) < 0.2


def test_missing_blinks_are_put_in_where_none_is_near() -> None:
    found = beats()
    rate = np.full(len(found.times_s), 18.0)
    counts = []
    for seed in range(6):
        made = enliven(still(len(rate)), UNITS, found, rate, np.random.default_rng(seed))
        peaks = [peak for _, peak, _ in find_blinks(lids(made), FPS)]
        counts.append(len(peaks))
        assert min(np.diff(peaks)) > 0.7 * FPS
        assert lids(made).max() > 0.9
    assert 14 < np.mean(counts) < 22


def test_blinks_that_are_there_count_and_without_a_rate_nothing_is_added() -> None:
    found, rng = beats(), np.random.default_rng(0)
    rate = np.full(len(found.times_s), 12.0)
    once = enliven(still(len(rate)), UNITS, found, rate, rng)
    again = enliven(once, UNITS, found, rate * 0.5, rng)
    np.testing.assert_allclose(lids(again), lids(once), atol=1e-6)
    assert lids(enliven(still(len(rate)), UNITS, found, None, rng)).max() == 0


def test_the_rate_of_each_emotion_is_counted() -> None:
    closure = np.zeros(1500)
    for start in range(100, 1500, 200):
        closure[start : start + 5] = [0.4, 0.9, 1.0, 0.8, 0.4]
    happy, calm = np.zeros((1500, 8), np.float32), np.zeros((1500, 8), np.float32)
    happy[:, EMOTIONS.index("happy")] = 1
    calm[:, EMOTIONS.index("neutral")] = 1
    rates = dict(
        zip(EMOTIONS, blink_rates([closure, closure * 0], [happy, calm], FPS), strict=True)
    )
    assert rates["happy"] == pytest.approx(7.0)
    assert rates["neutral"] == 0
    assert rates["sad"] == pytest.approx(3.5)  # never shown: as often as all together


def test_heads_rest_in_silence_and_eyes_stay_on_the_camera() -> None:
    found = beats()
    frames = len(found.times_s)
    moved = still(frames)
    rng = np.random.default_rng(3)
    sway = np.convolve(rng.normal(0, 0.1, frames), np.ones(5) / 5, "same")
    moved.head_pose_delta[:, 1] = sway
    units = look_at(moved.expression, UNITS, np.zeros((frames, 2)), moved.head_pose_delta)
    moved = Motion(units.astype(np.float32), moved.head_pose_delta)
    made = enliven(moved, UNITS, found, None, rng)
    silent = (found.times_s > 31) & (found.times_s < 38)
    spoken = (found.times_s > 22) & (found.times_s < 27)
    before, after = (np.abs(np.diff(m.head_pose_delta[:, 1], prepend=0)) for m in (moved, made))
    assert after[silent].mean() < 0.5 * before[silent].mean()
    assert after[spoken].mean() > 0.9 * before[spoken].mean()
    looks = gaze_of(made.expression, UNITS, made.head_pose_delta)
    assert np.abs(looks[:, 0]).max() < 1.0  # the eyes turn with the head that is left
