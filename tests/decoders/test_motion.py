"""Mouths compose without opening closed lips; heads and clocks convert both ways."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emotalk_cli.decoders.lips.mouth import Mouth, lip_gap, mouth_of
from emotalk_cli.decoders.motion import (
    NEAR_CLOSED_M,
    above_rest,
    add_pose,
    compose,
    decompose,
    pose_delta,
    resample,
)
from emotalk_cli.face3d.models.default_model import load_default_face_model


@pytest.fixture(scope="module")
def default_mouth() -> Mouth:
    model = load_default_face_model()
    return mouth_of(model, np.zeros(model.identity_basis.shape[0], np.float32))


def test_mouth_measures_the_gap_of_the_landmarks() -> None:
    model = load_default_face_model()
    shape = np.zeros(model.identity_basis.shape[0], np.float32)
    mouth = mouth_of(model, shape)
    rng = np.random.default_rng(0)
    units = rng.random((5, len(mouth.units))).astype(np.float32)
    expression = np.zeros((5, len(model.expression_names)), np.float32)
    expression[:, [model.expression_names.index(name) for name in mouth.units]] = units
    expected = lip_gap(model.landmarks(shape, expression))
    np.testing.assert_allclose(mouth.gap(units), expected, atol=1e-5)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), strength=st.floats(0, 1), openness=st.floats(0, 0.2))
def test_emotion_never_opens_closed_lips(
    default_mouth: Mouth, seed: int, strength: float, openness: float
) -> None:
    rng = np.random.default_rng(seed)
    size = (20, len(default_mouth.units))
    articulation = (openness * rng.random(size) * (rng.random(size) < 0.3)).astype(np.float32)
    colour = (strength * rng.random(size)).astype(np.float32)
    mouth = compose(articulation, colour, default_mouth)
    assert mouth.min() >= 0 and mouth.max() <= 1
    before, after = default_mouth.gap(articulation), default_mouth.gap(mouth)
    closed = before <= default_mouth.rest_m + NEAR_CLOSED_M
    assert np.all(after[closed] <= before[closed] + 1e-5)


def test_a_smile_stays_where_closed_lips_can_be_kept_otherwise(default_mouth: Mouth) -> None:
    units = list(default_mouth.units)
    colour = np.zeros((1, len(units)), np.float32)
    colour[:, [units.index("mouthSmileLeft"), units.index("mouthSmileRight")]] = 0.7
    colour[:, [units.index("mouthUpperUpLeft"), units.index("mouthUpperUpRight")]] = 0.3
    mouth = compose(np.zeros_like(colour), colour, default_mouth)
    assert mouth[0, units.index("mouthSmileLeft")] == pytest.approx(0.7, abs=1e-3)
    assert mouth[0, units.index("mouthClose")] > 0


def test_open_mouth_takes_the_whole_emotion(default_mouth: Mouth) -> None:
    units = list(default_mouth.units)
    articulation = np.zeros((1, len(units)), np.float32)
    articulation[:, units.index("jawOpen")] = 0.5
    colour = np.zeros_like(articulation)
    colour[:, units.index("mouthUpperUpLeft")] = 0.4
    mouth = compose(articulation, colour, default_mouth)
    np.testing.assert_allclose(mouth, articulation + colour, atol=1e-6)


def test_decompose_gives_the_slow_part_to_the_emotion() -> None:
    face = Mouth(("jawOpen", "mouthSmileLeft"), (0.03, 0.0), 0.001)
    t = np.arange(100) / 25
    mouth = np.stack([0.3 * (np.sin(20 * t) > 0), np.full(100, 0.5)], axis=1).astype(np.float32)
    articulation, colour = decompose(mouth, np.zeros(2, np.float32), face, 25.0)
    np.testing.assert_allclose(colour[:, 1], 0.5, atol=1e-6)
    np.testing.assert_allclose(articulation[:, 0], mouth[:, 0])
    assert not colour[:, 0].any() and not articulation[:, 1].any()


def test_neutral_clips_have_no_colour() -> None:
    mouth = np.full((50, 1), 0.4, np.float32)
    articulation, colour = decompose(
        mouth,
        np.array([0.1], np.float32),
        Mouth(("mouthSmileLeft",), (0.0,), 0.0),
        25.0,
        emotional=False,
    )
    np.testing.assert_allclose(articulation, 0.3, atol=1e-6)
    assert not colour.any()


def test_rest_is_taken_away_but_no_opening_is_lost() -> None:
    face = Mouth(("jawOpen", "mouthShrugLower"), (0.03, -0.01), 0.001)
    neutral = np.array([0.02, 0.3], np.float32)
    expression = np.array([[0.02, 0.3], [0.3, 0.0]], np.float32)
    above = above_rest(expression, neutral, face)
    np.testing.assert_allclose(above[0], 0, atol=1e-6)
    opened = face.gap(expression) - face.gap(neutral)
    np.testing.assert_allclose(face.gap(above) - face.rest_m, opened, atol=1e-6)


def test_pose_goes_to_deltas_and_back() -> None:
    rng = np.random.default_rng(1)
    pose = (0.2 * rng.standard_normal((30, 6))).astype(np.float32)
    delta = pose_delta(pose)
    moved = add_pose(pose[7], delta - delta[7] * 0)
    assert moved.shape == pose.shape
    still = np.repeat(pose[:1], 5, axis=0)
    np.testing.assert_allclose(pose_delta(still), 0, atol=1e-6)
    np.testing.assert_allclose(add_pose(still[0], pose_delta(still)), still, atol=1e-6)


def test_resample_interpolates_and_holds_the_ends() -> None:
    rows = np.array([[0.0], [1.0], [4.0]], np.float32)
    found = resample(rows, np.array([-1.0, 0.5, 1.5, 9.0]))
    np.testing.assert_allclose(found[:, 0], [0, 0.5, 2.5, 4])
