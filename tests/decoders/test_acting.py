"""The prior: faces that follow emotion and voice, blink, look, nod, and rest in silence."""

import numpy as np
import pytest

from emotalk_cli.decoders.acting.blinks import blink_times, lid_closure
from emotalk_cli.decoders.acting.gaze import gaze_path, look_units
from emotalk_cli.decoders.acting.head_motion import head_motion
from emotalk_cli.decoders.acting.performance import act_face
from emotalk_cli.decoders.acting.prototypes import ACTION_UNITS, EMOTION_ACTIONS, SIDED, prototypes
from emotalk_cli.decoders.acting.speech_beats import Beats, beats_of
from emotalk_cli.decoders.direction.emotions import EMOTIONS, parse_emotion
from emotalk_cli.decoders.motion import Motion
from tests.decoders.voices import voice

FPS = 25.0
UNITS = sorted(
    name
    for units in ACTION_UNITS.values()
    for unit in units
    for name in ([unit + "Left", unit + "Right"] if unit in SIDED else [unit])
)
UNITS = sorted({*UNITS, "eyeBlinkLeft", "eyeBlinkRight"})
PHRASES = [(0.5, 3.0), (4.0, 7.5), (9.0, 12.0), (14.0, 19.0), (26.0, 29.0)]


def beats(phrases: list[tuple[float, float]] = PHRASES, duration_s: float = 30.0) -> Beats:
    return beats_of(voice(phrases, duration_s), np.arange(0, duration_s, 1 / FPS))


def weights(emotion: str, frames: int) -> np.ndarray:
    return parse_emotion(emotion).weights(np.zeros(frames)).astype(np.float64)


def test_phrases_are_found() -> None:
    found = beats()
    np.testing.assert_allclose(found.onsets_s, [start for start, _ in PHRASES], atol=0.12)
    np.testing.assert_allclose(found.ends_s, [end for _, end in PHRASES], atol=0.12)
    assert 10 < len(found.accents_s) < 60
    spoken = [any(a <= t <= b for a, b in PHRASES) for t in found.accents_s]
    assert np.mean(spoken) > 0.95


def test_a_silent_recording_has_no_beats() -> None:
    found = beats([], 5.0)
    assert not len(found.onsets_s)
    assert not len(found.accents_s)
    assert found.speaking.max() == 0


def test_prototypes_name_what_the_sources_say() -> None:
    table = prototypes(UNITS)
    smile = [UNITS.index("mouthSmileLeft"), UNITS.index("cheekSquintLeft")]
    assert table[EMOTIONS.index("happy"), smile].min() > 0.5
    assert table[EMOTIONS.index("neutral")].max() == 0
    assert table.min() >= 0
    assert table.max() <= 1
    contempt = table[EMOTIONS.index("contempt")]
    assert contempt[UNITS.index("mouthSmileRight")] > 0.3
    assert contempt[UNITS.index("mouthSmileLeft")] == 0
    different = np.corrcoef(np.delete(table, EMOTIONS.index("neutral"), axis=0))
    assert np.max(different - np.eye(len(different))) < 0.8


def test_every_action_unit_is_explained() -> None:
    for actions in EMOTION_ACTIONS.values():
        assert {action.rstrip("LR") for action in actions} <= set(ACTION_UNITS)


@pytest.mark.parametrize("rate", [8.0, 17.0, 30.0])
def test_blinks_come_at_the_wanted_rate_and_close_the_eye(rate: float) -> None:
    many = [len(blink_times(beats(), np.random.default_rng(n), rate)) for n in range(40)]
    assert 0.7 * rate < 2 * np.mean(many) < 1.35 * rate
    times = np.arange(0, 10, 1 / FPS)
    closure = lid_closure(times, [2.01, 6.5], np.random.default_rng(0))
    assert closure[45:60].max() > 0.85
    shut = np.flatnonzero(closure[40:65] > 0.5)
    assert 2 <= len(shut) <= 5
    assert closure[100:140].max() == 0


def test_blinks_gather_at_the_ends_of_phrases() -> None:
    found = beats()
    gaps = [
        np.min(np.abs(found.ends_s + 0.08 - when))
        for n in range(60)
        for when in blink_times(found, np.random.default_rng(n))
    ]
    near = np.mean(np.array(gaps) < 0.15)
    by_chance = 0.3 * len(found.ends_s) / 30
    assert near > 3 * by_chance


def test_eyes_look_at_the_camera_most_of_the_time_and_counter_the_head() -> None:
    frames = len(beats().times_s)
    path = gaze_path(beats(), np.ones(frames), np.zeros((frames, 2)), np.random.default_rng(1))
    assert np.mean(np.hypot(*path.angles_deg.T) < 2) > 0.6
    turned = np.zeros((frames, 6))
    turned[:, 1] = np.radians(5)  # to the subject's left: the eyes go right
    units = look_units(np.zeros((frames, 2)), turned)
    for name in ("eyeLookOutRight", "eyeLookInLeft"):  # at 1 the eyes turn by 30 degrees
        np.testing.assert_allclose(30 * units[name], 5, atol=1)
    assert units["eyeLookOutLeft"].max() == 0


def test_heads_are_still_in_silence_and_nod_with_accents() -> None:
    found = beats()
    neutral = weights("neutral", len(found.times_s))
    speeds = []
    for n in range(12):
        head = np.degrees(head_motion(found, neutral, np.random.default_rng(n))[:, :3])
        speeds.append(np.linalg.norm(np.diff(head, axis=0), axis=1) * FPS)
    speed = np.mean(speeds, axis=0)
    speaking = found.speaking[1:] > 0.5
    quiet = (found.times_s[1:] > 21) & (found.times_s[1:] < 25)
    assert speed[quiet].mean() < 0.35 * speed[speaking].mean()
    assert 1 < speed[speaking].mean() < 12


def test_manners_differ() -> None:
    found = beats()
    mean = {
        name: np.mean(
            [
                head_motion(found, weights(name, 750), np.random.default_rng(n)).mean(0)
                for n in range(6)
            ],
            axis=0,
        )
        for name in ("neutral", "sad", "angry", "surprised")
    }
    assert mean["sad"][0] > mean["neutral"][0] + np.radians(3)  # lower
    assert mean["angry"][5] > mean["neutral"][5] + 0.005  # forward
    assert mean["surprised"][5] < mean["neutral"][5] - 0.005  # back


@pytest.mark.parametrize("emotion", [name for name in EMOTIONS if name != "neutral"])
def test_a_performance_shows_its_emotion_in_proportion(emotion: str) -> None:
    found = beats()
    lids = [n for n, name in enumerate(UNITS) if name.startswith("eyeBlink")]

    def profile(strength: float) -> np.ndarray:
        curve = parse_emotion(emotion, strength)
        made = act_face(found, curve, UNITS, np.random.default_rng(0)).expression
        assert made.min() >= 0
        assert made.max() <= 1
        return np.delete(made.mean(axis=0), lids)

    table = np.delete(prototypes(UNITS)[EMOTIONS.index(emotion)], lids)
    rest = profile(0.0)
    assert np.corrcoef(profile(1.0) - rest, table)[0, 1] > 0.95
    distances = [np.linalg.norm(profile(s) - rest) for s in (0, 0.25, 0.5, 0.75, 1)]
    assert np.all(np.diff(distances) > 0.02)


def test_an_emotion_grows_with_the_voice_and_fades_in_silence() -> None:
    found = beats()
    smile = np.mean(
        [
            act_face(
                found, parse_emotion("happy", 0.6), UNITS, np.random.default_rng(n)
            ).expression[:, UNITS.index("mouthSmileLeft")]
            for n in range(4)
        ],
        axis=0,
    )
    loud, silent = found.energy > 0.7, (found.times_s > 21) & (found.times_s < 25)
    assert smile[loud].mean() > 1.15 * smile[silent].mean()
    assert np.corrcoef(smile, found.energy)[0, 1] > 0.6


def test_sad_lids_droop_and_still_blink() -> None:
    lids = act_face(beats(), parse_emotion("sad"), UNITS, np.random.default_rng(0)).expression[
        :, UNITS.index("eyeBlinkLeft")
    ]
    assert 0.08 < np.median(lids) < 0.25
    assert lids.max() > 0.9


def test_a_timeline_is_followed_within_a_third_of_a_second() -> None:
    found = beats()
    curve = parse_emotion("0 neutral, 10 happy, 20 sad")
    made = act_face(found, curve, UNITS, np.random.default_rng(3)).expression
    smile = made[:, UNITS.index("mouthSmileLeft")]
    frown = made[:, UNITS.index("mouthFrownLeft")]
    rise = np.flatnonzero(smile > 0.5 * smile[300:450].mean())[0] / FPS
    fall = np.flatnonzero(frown > 0.5 * frown[550:].mean())[0] / FPS
    assert abs(rise - 10) < 0.3
    assert abs(fall - 20) < 0.3


def test_a_blink_closes_wide_eyes() -> None:
    made = act_face(beats(), parse_emotion("fear"), UNITS, np.random.default_rng(0)).expression
    closed = made[:, UNITS.index("eyeBlinkLeft")] > 0.9
    assert closed.any()
    assert made[closed][:, UNITS.index("eyeWideLeft")].max() < 0.11


def test_a_real_head_is_kept() -> None:
    found = beats()
    frames = len(found.times_s)
    real = np.zeros((frames, 6), np.float32)
    real[:, 1] = 0.1 * np.sin(0.5 * np.arange(frames))  # twice a second
    measured = Motion(np.zeros((frames, len(UNITS)), np.float32), real)
    made = act_face(found, parse_emotion("neutral"), UNITS, np.random.default_rng(0), measured)
    assert np.corrcoef(made.head_pose_delta[:, 1], real[:, 1])[0, 1] > 0.9
