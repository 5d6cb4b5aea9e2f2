"""Directions reach the track of a video, with the default decoders and a made-up voice."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from emotalk_cli import store
from emotalk_cli.decoders.direction.emotions import EMOTIONS, NEUTRAL
from emotalk_cli.decoders.direction.eye_direction import find_blinks
from emotalk_cli.face3d.models.default_model import load_default_face_model
from emotalk_cli.schema import AudioFeatures, FaceTrack, MadeBy
from emotalk_cli.stages.import_motion import read_motion
from emotalk_cli.stages.motion_making import direction_of, load_decoders, on_face, perform
from emotalk_cli.stages.video_options import VideoOptions
from tests.decoders.voices import voice

FPS = 25.0
SECONDS = 12.0
UNITS = load_default_face_model().expression_names
MADE_BY = MadeBy("test", "0", seed=1)


@cache
def heard() -> AudioFeatures:
    """A voice for the emotion decoder; the lip decoder hears next to nothing."""
    made = voice([(0.4, 2.8), (3.4, 6.1), (7.6, 11.0)], SECONDS)
    spec = load_decoders(None, None)[0].spec
    names = tuple(n for n in spec.speech_names if not n.startswith("mel_") and n != "loudness")
    silent = np.full((len(made.energy_db), len(names)), 0.01, np.float32)
    return replace(made, speech=silent, encoder=spec.encoder, speech_names=names)


@cache
def still() -> FaceTrack:
    """A face with narrow eyes, a little turned."""
    model = load_default_face_model()
    expression = np.zeros((1, len(UNITS)), np.float32)
    expression[:, [UNITS.index(f"eyeSquint{side}") for side in ("Left", "Right")]] = 0.2
    return FaceTrack(
        made_by=MADE_BY,
        shape=np.zeros(model.identity_basis.shape[0], np.float32),
        expression=expression,
        head_pose=np.array([[0.02, 0.05, 0, 0, 0, -0.8]], np.float32),
        camera=np.array([900, 256, 256, 512, 512], np.float32),
        residual_px=np.zeros(1, np.float32),
        valid=np.ones(1, bool),
        face_model=model.name,
        face_model_sha256=model.sha256,
        expression_names=UNITS,
        fps=FPS,
    )


@cache
def made(options: VideoOptions) -> FaceTrack:
    direction = direction_of(options)
    motion, weights = perform(heard(), still(), load_decoders(None, None), direction, FPS, 1)
    return on_face(motion, weights, heard(), still(), direction, FPS, MADE_BY)


def columns(*starts: str) -> list[int]:
    return [n for n, name in enumerate(UNITS) if name.startswith(starts)]


def test_directions_are_seen_in_the_track() -> None:
    plain = made(VideoOptions(emotion="sad"))
    asked = made(
        VideoOptions(
            emotion="sad", head_motion=0.0, blink_rate=30.0, gaze="10,-5", upper_strength=0.5
        )
    )
    assert np.ptp(plain.head_pose, axis=0)[:3].max() > 0.02
    np.testing.assert_allclose(
        asked.head_pose, np.repeat(still().head_pose, 300, axis=0), atol=1e-6
    )
    lids = asked.expression[:, columns("eyeBlink")].mean(axis=1).astype(float)
    assert len(find_blinks(lids, FPS)) == pytest.approx(6, abs=1)
    assert asked.expression[:, UNITS.index("eyeLookOutLeft")].mean() == pytest.approx(
        1 / 3, abs=0.03
    )
    brows = columns("brow")
    np.testing.assert_allclose(
        asked.expression[:, brows], 0.5 * plain.expression[:, brows], atol=1e-5
    )


def test_emotions_follow_the_voice_and_grow_from_neutral() -> None:
    track = made(VideoOptions(emotion="happy:auto"))
    assert track.emotion_weights is not None
    weights = track.emotion_weights
    assert weights[0, NEUTRAL] == 1
    strength = weights[20:, EMOTIONS.index("happy")]
    assert strength.std() > 0.05 and strength.max() < 1
    smile = track.expression[20:, UNITS.index("mouthSmileLeft")]
    assert np.corrcoef(smile, strength)[0, 1] > 0.5


def test_a_track_drives_the_same_face_as_before(tmp_path: Path) -> None:
    track = made(VideoOptions(emotion="0 neutral, 5 happy"))
    path = store.write(track, tmp_path / "motion.h5")
    motion = read_motion(path, FPS)
    again = on_face(motion, None, None, still(), direction_of(VideoOptions()), FPS, MADE_BY)
    np.testing.assert_allclose(again.expression, track.expression, atol=1e-6)
    np.testing.assert_allclose(again.head_pose, track.head_pose, atol=1e-6)
