"""The fit against faces whose truth is known: made from the model itself, with noise."""

import dataclasses
import time
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from emotalk_cli.errors import EmotalkError
from emotalk_cli.face3d.camera import project, rotation_matrix, rotation_vector
from emotalk_cli.face3d.fitting.basis import basis_of
from emotalk_cli.face3d.fitting.fit import fit_identity, fit_photo, fit_sequence
from emotalk_cli.face3d.fitting.landmark_offsets import landmark_offsets
from emotalk_cli.face3d.fitting.points import LIDS_LEFT, LIDS_RIGHT, inter_ocular, lip_gap
from emotalk_cli.face3d.models.default_model import load_default_face_model
from emotalk_cli.face3d.models.linear_model import FaceModel, split_arkit_units
from emotalk_cli.schema import FaceTrack, MadeBy

Float = NDArray[np.float32]

WIDTH, HEIGHT, FPS = 640, 480, 25.0
MADE_BY = MadeBy("test", "0")
EYES_M = 0.063


@pytest.fixture(scope="module")
def model() -> FaceModel:
    return load_default_face_model()


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch, model: FaceModel) -> Iterator[FaceModel]:
    """A landmarker without errors of its own, and a prior to match: the solver alone is tested."""
    known = landmark_offsets(model)
    faultless = dataclasses.replace(known, modes_m=known.modes_m[:0])
    monkeypatch.setattr("emotalk_cli.face3d.fitting.basis.landmark_offsets", lambda _: faultless)
    monkeypatch.setattr("emotalk_cli.face3d.fitting.prior.SPARSITY", 0.2)
    basis_of.cache_clear()
    yield model
    basis_of.cache_clear()


@dataclasses.dataclass
class Truth:
    """A clip whose coefficients are known: see the fields of FaceTrack."""

    landmarks: Float
    shape: Float
    expression: Float
    head_pose: Float
    camera: Float


def film(
    model: FaceModel,
    expression: Float,
    head_pose: Float,
    *,
    seed: int = 0,
    noise_px: float = 0.5,
    as_shown: bool = True,
) -> Truth:
    """Landmarks as the fit expects them of a random person in these frames."""
    rng = np.random.default_rng(seed)
    basis = basis_of(model, as_shown=as_shown)
    shape = (0.7 * rng.normal(size=len(basis.identity))).astype(np.float32)
    camera = np.array([1.2 * WIDTH, WIDTH / 2, HEIGHT / 2, WIDTH, HEIGHT], np.float32)
    points = basis.shaped(shape) + np.tensordot(expression, basis.deltas, 1)
    seen = project(points.astype(np.float32), head_pose, camera)
    seen = seen + basis.offsets.slide_px(head_pose, camera)
    seen = _lids_as_seen(seen, basis.shaped(shape), head_pose, camera)
    seen = seen + rng.normal(size=seen.shape) * noise_px
    depth = -points[..., 2:] * camera[0] / 0.6
    landmarks = np.concatenate([seen, depth], axis=-1).astype(np.float32)
    return Truth(landmarks, shape, expression, head_pose, camera)


def _lids_as_seen(seen: Float, neutral: Float, head_pose: Float, camera: Float) -> Float:
    """The landmarker leaves a fifth of the open gap between shut lids."""
    upper, lower = np.array(LIDS_RIGHT + LIDS_LEFT).T
    wide = project(neutral, head_pose, camera)
    gap = 0.8 * (seen[:, upper] - seen[:, lower]) + 0.2 * (wide[:, upper] - wide[:, lower])
    seen[:, upper] = seen[:, lower] + gap
    return seen


def still_pose(frames: int) -> Float:
    pose = np.zeros((frames, 6), np.float32)
    pose[:, 5] = -0.6
    return pose


def acted(model: FaceModel, frames: int, units: dict[str, float]) -> Float:
    """Units that come and go, each at its own pace, between 0 and the value; blinks are short."""
    expression = np.zeros((frames, len(model.expression_names)), np.float32)
    for i, (name, value) in enumerate(units.items()):
        wave = 0.5 - 0.5 * np.cos(np.arange(frames) * 2 * np.pi / (24 + 5 * i))
        rare = wave**6 if "Blink" in name else wave
        expression[:, model.unit_index(name)] = value * rare
    return expression


def fit(model: FaceModel, truth: Truth, valid: NDArray[np.bool_] | None = None) -> FaceTrack:
    if valid is None:
        valid = np.ones(len(truth.landmarks), bool)
    return fit_sequence(truth.landmarks, valid, WIDTH, HEIGHT, FPS, model, made_by=MADE_BY)


def pose_error_deg(found: Float, true: Float) -> float:
    between = np.swapaxes(rotation_matrix(true[:, :3]), 1, 2) @ rotation_matrix(found[:, :3])
    return float(np.degrees(np.linalg.norm(rotation_vector(between), axis=-1)).mean())


def test_known_faces_are_found(plain: FaceModel) -> None:
    units = {
        "jawOpen": 0.6, "mouthSmileLeft": 0.8, "mouthSmileRight": 0.8, "browInnerUp": 0.7,
        "eyeBlinkLeft": 0.9, "eyeBlinkRight": 0.9, "mouthPucker": 0.5,
    }  # fmt: skip
    pose = still_pose(160)
    pose[:, 0] = np.radians(15) * np.sin(np.arange(160) / 23)
    pose[:, 1] = np.radians(25) * np.sin(np.arange(160) / 31)
    active, inactive, skin = [], [], []
    for seed in range(3):
        truth = film(plain, acted(plain, 160, units), pose, seed=seed)
        track = fit(plain, truth)
        track.check()
        active.append(np.abs(track.expression - truth.expression)[truth.expression > 0.1].mean())
        inactive.append(track.expression[:, truth.expression.max(axis=0) == 0].mean())
        skin.append(skin_error(plain, track, truth))
        assert pose_error_deg(track.head_pose, truth.head_pose) <= 1.5
        assert np.median(track.residual_px) <= 0.015 * np.median(inter_ocular(truth.landmarks))
    assert np.mean(active) <= 0.07
    assert np.mean(inactive) <= 0.04
    assert np.mean(skin) <= 0.03 * EYES_M


def skin_error(model: FaceModel, track: FaceTrack, truth: Truth) -> float:
    """Mean distance of the face's vertices from the truth, m."""
    found, true = (model.vertices(t.shape, t.expression[::8]) for t in (track, truth))
    face = np.unique(model.triangles[model.landmark_triangles])
    return float(np.linalg.norm(found - true, axis=-1)[:, face].mean())


def test_usual_errors_of_the_landmarker_are_not_taken_for_motion(model: FaceModel) -> None:
    pose = still_pose(120)
    truth = film(model, acted(model, 120, {"jawOpen": 0.5}), pose, seed=4)
    rng = np.random.default_rng(0)
    modes = basis_of(model).modes
    phases = rng.uniform(0, 2 * np.pi, len(modes))
    waves = np.sqrt(2) * np.sin(np.arange(120)[:, None] / rng.uniform(4, 12, len(modes)) + phases)
    error = np.tensordot(waves, modes, 1)[..., :2] * (1.0, -1.0) * truth.camera[0] / 0.6
    truth.landmarks[..., :2] += error.astype(np.float32)
    track = fit(model, truth)
    assert track.expression[:, truth.expression.max(axis=0) == 0].mean() <= 0.04
    jaw = model.unit_index("jawOpen")
    assert np.abs(track.expression - truth.expression)[:, jaw].mean() <= 0.05


def test_turning_a_still_face_moves_no_unit(model: FaceModel) -> None:
    pose = still_pose(101)
    pose[:, 1] = np.radians(np.linspace(-25, 25, 101))
    truth = film(model, acted(model, 101, {}), pose, noise_px=0.25)
    track = fit(model, truth)
    assert np.ptp(track.expression, axis=0).max() <= 0.06


def test_lips_close_where_the_picture_closes_them(model: FaceModel) -> None:
    expression = acted(model, 80, {"jawOpen": 0.5})
    expression[28:35] *= np.array([0.8, 0.4, 0, 0, 0, 0.4, 0.8], np.float32)[:, None]  # a p
    truth = film(model, expression, still_pose(80), noise_px=0.3)
    track = fit(model, truth)
    basis = basis_of(model)
    points = basis.shaped(track.shape) + np.tensordot(track.expression, basis.deltas, 1)
    found = project(points.astype(np.float32), track.head_pose, track.camera)
    eyes = inter_ocular(truth.landmarks[..., :2])
    error = np.abs(lip_gap(found) - lip_gap(truth.landmarks[..., :2])) / eyes
    assert error[30:33].mean() <= 0.01


def test_a_blink_of_five_frames_is_a_blink(model: FaceModel) -> None:
    expression = acted(model, 60, {})
    for unit in ("eyeBlinkLeft", "eyeBlinkRight"):
        expression[28:33, model.unit_index(unit)] = (0.5, 0.9, 1.0, 0.9, 0.5)
    track = fit(model, film(model, expression, still_pose(60)))
    blink = track.expression[:, model.unit_index("eyeBlinkLeft")]
    assert blink[30] >= 0.8
    assert blink[:25].max() <= 0.1
    gaze = track.expression[28:33, model.unit_index("eyeLookDownLeft")]
    assert gaze.max() <= 0.25, "lids that fall are no look down"


def test_gaze_moves_both_eyes(model: FaceModel) -> None:
    truth = acted(model, 60, {"eyeLookOutLeft": 0.6})
    truth[:, model.unit_index("eyeLookInRight")] = truth[:, model.unit_index("eyeLookOutLeft")]
    track = fit(model, film(model, truth, still_pose(60)))
    for unit in ("eyeLookOutLeft", "eyeLookInRight"):
        column = model.unit_index(unit)
        assert np.abs(track.expression[:, column] - truth[:, column]).mean() <= 0.1


def test_a_calm_photo_is_calm_and_a_smile_is_a_smile(model: FaceModel) -> None:
    calm = film(model, acted(model, 1, {}), still_pose(1), seed=3, noise_px=1.0, as_shown=False)
    track = fit_photo(calm.landmarks[0], WIDTH, HEIGHT, model, made_by=MADE_BY)
    track.check()
    gaze = np.array(["Look" in name for name in model.expression_names])
    assert track.expression[0, ~gaze].max() <= 0.2
    smile = acted(model, 1, {})
    for unit in ("mouthSmileLeft", "mouthSmileRight"):
        smile[0, model.unit_index(unit)] = 0.9
    smiling = film(model, smile, still_pose(1), seed=3, noise_px=1.0, as_shown=False)
    track = fit_photo(smiling.landmarks[0], WIDTH, HEIGHT, model, made_by=MADE_BY)
    assert track.expression[0, model.unit_index("mouthSmileLeft")] >= 0.5


def test_lost_frames_are_bridged(model: FaceModel) -> None:
    truth = film(model, acted(model, 60, {"jawOpen": 0.5}), still_pose(60))
    valid = np.ones(60, bool)
    valid[20:30] = False
    whole = fit(model, truth)
    truth.landmarks[20:30] = 7.0
    broken = fit(model, truth, valid)
    assert np.isfinite(broken.residual_px).all()
    assert np.abs(broken.expression - whole.expression)[valid].mean() <= 0.02
    jaw = broken.expression[:, model.unit_index("jawOpen")]
    assert min(jaw[19], jaw[30]) - 0.1 <= jaw[25] <= max(jaw[19], jaw[30]) + 0.1
    assert pose_error_deg(broken.head_pose, truth.head_pose) <= 1.5


def test_windows_of_a_long_clip_join_without_a_seam(
    model: FaceModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    truth = film(model, acted(model, 120, {"jawOpen": 0.5, "mouthSmileLeft": 0.5}), still_pose(120))
    whole = fit(model, truth)
    monkeypatch.setattr("emotalk_cli.face3d.fitting.fit.WINDOW_FRAMES", 50)
    windows = fit(model, truth)
    assert np.abs(whole.expression - windows.expression).max() <= 0.05
    again = fit(model, truth)
    np.testing.assert_array_equal(windows.expression, again.expression)


def test_pictures_of_other_sizes_share_one_identity(model: FaceModel) -> None:
    truth = film(model, acted(model, 40, {"jawOpen": 0.5}), still_pose(40))
    person = fit_identity([truth.landmarks], [(WIDTH, HEIGHT)], model)
    twice = fit_sequence(
        2 * truth.landmarks, np.ones(40, bool), 2 * WIDTH, 2 * HEIGHT, FPS, model,
        identity=person, made_by=MADE_BY,
    )  # fmt: skip
    assert twice.camera[0] == pytest.approx(2 * person.focal_px, rel=1e-4)
    assert pose_error_deg(twice.head_pose, truth.head_pose) <= 1.5


def test_a_model_with_few_units_of_any_name_fits(model: FaceModel) -> None:
    few = [model.unit_index(name) for name in ("jawOpen", "mouthSmileLeft")]
    names = ("expression_000", "expression_001")
    small = dataclasses.replace(
        model,
        expression_basis=model.expression_basis[few],
        expression_names=names,
        unit_groups=split_arkit_units(names),
        identity_basis=model.identity_basis[:5],
    )
    expression = acted(model, 50, {"jawOpen": 0.6})[:, few]
    track = fit(small, film(small, expression, still_pose(50)))
    assert track.expression_names == names
    assert np.abs(track.expression - expression).mean() <= 0.05


def test_offsets_belong_to_the_default_model(model: FaceModel) -> None:
    offsets = landmark_offsets(model)
    assert np.abs(offsets.offset_m).max() > 0, (
        "the default model's landmarks were tied anew: "
        "run `python -m tools.measure_landmark_offsets PHOTO...`"
    )
    assert np.linalg.norm(offsets.offset_m, axis=1).mean() < 0.003
    assert np.linalg.norm(offsets.slide_m, axis=-1).mean() < 0.01


def test_no_face_is_a_clear_error(model: FaceModel) -> None:
    nothing = np.zeros((5, 478, 3), np.float32)
    with pytest.raises(EmotalkError, match="shows a face"):
        fit_sequence(nothing, np.zeros(5, bool), WIDTH, HEIGHT, FPS, model, made_by=MADE_BY)


def test_fitting_is_faster_than_ten_times_the_video(model: FaceModel) -> None:
    truth = film(model, acted(model, 250, {"jawOpen": 0.5}), still_pose(250))
    person = fit_identity([truth.landmarks], [(WIDTH, HEIGHT)], model)
    start = time.process_time()
    fit_sequence(
        truth.landmarks, np.ones(250, bool), WIDTH, HEIGHT, FPS, model,
        identity=person, made_by=MADE_BY,
    )  # fmt: skip
    assert 250 / (time.process_time() - start) >= 250
