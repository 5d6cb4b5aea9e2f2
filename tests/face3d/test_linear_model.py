"""The default face model and the class that holds it."""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from emotalk_cli.errors import EmotalkError
from emotalk_cli.face3d.models.default_model import (
    DEFAULT_MODEL_PATH,
    load_default_face_model,
    read_face_model,
)
from emotalk_cli.face3d.models.linear_model import FaceModel, split_arkit_units

MIRRORED_LANDMARKS = (
    (33, 263),
    (133, 362),
    (159, 386),
    (145, 374),
    (61, 291),
    (78, 308),
    (234, 454),
)


@pytest.fixture(scope="module")
def model() -> FaceModel:
    return load_default_face_model()


def units(model: FaceModel, **weights: float) -> np.ndarray:
    expression = np.zeros(len(model.expression_names), np.float32)
    for name, weight in weights.items():
        expression[model.unit_index(name)] = weight
    return expression


def average(model: FaceModel) -> np.ndarray:
    return np.zeros(len(model.identity_basis), np.float32)


def person(model: FaceModel, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=len(model.identity_basis)).astype(np.float32)


def moved(model: FaceModel, **weights: float) -> np.ndarray:
    at_rest = model.vertices(average(model), units(model))
    return model.vertices(average(model), units(model, **weights)) - at_rest


def depth_before(model: FaceModel, vertices: np.ndarray, parts: tuple[str, ...]) -> np.ndarray:
    """How far behind the skin each vertex of the parts lies, seen from straight ahead; metres.

    The skin's depth is that of the nearest skin triangle's plane under the vertex.
    """
    inside = np.unique(model.part_triangles(*parts))
    corners = vertices[model.part_triangles("skin", "lips")]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    corners = corners[normal[:, 2] > 0]
    a, b, c = (corners[:, k, :2] for k in range(3))
    twice = np.cross(b - a, c - a)
    clearance = np.full(len(inside), np.inf)
    for k, point in enumerate(vertices[inside]):
        near = np.flatnonzero(np.abs(a - point[:2]).max(axis=1) < 0.02)
        p = point[:2]
        wa = np.cross(b[near] - p, c[near] - p) / twice[near]
        wb = np.cross(c[near] - p, a[near] - p) / twice[near]
        weights = np.stack([wa, wb, 1 - wa - wb], axis=1)
        hit = (weights >= 0).all(axis=1)
        if hit.any():
            depth = (weights[hit] * corners[near[hit]][:, :, 2]).sum(axis=1)
            clearance[k] = depth.max() - point[2]
    return clearance


def test_loads_fast_and_is_whole(model: FaceModel) -> None:
    start_s = time.process_time()  # of the CPU: other processes do not count
    again = read_face_model(DEFAULT_MODEL_PATH)
    assert time.process_time() - start_s < 0.3
    assert again.sha256 == model.sha256 and len(model.sha256) == 64
    assert DEFAULT_MODEL_PATH.stat().st_size < 8_000_000
    assert "CC0" in model.licence


def test_has_the_52_arkit_units_split_exactly(model: FaceModel) -> None:
    assert len(model.expression_names) == 52
    assert len(model.lip_units) + len(model.other_units) == 52
    assert all(n.startswith(("jaw", "mouth", "tongue")) for n in model.lip_units)
    assert len(model.lip_units) == 28
    assert model.expression_names[0] == "eyeBlinkLeft"
    assert model.expression_names[-1] == "tongueOut"
    assert all(np.abs(offsets).max() > 5e-4 for offsets in model.expression_basis)


def test_sizes_are_human(model: FaceModel) -> None:
    apart = model.eye_centres_m[0] - model.eye_centres_m[1]
    assert apart[0] == pytest.approx(0.062, abs=0.003), "the left eye is at positive x"
    points = model.landmarks(average(model), units(model))
    assert 0.08 < points[10, 1] - points[152, 1] < 0.20
    assert points[4, 2] > points[234, 2] + 0.05, "the nose is before the ears"
    assert 0.3 < model.iris_radius_m / model.eye_radius_m < 0.5


@pytest.mark.parametrize("unit", ["mouthSmile", "browOuterUp", "eyeBlink", "noseSneer"])
def test_left_units_move_the_subjects_left(model: FaceModel, unit: str) -> None:
    left, right = moved(model, **{f"{unit}Left": 1.0}), moved(model, **{f"{unit}Right": 1.0})
    x = model.mean_vertices[:, 0]
    for offsets, sign in ((left, 1.0), (right, -1.0)):
        size = np.linalg.norm(offsets, axis=1)
        assert (size * x).sum() * sign > 0
        assert size[x * sign > 0].max() > 2 * size[x * sign < -0.02].max()


def test_lips_touch_at_rest_for_everyone(model: FaceModel) -> None:
    upper, lower = model.contours["lips_inner_upper"], model.contours["lips_inner_lower"]
    assert (upper[0], upper[-1]) == (lower[0], lower[-1])
    for seed in range(10):
        face = model.vertices(person(model, seed), units(model))
        line = np.interp(face[upper, 0], face[lower, 0], face[lower, 1])
        assert np.abs(face[upper, 1] - line).max() < 5e-4


def test_jaw_opens_the_mouth_and_mouth_close_shuts_it(model: FaceModel) -> None:
    upper, lower = model.contours["lips_inner_upper"], model.contours["lips_inner_lower"]
    middle = upper[len(upper) // 2], lower[len(lower) // 2]

    def gap(**weights: float) -> float:
        face = model.vertices(average(model), units(model, **weights))
        return float(face[middle[0], 1] - face[middle[1], 1])

    assert gap(jawOpen=1.0) > 0.025
    assert abs(gap(jawOpen=1.0, mouthClose=1.0)) < 5e-4
    for unit in ("mouthSmileLeft", "mouthPucker", "mouthPressRight", "cheekPuff"):
        assert abs(gap(**{unit: 1.0})) < 5e-4, unit
    assert gap(mouthLowerDownLeft=1.0, mouthLowerDownRight=1.0) > 0.002


def test_inner_lip_landmarks_follow_their_own_lip(model: FaceModel) -> None:
    _, offsets = model.landmark_bases(average(model))
    drop = -offsets[model.unit_index("jawOpen"), :, 1]
    assert max(drop[[80, 81, 82, 13, 312, 311, 310]]) < 0.01
    assert min(drop[[88, 178, 87, 14, 317, 402, 318]]) > 0.012


def test_blink_shuts_the_lids_of_everyone(model: FaceModel) -> None:
    for seed in range(10):
        shape = person(model, seed)
        for side in ("Left", "Right"):
            face = model.vertices(shape, units(model, **{f"eyeBlink{side}": 1.0}))
            upper = model.contours[f"lid_upper_{side.lower()}"]
            lower = model.contours[f"lid_lower_{side.lower()}"]
            line = np.interp(face[upper, 0], np.maximum.accumulate(face[lower, 0]), face[lower, 1])
            assert (face[upper, 1] - line)[2:-2].max() < 5e-4


def test_gaze_turns_the_eyeballs_about_their_centres(model: FaceModel) -> None:
    for unit, axis, sign in (
        ("eyeLookUpLeft", 1, 1),
        ("eyeLookDownLeft", 1, -1),
        ("eyeLookOutLeft", 0, 1),
        ("eyeLookInLeft", 0, -1),
    ):
        face = model.vertices(average(model), units(model, **{unit: 1.0}))
        ball = np.unique(model.part_triangles("eye_left"))
        away = np.linalg.norm(face[ball] - model.eye_centres_m[0], axis=1)
        np.testing.assert_allclose(away, model.eye_radius_m, atol=2e-5)
        iris = face[model.contours["iris_left"]].mean(axis=0) - model.eye_centres_m[0]
        degrees = np.rad2deg(np.arcsin(sign * iris[axis] / np.linalg.norm(iris)))
        assert 20 < degrees < 32
        still = np.unique(model.part_triangles("eye_right"))
        assert np.array_equal(face[still], model.mean_vertices[still])


def test_teeth_hide_behind_closed_lips(model: FaceModel) -> None:
    parts = ("teeth_upper", "teeth_lower", "gums")
    for expression in (
        units(model),
        units(model, mouthSmileLeft=1.0, mouthSmileRight=1.0),
        units(model, mouthRollLower=1.0, mouthRollUpper=1.0),
        units(model, mouthPucker=1.0),
    ):
        face = model.vertices(average(model), expression)
        assert depth_before(model, face, parts).min() > 0.001


def test_upper_teeth_stay_with_the_skull_and_lower_go_with_the_jaw(model: FaceModel) -> None:
    offsets = moved(model, jawOpen=1.0)
    upper = np.unique(model.part_triangles("teeth_upper"))
    lower = np.unique(model.part_triangles("teeth_lower"))
    assert np.abs(offsets[upper]).max() == 0
    assert offsets[lower, 1].max() < -0.005


def test_is_symmetric(model: FaceModel) -> None:
    points = model.landmarks(average(model), units(model))
    for right, left in MIRRORED_LANDMARKS:
        np.testing.assert_allclose(points[left] * [-1, 1, 1], points[right], atol=3e-4)


def test_identity_is_scaled_to_unit_spread_and_keeps_size(model: FaceModel) -> None:
    widths = []
    for seed in range(60):
        points, _ = model.landmark_bases(person(model, seed))
        widths.append(np.linalg.norm(points[234] - points[454]))
    assert 0.01 < np.std(widths) / np.mean(widths) < 0.12


def test_triangles_face_outwards(model: FaceModel) -> None:
    for part in ("eye_left", "eye_right", "tongue"):
        a, b, c = (model.mean_vertices[model.part_triangles(part)][:, k] for k in range(3))
        middle = np.concatenate([a, b, c]).mean(axis=0)
        outward = ((a + b + c) / 3 - middle) * np.cross(b - a, c - a)
        assert outward.sum() > 0, part
    skin = model.mean_vertices[model.part_triangles("skin")]
    normal = np.cross(skin[:, 1] - skin[:, 0], skin[:, 2] - skin[:, 0])
    before = skin.mean(axis=1)[:, 2] > 0.09
    assert (normal[before, 2] > 0).mean() > 0.9


def test_batches_match_single_frames(model: FaceModel) -> None:
    shape = person(model, 1)
    expression = np.random.default_rng(2).random((3, 52), dtype=np.float32)
    together = model.vertices(shape, expression)
    assert together.shape == (3, len(model.mean_vertices), 3) and together.dtype == np.float32
    np.testing.assert_allclose(together[1], model.vertices(shape, expression[1]), atol=1e-6)
    np.testing.assert_allclose(
        model.landmarks(shape, expression), model.at_landmarks(together), atol=1e-5
    )
    neutral, offsets = model.landmark_bases(shape)
    np.testing.assert_allclose(
        neutral + np.tensordot(expression[0], offsets, 1),
        model.at_landmarks(together[0]),
        atol=1e-5,
    )
    np.testing.assert_allclose(
        model.neutral(shape) + np.tensordot(expression[2], model.unit_offsets(shape), 1),
        together[2],
        atol=1e-6,
    )


def test_unknown_names_are_answered_with_the_known_ones(model: FaceModel) -> None:
    with pytest.raises(EmotalkError, match="jawOpen"):
        model.unit_index("jawDrop")
    with pytest.raises(EmotalkError, match="teeth_upper"):
        model.part_triangles("hair")


def test_check_finds_damage(model: FaceModel) -> None:
    for damage in (
        {"triangles": model.triangles + len(model.mean_vertices)},
        {"expression_names": model.expression_names[:-1]},
        {"landmark_barycentric": model.landmark_barycentric * 2},
        {"mean_vertices": model.mean_vertices * np.float32(np.nan)},
        {"unit_groups": split_arkit_units(model.expression_names[:-1])},
    ):
        with pytest.raises(EmotalkError, match="damaged"):
            replace(model, **damage).check()


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.npz"
    with pytest.raises(EmotalkError, match="cannot be read"):
        read_face_model(path)
    path.write_text("hello")
    with pytest.raises(EmotalkError, match="holds no face model"):
        read_face_model(path)
    path.write_bytes(DEFAULT_MODEL_PATH.read_bytes()[:100_000])
    with pytest.raises(EmotalkError, match="holds no face model"):
        read_face_model(path)
    np.savez(path, format_version=np.array(99))
    with pytest.raises(EmotalkError, match="format 99"):
        read_face_model(path)


def test_a_model_without_eyes_parts_or_landmarks_works() -> None:
    rng = np.random.default_rng(0)
    small = FaceModel(
        name="small",
        sha256="",
        mean_vertices=rng.random((5, 3), dtype=np.float32),
        triangles=np.array([[0, 1, 2]], np.int32),
        identity_basis=rng.random((2, 5, 3), dtype=np.float32),
        expression_basis=rng.random((3, 5, 3), dtype=np.float32),
        expression_names=("a", "jawOpen", "b"),
        unit_groups=split_arkit_units(("a", "jawOpen", "b")),
    )
    small.check()
    assert small.lip_units == ("jawOpen",) and small.other_units == ("a", "b")
    assert small.vertices(np.ones(2, np.float32), np.ones((4, 3), np.float32)).shape == (4, 5, 3)
    assert small.eye_centres_m.shape == (0, 3) and small.eye_radius_m == 0
