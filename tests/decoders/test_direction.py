"""What a user asks of a performance is what it then does, and nothing else changes."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from emotalk_cli.decoders.acting.gaze import DOWN_DEG_PER_UNIT, UP_DEG_PER_UNIT, YAW_DEG_PER_UNIT
from emotalk_cli.decoders.acting.performance import act_face
from emotalk_cli.decoders.acting.speech_beats import beats_of
from emotalk_cli.decoders.direction.direction import Direction, direct, parse_gaze, weights_of
from emotalk_cli.decoders.direction.emotions import EMOTIONS, NEUTRAL, parse_emotion
from emotalk_cli.decoders.direction.eye_direction import aside_deg, find_blinks, gaze_of
from emotalk_cli.decoders.direction.style import read_style
from emotalk_cli.decoders.lips.mouth import Mouth, mouth_of
from emotalk_cli.decoders.motion import Motion, add_pose
from emotalk_cli.errors import EmotalkError
from emotalk_cli.face3d.models.default_model import load_default_face_model
from emotalk_cli.schema import AudioFeatures, FaceTrack, MadeBy
from tests.decoders.voices import voice

FPS = 25.0
SECONDS = 40.0
PHRASES = [(0.5, 4.0), (5.0, 9.5), (11.0, 16.0), (18.0, 23.0), (25.0, 30.0), (32.0, 38.0)]
UNITS = load_default_face_model().expression_names
REST = np.array([0.05, 0.1, 0, 0, 0, -0.8], np.float32)


@cache
def heard() -> AudioFeatures:
    return voice(PHRASES, SECONDS)


@cache
def mouth() -> Mouth:
    model = load_default_face_model()
    return mouth_of(model, np.zeros(model.identity_basis.shape[0], np.float32))


@cache
def performed() -> Motion:
    """A happy performance whose jaw opens and shuts three times a second."""
    times = np.arange(int(SECONDS * FPS)) / FPS
    beats = beats_of(heard(), times)
    made = act_face(beats, parse_emotion("happy:0.5"), UNITS, np.random.default_rng(3))
    expression = made.expression.copy()
    jaw = 0.3 * np.maximum(np.sin(2 * np.pi * 3 * times), 0) * beats.speaking
    expression[:, UNITS.index("jawOpen")] = jaw
    for name in ("mouthUpperUpLeft", "mouthUpperUpRight", "mouthLowerDownLeft"):
        expression[:, UNITS.index(name)] = 0
    return replace(made, expression=expression)


def directed(**options: Any) -> Motion:
    direction = Direction(**options)
    return direct(performed(), direction, heard(), fps=FPS, seed=0, units=UNITS, mouth=mouth())


def columns(*starts: str) -> list[int]:
    return [n for n, name in enumerate(UNITS) if name.startswith(starts)]


def as_track(motion: Motion) -> FaceTrack:
    frames = len(motion.expression)
    model = load_default_face_model()
    return FaceTrack(
        made_by=MadeBy("test", "0"),
        shape=np.zeros(model.identity_basis.shape[0], np.float32),
        expression=motion.expression,
        head_pose=add_pose(REST, motion.head_pose_delta),
        camera=np.array([900, 256, 256, 512, 512], np.float32),
        residual_px=np.zeros(frames, np.float32),
        valid=np.ones(frames, bool),
        rest_pose=REST,
        face_model=model.name,
        face_model_sha256=model.sha256,
        expression_names=UNITS,
        fps=FPS,
    )


def blinks(motion: Motion) -> list[tuple[int, int, int]]:
    return find_blinks(motion.expression[:, columns("eyeBlink")].mean(axis=1).astype(float), FPS)


def gaze(motion: Motion) -> np.ndarray:
    return gaze_of(motion.expression.astype(float), UNITS, motion.head_pose_delta.astype(float))


def test_nothing_asked_nothing_changed() -> None:
    assert directed() is performed()


def test_strengths_scale_their_half_of_the_face() -> None:
    upper, lower = columns("brow", "cheekSquint"), columns("jaw", "mouth")
    others = columns("eyeBlink", "eyeLook")
    was = performed().expression
    half = directed(upper_strength=0.5).expression
    np.testing.assert_allclose(half[:, upper], 0.5 * was[:, upper], atol=1e-6)
    np.testing.assert_array_equal(half[:, lower + others], was[:, lower + others])
    more = directed(lower_strength=1.5).expression
    assert more[:, UNITS.index("jawOpen")].std() > 1.4 * was[:, UNITS.index("jawOpen")].std()
    np.testing.assert_array_equal(more[:, upper + others], was[:, upper + others])


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.5, 2.0, None])
def test_shut_lips_stay_shut_at_any_strength_and_in_any_style(strength: float | None) -> None:
    lips = [UNITS.index(name) for name in mouth().units]
    gap = mouth().gap(performed().expression[:, lips])
    shut = gap < mouth().rest_m + 5e-4
    assert shut.sum() > 50
    if strength is None:
        mumbling = replace(performed(), expression=0.5 * performed().expression)
        made = directed(style=read_style(as_track(mumbling)))
    else:
        made = directed(lower_strength=strength)
    after = mouth().gap(made.expression[:, lips])
    assert after[shut].max() < mouth().rest_m + 1e-3


@pytest.mark.parametrize("rate", [0.0, 6.0, 15.0, 30.0, 60.0])
def test_blinks_come_at_the_asked_rate_and_shut_the_eye(rate: float) -> None:
    made = directed(blink_rate=rate)
    found = blinks(made)
    assert len(found) == pytest.approx(rate * SECONDS / 60, abs=1)
    lids = made.expression[:, UNITS.index("eyeBlinkLeft")]
    assert all(lids[peak] > 0.85 for _, peak, _ in found)
    assert all(last - first < 16 for first, _, last in found)
    untouched = columns("brow", "mouth", "jaw", "eyeLook")
    np.testing.assert_allclose(
        made.expression[:, untouched], performed().expression[:, untouched], atol=1e-6
    )


def test_blinks_need_no_speech_and_repeat_with_the_seed() -> None:
    asked = Direction(blink_rate=20.0)
    first, same, other = (
        direct(performed(), asked, None, fps=FPS, seed=seed, units=UNITS).expression
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, same)
    assert np.abs(first - other).max() > 0.5


def test_head_holds_still_or_moves_less_and_the_eyes_keep_their_target() -> None:
    assert not directed(head_motion=0.0).head_pose_delta.any()
    half = directed(head_motion=0.5)
    np.testing.assert_allclose(half.head_pose_delta, 0.5 * performed().head_pose_delta, atol=1e-7)
    for made in (half, directed(head_motion=0.0)):
        np.testing.assert_allclose(gaze(made)[:, 0], gaze(performed())[:, 0], atol=1.0)


@pytest.mark.parametrize(
    ("unit", "axis", "degrees"),
    [
        ("eyeLookOutLeft", 0, YAW_DEG_PER_UNIT),
        ("eyeLookInLeft", 0, -YAW_DEG_PER_UNIT),
        ("eyeLookUpLeft", 1, UP_DEG_PER_UNIT),
        ("eyeLookDownLeft", 1, -DOWN_DEG_PER_UNIT),
    ],
)
def test_eyes_of_the_default_head_turn_as_far_as_is_thought(
    unit: str, axis: int, degrees: float
) -> None:
    model = load_default_face_model()
    ring = model.contours["iris_left"]
    moved = model.mean_vertices + model.expression_basis[UNITS.index(unit)]
    x, y, z = moved[ring].mean(axis=0) - model.eye_centres_m[0]
    assert np.degrees(np.arctan2((x, y)[axis], z)) == pytest.approx(degrees, abs=0.5)


def seen(motion: Motion) -> np.ndarray:
    """Directions (T, 2) that the eyes really have in the camera's space, degrees."""
    turn = np.degrees(motion.head_pose_delta[:, :3].astype(float))
    # `gaze` takes the head's turn as less than it is; here all of it counts.
    return gaze(motion) + 0.1 * np.stack([turn[:, 1], -turn[:, 0]], axis=1)


@pytest.mark.parametrize(("asked", "at"), [("camera", (0, 0)), ((6.0, -4.0), (6, -4))])
def test_eyes_stay_where_they_are_told_to_look_while_the_head_moves(
    asked: Any, at: tuple[float, float]
) -> None:
    looks = seen(directed(gaze=asked))
    assert performed().head_pose_delta[:, :3].std() > 0.005
    np.testing.assert_allclose(looks.mean(axis=0), at, atol=0.35)
    assert looks.std(axis=0).max() < 0.6
    assert np.abs(np.diff(looks, axis=0)).max() > 0.1  # and yet they live


@pytest.mark.parametrize(("side", "other", "moved"), [("Left", "Right", 1), ("Right", "Left", 0)])
def test_eyes_that_look_aside_in_the_photo_are_brought_to_the_camera(
    side: str, other: str, moved: bool
) -> None:
    """A head turned to its left by 15 degrees, with eyes further to its left, or to its right."""
    still = as_track(Motion(np.zeros((1, len(UNITS)), np.float32), np.zeros((1, 6), np.float32)))
    looks, turned = still.expression.copy(), np.array([[0, 0.26, 0, 0, 0, -0.8]], np.float32)
    looks[0, [UNITS.index(f"eyeLookOut{side}"), UNITS.index(f"eyeLookIn{other}")]] = 0.4
    photo = replace(still, head_pose=turned, expression=looks)
    asked = Direction(gaze="camera", head_motion=0.0)
    made, plain = (
        direct(performed(), asked, None, fps=FPS, seed=0, units=UNITS, photo=given)
        for given in (photo, None)
    )
    shift = (gaze(made) - gaze(plain))[:, 0].mean()
    assert shift == pytest.approx(-aside_deg(photo), abs=0.3)
    assert (shift < -20) if moved else shift == 0


@pytest.mark.parametrize(("frames", "fps"), [(200, 25.0), (1600, 50.0), (1, 25.0)])
def test_the_head_of_a_clip(frames: int, fps: float) -> None:
    turns = np.zeros((frames, 6), np.float32)
    turns[:, 1] = 0.1 * np.sin(np.arange(frames) / fps)
    turns[:, 5] = 0.002
    still = Motion(np.zeros((frames, len(UNITS)), np.float32), turns)
    made = directed(pose=replace(as_track(still), fps=fps)).head_pose_delta
    seconds = min(frames / fps, SECONDS) - 1 / fps
    at = np.arange(int(seconds * FPS)) / FPS
    np.testing.assert_allclose(made[: len(at), 1], 0.1 * np.sin(at), atol=1e-3)
    np.testing.assert_allclose(made[:, 5], 0.002, atol=1e-6)
    assert np.abs(np.diff(made[:, 1])).max() < 0.006  # no jump where it begins again


def test_a_style_brings_its_amplitudes_asymmetry_and_rest() -> None:
    own = performed()
    expression = own.expression.copy()
    expression[:, columns("brow")] *= 0.4
    expression[:, UNITS.index("mouthSmileLeft")] *= 0.5
    expression[:, columns("browDown")] += 0.15
    lazy = Motion(expression, 0.5 * own.head_pose_delta)
    style = read_style(as_track(lazy))
    made = directed(style=style)
    brows = UNITS.index("browInnerUp")
    assert made.expression[:, brows].std() < 0.7 * own.expression[:, brows].std()
    for axis in range(3):
        ratio = made.head_pose_delta[:, axis].std() / own.head_pose_delta[:, axis].std()
        assert ratio == pytest.approx(0.5, abs=0.1)
    left, right = (
        made.expression[:, UNITS.index(f"mouthSmile{s}")].mean() for s in ("Left", "Right")
    )
    assert left < 0.8 * right
    rested = made.expression[:, columns("browDown")] - own.expression[:, columns("browDown")]
    assert rested.mean() > 0.08


def test_ones_own_style_changes_little() -> None:
    own = performed()
    made = directed(style=replace(read_style(as_track(own)), rest={}, asymmetry={}))
    np.testing.assert_allclose(made.expression, own.expression, atol=0.02)
    np.testing.assert_allclose(made.head_pose_delta, own.head_pose_delta, atol=1e-3)


def test_a_style_needs_some_seconds() -> None:
    short = Motion(performed().expression[:20], performed().head_pose_delta[:20])
    with pytest.raises(EmotalkError, match="20 frames"):
        read_style(as_track(short))


def far_turned() -> FaceTrack:
    turns = np.zeros((50, 6), np.float32)
    turns[:, 1] = np.linspace(-1.2, 1.2, 50)
    return as_track(Motion(np.zeros((50, len(UNITS)), np.float32), turns))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (lambda: {"upper_strength": 2.1}, "upper strength is 2.1"),
        (lambda: {"lower_strength": -0.1}, "lower strength"),
        (lambda: {"head_motion": 1.5}, "head motion is 1.5"),
        (lambda: {"head_motion": float("nan")}, "head motion is nan"),
        (lambda: {"blink_rate": 90.0}, "blink rate is 90"),
        (lambda: {"gaze": "left"}, "no gaze 'left'"),
        (lambda: {"gaze": (40.0, 0.0)}, "yaw is 40"),
        (lambda: {"gaze": (0.0, 26.0)}, "pitch is 26"),
        (lambda: {"pose": far_turned()}, "turns by"),
        (lambda: {"onset_s": -1.0}, "onset"),
    ],
)
def test_what_cannot_be_done_is_refused(options: Callable[[], dict[str, Any]], says: str) -> None:
    with pytest.raises(EmotalkError, match=says):
        Direction(**options())


def test_gaze_in_words() -> None:
    assert parse_gaze(" Camera") == "camera"
    assert parse_gaze("8, -3.5") == (8.0, -3.5)
    for text in ("8", "8,x", "up", "1,2,3"):
        with pytest.raises(EmotalkError, match="YAW,PITCH"):
            parse_gaze(text)


def test_an_emotion_grows_from_neutral_unless_it_is_told_not_to() -> None:
    times, happy = np.arange(100) / FPS, EMOTIONS.index("happy")
    grown = weights_of(Direction(emotion=parse_emotion("happy")), heard(), times)
    assert grown[0, NEUTRAL] == 1 and grown[-1, happy] == 1
    assert (np.diff(grown[:, happy]) >= 0).all() and np.diff(grown[:, happy]).max() < 0.15
    np.testing.assert_allclose(grown.sum(axis=1), 1, atol=1e-6)
    at_once = weights_of(Direction(emotion=parse_emotion("happy"), onset_s=0.0), heard(), times)
    assert at_once[0, happy] == 1


def test_auto_follows_the_voice() -> None:
    features = voice([(1.0, 9.0)], 10.0)
    rows = np.arange(len(features.energy_db)) / features.rate_hz
    loud = (rows > 5) & (rows < 9)
    features = replace(
        features,
        energy_db=(features.energy_db + 10 * loud).astype(np.float32),
        f0_hz=np.where(loud, 1.4 * features.f0_hz, features.f0_hz).astype(np.float32),
    )
    times = np.arange(250) / FPS
    happy = EMOTIONS.index("happy")
    made = weights_of(Direction(emotion=parse_emotion("happy:auto")), features, times)[:, happy]
    assert made[150:210].mean() > made[50:110].mean() + 0.2 > made[240:].mean() + 0.2
    assert made.min() >= 0 and made.max() <= 1
    capped = weights_of(Direction(emotion=parse_emotion("happy:0.5:auto")), features, times)
    np.testing.assert_allclose(capped[:, happy], 0.5 * made, atol=1e-6)
    plain = weights_of(Direction(emotion=parse_emotion("auto")), features, times)
    assert plain[180, [happy, EMOTIONS.index("surprised")]].sum() > 0.3
    np.testing.assert_allclose(plain.sum(axis=1), 1, atol=1e-5)
