"""What was measured of the landmarker: kept, handed to the right models, measured anew."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from emotalk_cli.face3d.camera import project
from emotalk_cli.face3d.fitting import landmark_offsets as module
from emotalk_cli.face3d.fitting.landmark_offsets import landmark_offsets, turn_terms, write_offsets
from emotalk_cli.face3d.models.default_model import load_default_face_model
from emotalk_cli.face3d.models.linear_model import FaceModel, split_arkit_units
from tools.measure_landmark_offsets import Measure, Views


@pytest.fixture(scope="module")
def model() -> FaceModel:
    return load_default_face_model()


def test_measurements_are_kept(
    model: FaceModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = landmark_offsets(model)
    write_offsets(known, model, tmp_path / "offsets.npz")
    monkeypatch.setattr(module, "OFFSETS_PATH", tmp_path / "offsets.npz")
    module._measured.cache_clear()
    again = landmark_offsets(model)
    module._measured.cache_clear()
    for field in dataclasses.fields(known):
        before, after = (getattr(o, field.name) for o in (known, again))
        np.testing.assert_array_equal(before, after)


def test_units_are_found_by_name_and_other_models_have_no_offsets(model: FaceModel) -> None:
    known = landmark_offsets(model)
    place = model.unit_index("mouthPucker")
    names = ("mouthPucker", "mine")
    few = dataclasses.replace(
        model,
        expression_basis=model.expression_basis[[place, place]],
        expression_names=names,
        unit_groups=split_arkit_units(names),
    )
    found = landmark_offsets(few)
    np.testing.assert_array_equal(found.unit_m[0], known.unit_m[place])
    assert not found.unit_m[1].any()
    other = dataclasses.replace(model, mean_vertices=1.1 * model.mean_vertices)
    nothing = landmark_offsets(other)
    assert not nothing.offset_m.any()
    assert not nothing.unit_m.any()
    assert not nothing.slide_m.any()
    assert len(nothing.modes_m) == 0
    assert nothing.identity_m.shape == (len(other.identity_basis), 478, 3)


def test_slides_turn_with_the_head(model: FaceModel) -> None:
    known = landmark_offsets(model)
    camera = np.array([800, 320, 240, 640, 480], np.float32)
    still = np.array([[0, 0, 0, 0, 0, -0.6]], np.float32)
    assert not known.slide_px(still, camera).any()
    far = np.array([[0, 3.0, 0, 0, 0, -0.6]], np.float32)
    assert np.abs(turn_terms(far)).max() <= module.MAX_TURN_RAD + 1e-6


def test_a_landmarker_of_known_faults_is_measured(model: FaceModel) -> None:
    rng = np.random.default_rng(0)
    count, units = 1500, len(model.expression_names)
    known = landmark_offsets(model)
    camera = np.array([900, 192, 192, 384, 384], np.float32)
    pose = np.zeros((count, 6), np.float32)
    pose[:, :3] = rng.uniform(-0.3, 0.3, (count, 3)) * (0.8, 1.5, 0.2)
    pose[:, 5] = -0.8
    shape = np.zeros((count, len(model.identity_basis)), np.float32)
    acting = [model.unit_index(name) for name in ("jawOpen", "mouthPucker", "cheekPuff")]
    expression = np.zeros((count, units), np.float32)
    expression[:, acting] = rng.uniform(0, 1, (count, len(acting)))
    measure = Measure(model)
    points = measure.landmarks(shape, expression) + known.offset_m
    points = points + np.tensordot(expression, known.unit_m, 1)
    seen = project(points.astype(np.float32), pose, camera) + known.slide_px(pose, camera)
    views = Views(shape, expression, pose, seen, np.zeros(count, bool), camera)
    found = measure.response(views)
    for unit in acting:
        error = np.linalg.norm((found.unit_m - known.unit_m)[unit, :, :2], axis=-1)
        assert error.mean() <= 0.2 * np.linalg.norm(known.unit_m[unit, :, :2], axis=-1).mean()
    assert np.sqrt((measure.left(views, found) ** 2).mean()) <= 2e-4
