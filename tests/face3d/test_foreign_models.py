"""Face models from users' files, tried on tiny files of the same layouts made of our own head."""

import pickle
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io

from emotalk_cli import parts
from emotalk_cli.errors import EmotalkError
from emotalk_cli.face3d.fitting.fit import fit_photo
from emotalk_cli.face3d.fitting.landmark_offsets import landmark_offsets
from emotalk_cli.face3d.fitting.points import BROWS, INNER_LIPS, IRIS_LEFT, IRIS_RIGHT
from emotalk_cli.face3d.models import landmark_tie
from emotalk_cli.face3d.models.default_model import load_default_face_model
from emotalk_cli.face3d.models.linear_model import FaceModel
from emotalk_cli.schema import MadeBy
from tests.face3d.model_files import UNITS, bfm_arrays, flame_arrays, head, put_ict

UPPER, LOWER = (list(side) for side in zip(*INNER_LIPS, strict=True))


def load(name: str) -> FaceModel:
    model = parts.make(parts.FACE_MODELS, name)
    assert isinstance(model, FaceModel)
    return model


def tie_error_m(model: FaceModel) -> np.ndarray:
    """Distance (478,) of each landmark from where the landmarker sees it on the default head."""
    default = load_default_face_model()
    truth = default.at_landmarks(default.mean_vertices) + landmark_offsets(default).offset_m
    return np.linalg.norm(model.at_landmarks(model.mean_vertices) - truth, axis=1)


def check_landmarks(model: FaceModel, *, eyes: bool) -> None:
    """The landmarks are where they are on the default head, of which the files are made."""
    error = tie_error_m(model)
    irises = [*IRIS_LEFT, *IRIS_RIGHT]
    outer = np.setdiff1d(np.arange(478), [*irises, *UPPER, *LOWER])
    assert np.median(error[outer]) < 0.0025
    assert np.quantile(error[outer], 0.95) < 0.008
    if eyes:
        assert error[irises].mean() < 0.0025
        assert model.eye_radius_m == pytest.approx(0.0153, abs=0.001)
        np.testing.assert_allclose(
            model.eye_centres_m, load_default_face_model().eye_centres_m, atol=0.004
        )


def check_lips_part(model: FaceModel, unit: str, weight: float = 1.0) -> None:
    """A unit that opens the jaw takes the lower lip along and leaves the upper one."""
    expression = np.zeros(len(model.expression_names), np.float32)
    expression[model.unit_index(unit)] = weight
    shape = np.zeros(len(model.identity_basis), np.float32)
    drop = (model.landmarks(shape, expression) - model.landmarks(shape, expression * 0))[:, 1]
    assert drop[LOWER].max() < drop[UPPER].min()


@pytest.fixture(scope="module")
def ict(own_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> FaceModel:
    folder = put_ict(tmp_path_factory.mktemp("ict") / "FaceXModel")
    return load(f"ict:{folder}")


@pytest.fixture(scope="module")
def flame_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("flame") / "generic_model.pkl"
    path.write_bytes(pickle.dumps(flame_arrays(), 2))
    return path


@pytest.fixture(scope="module")
def flame(own_cache: Path, flame_file: Path) -> FaceModel:
    return load(f"flame:{flame_file}")


def front(path: Path) -> Path:
    """Deep3DFaceReconstruction's BFM_model_front.mat: decimetres, clockwise triangles from 1."""
    arrays = bfm_arrays(0.1)
    scipy.io.savemat(
        path,
        {
            "meanshape": arrays["mean"][None],
            "idBase": arrays["identity"],
            "exBase": arrays["expression"],
            "tri": arrays["triangles"][:, ::-1] + 1,
        },
    )
    return path


@pytest.fixture(scope="module")
def bfm(own_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> FaceModel:
    patch = pytest.MonkeyPatch()
    patch.setattr(landmark_tie, "_cache_file", lambda *_: own_cache / "bfm.npz")
    model = load(f"bfm:{front(tmp_path_factory.mktemp('bfm') / 'BFM_model_front.mat')}")
    patch.undo()
    return model


def statismo(path: Path, *, expressions: bool = True) -> Path:
    """BFM 2017's layout: millimetres, orthonormal bases and variances."""
    arrays = bfm_arrays(0.001)
    with h5py.File(path, "w") as file:
        file["shape/model/mean"] = arrays["mean"]
        file["shape/representer/cells"] = arrays["triangles"].T
        for group, name in (("shape", "identity"), ("expression", "expression")):
            if group == "expression" and not expressions:
                break
            sd = np.linalg.norm(arrays[name], axis=0)
            file[f"{group}/model/pcaBasis"] = arrays[name] / sd
            file[f"{group}/model/pcaVariance"] = sd**2
        if expressions:
            file["expression/model/mean"] = np.zeros_like(arrays["mean"])
    return path


def model_shape_and_exp(folder: Path) -> Path:
    """3DDFA's pair of files: micrometres."""
    arrays = bfm_arrays(1e-6)
    ones = np.ones((4, 1)), np.ones((len(UNITS), 1))
    scipy.io.savemat(
        folder / "Model_Exp.mat",
        {
            "mu_exp": np.zeros((len(arrays["mean"]), 1)),
            "w_exp": arrays["expression"],
            "sigma_exp": ones[1],
        },
    )
    path = folder / "Model_Shape.mat"
    shape = {"mu_shape": arrays["mean"][:, None], "w": arrays["identity"], "sigma": ones[0]}
    scipy.io.savemat(path, shape | {"tri": arrays["triangles"].T + 1})
    return path


def test_ict_is_read_in_metres_with_its_units(ict: FaceModel) -> None:
    assert ict.name == "ict"
    assert ict.expression_names == ("browInnerUpLeft", "jawOpen", "mouthSmileLeft")
    assert ict.lip_units == ("jawOpen", "mouthSmileLeft")
    assert ict.other_units == ("browInnerUpLeft",)
    assert len(ict.identity_basis) == 2
    check_landmarks(ict, eyes=True)
    check_lips_part(ict, "jawOpen")
    mesh = head("skin", "lips", "eye_left", "eye_right")
    gap = np.abs(ict.expression_basis[1] - mesh.units[0])
    assert gap.max() < 0.002, "a unit keeps its size"
    assert any("lacks 50 of 53 units" in note for note in ict.notes)
    assert any("2 of 100 identity" in note for note in ict.notes)


def test_shells_before_the_eyes_are_left_out(ict: FaceModel) -> None:
    assert set(ict.part_names) == {"skin", "eye_left", "eye_right"}
    assert len(ict.triangles) == len(head("skin", "lips", "eye_left", "eye_right").triangles)


def test_flame_has_a_jaw_and_eyes_that_turn(flame: FaceModel) -> None:
    check_landmarks(flame, eyes=True)
    check_lips_part(flame, "jawOpen")
    assert flame.lip_units[:3] == ("jawOpen", "jawLeft", "jawRight")
    shape = np.zeros(len(flame.identity_basis), np.float32)
    still = flame.landmarks(shape, np.zeros(len(flame.expression_names), np.float32))

    def looks(unit: str, point: int) -> np.ndarray:
        expression = np.zeros(len(flame.expression_names), np.float32)
        expression[flame.unit_index(unit)] = 1
        return np.asarray((flame.landmarks(shape, expression) - still)[point])

    assert looks("eyeLookUpLeft", IRIS_LEFT[0])[1] > 0.004
    assert looks("eyeLookOutLeft", IRIS_LEFT[0])[0] > 0.004
    assert looks("eyeLookInRight", IRIS_RIGHT[0])[0] > 0.004
    assert np.abs(looks("eyeLookInRight", IRIS_LEFT[0])).max() < 1e-4
    assert any("no blink" in note for note in flame.notes)


def test_signed_components_are_two_units_of_three_sd(flame: FaceModel) -> None:
    names = [n for n in flame.expression_names if n.startswith("component")]
    assert names == [f"component{k:02d}{s}" for k in range(4) for s in ("Plus", "Minus")]
    up = flame.expression_basis[flame.unit_index("component00Plus")]
    down = flame.expression_basis[flame.unit_index("component00Minus")]
    np.testing.assert_allclose(up, -down, atol=1e-7)
    size = np.abs(np.linalg.norm(up, axis=1) - np.linalg.norm(head_unit(1), axis=1))
    assert size.max() < 1e-4, "3 sd of a third of the unit"
    assert any("3 sd up (Plus)" in note for note in flame.notes)


def head_unit(k: int) -> np.ndarray:
    return np.asarray(head("skin", "lips", "eye_left", "eye_right").units[k])


def test_components_are_sorted_by_where_they_move(flame: FaceModel) -> None:
    assert "component00Plus" in flame.lip_units, "a smile"
    assert "component01Minus" in flame.other_units, "the brows"
    assert "component02Minus" in flame.lip_units, "a pucker"


def test_an_npz_says_the_same_as_the_pickle(flame: FaceModel, tmp_path: Path) -> None:
    np.savez(tmp_path / "flame.npz", **flame_arrays())
    again = load(f"flame:{tmp_path / 'flame.npz'}")
    np.testing.assert_array_equal(again.mean_vertices, flame.mean_vertices)
    np.testing.assert_array_equal(again.landmark_triangles, flame.landmark_triangles)


def test_the_embedding_beside_the_file_is_believed(flame_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "generic_model.pkl"
    path.write_bytes(flame_file.read_bytes())
    arrays, default = flame_arrays(), load_default_face_model()
    marks = np.array([BROWS[0], 4, 61, 291, 33, 263])
    places = default.at_landmarks(default.mean_vertices)[marks]
    middles = arrays["v_template"][arrays["f"]].mean(axis=1)
    faces = np.linalg.norm(middles[None] - places[:, None], axis=-1).argmin(axis=1)
    np.savez(
        tmp_path / "mediapipe_landmark_embedding.npz",
        lmk_face_idx=faces,
        lmk_b_coords=np.full((6, 3), 1 / 3),
        landmark_indices=marks,
    )
    model = load(f"flame:{path}")
    told = model.mean_vertices[model.triangles[faces]].mean(axis=1)
    found = model.at_landmarks(model.mean_vertices)[marks]
    np.testing.assert_allclose(found, told, atol=1e-6)
    (tmp_path / "mediapipe_landmark_embedding.npz").write_bytes(b"broken")
    with pytest.raises(EmotalkError, match="no landmark embedding"):
        load(f"flame:{path}")


def test_bfm_2009_front(bfm: FaceModel) -> None:
    check_landmarks(bfm, eyes=False)
    assert len(bfm.eye_centres_m) == 0
    assert len(bfm.expression_names) == 2 * len(UNITS)
    check_lips_part(bfm, "component00Plus")
    assert any("no gaze" in note for note in bfm.notes)
    a, b, c = (bfm.mean_vertices[bfm.triangles[:, k]] for k in range(3))
    assert np.cross(b - a, c - a)[:, 2].sum() > 0, "triangles are turned to look outward"


@pytest.mark.parametrize("layout", ["statismo", "3ddfa"])
def test_other_layouts_hold_the_same_model(
    bfm: FaceModel, own_cache: Path, tmp_path: Path, layout: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The meshes differ by rounding: the tie that was made of the first one serves for all.
    monkeypatch.setattr(landmark_tie, "_cache_file", lambda *_: own_cache / "bfm.npz")
    made = statismo(tmp_path / "bfm.h5") if layout == "statismo" else model_shape_and_exp(tmp_path)
    model = load(f"bfm:{made}")
    np.testing.assert_allclose(model.mean_vertices, bfm.mean_vertices, atol=1e-4)
    np.testing.assert_allclose(model.identity_basis, bfm.identity_basis, atol=1e-4)
    np.testing.assert_allclose(model.expression_basis, bfm.expression_basis, atol=1e-4)
    np.testing.assert_array_equal(model.triangles, bfm.triangles)
    assert model.expression_names == bfm.expression_names


def test_ties_are_kept_and_made_again_if_damaged(
    flame_file: Path, flame: FaceModel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ties = landmark_tie.cache_folder() / "landmark_ties"
    kept = {path: path.read_bytes() for path in ties.glob("*.npz")}
    assert kept
    made = []
    monkeypatch.setattr(landmark_tie, "_made", lambda *_: made.append(1) or stored)
    stored = landmark_tie._read(next(iter(kept)))
    again = load(f"flame:{flame_file}")
    assert not made
    np.testing.assert_array_equal(flame.landmark_triangles, again.landmark_triangles)
    for path in kept:
        path.write_bytes(b"damaged")
    load(f"flame:{flame_file}")
    assert len(made) == 1
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    load(f"flame:{flame_file}")
    assert len(made) == 2, "without a cache that can be written it is made each time"
    for path, content in kept.items():
        path.write_bytes(content)


def put_scaled(folder: Path) -> str:
    put_ict(folder / "ict")
    path = folder / "ict" / "generic_neutral_mesh.obj"
    lines = path.read_text().splitlines()
    big = [
        "v " + " ".join(str(10 * float(x)) for x in line.split()[1:]) if line[:2] == "v " else line
        for line in lines
    ]
    path.write_text("\n".join(big))
    return f"ict:{folder / 'ict'}"


def put_backwards(folder: Path) -> str:
    arrays = flame_arrays()
    arrays["v_template"] = arrays["v_template"] * (1, 1, -1)
    np.savez(folder / "flame.npz", **arrays)
    return f"flame:{folder / 'flame.npz'}"


def put_raw_bfm(folder: Path) -> str:
    scipy.io.savemat(
        folder / "01.mat", dict.fromkeys(("shapeMU", "shapePC", "shapeEV"), np.ones((3, 1)))
    )
    return f"bfm:{folder / '01.mat'}"


def put_text(folder: Path, kind: str, suffix: str) -> str:
    (folder / f"model{suffix}").write_text("no model at all")
    return f"{kind}:{folder / f'model{suffix}'}"


def put_flame_without_jaw(folder: Path) -> str:
    arrays = flame_arrays()
    del arrays["posedirs"]
    (folder / "f.pkl").write_bytes(pickle.dumps(arrays))
    return f"flame:{folder / 'f.pkl'}"


def put_mended(folder: Path, **changes: str) -> str:
    """The folder of OBJ files with one file's text replaced."""
    put_ict(folder / "ict")
    for name, text in changes.items():
        (folder / "ict" / f"{name}.obj").write_text(text)
    return f"ict:{folder / 'ict'}"


@pytest.mark.parametrize(
    ("put", "message"),
    [
        (lambda f: f"ict:{f}", "no generic_neutral_mesh"),
        (lambda f: f"flame:{f / 'none.pkl'}", "cannot be read"),
        (lambda f: f"bfm:{f / 'none.mat'}", "no file"),
        (lambda f: put_text(f, "flame", ".pkl"), "no pickle"),
        (lambda f: put_text(f, "flame", ".npz"), "no npz"),
        (lambda f: put_text(f, "bfm", ".mat"), "no MATLAB file"),
        (lambda f: put_text(f, "bfm", ".h5"), "no HDF5 file"),
        (put_raw_bfm, "no expressions"),
        (lambda f: f"bfm:{statismo(f / 'm.h5', expressions=False)}", "no expressions"),
        (put_flame_without_jaw, "posedirs is not there"),
        (put_scaled, "mm wide"),
        (put_backwards, "no face was found"),
        (lambda f: put_mended(f, jawOpen="v 1 2 3\n"), "has 1 vertices, not"),
        (lambda f: put_mended(f, jawOpen="v 1 2 x\n"), "no OBJ mesh"),
        (lambda f: put_mended(f, generic_neutral_mesh="v 0 0 0\nf 1 2 3\n"), "not there"),
        (lambda f: put_mended(f, generic_neutral_mesh="v 0 0 0\nf 1 1 1\n"), "no material M_Face"),
        (lambda f: "smpl:x", "no part called"),
    ],
)
def test_what_is_no_model_is_named(
    own_cache: Path, tmp_path: Path, put: Callable[[Path], str], message: str
) -> None:
    with pytest.raises(EmotalkError, match=message) as refusal:
        load(put(tmp_path))
    assert refusal.value.next_step


@pytest.mark.parametrize("kind", ["ict", "flame", "bfm"])
def test_the_fit_runs_with_every_model(kind: str, request: pytest.FixtureRequest) -> None:
    """Landmarks of an open mouth, drawn by our own head, open the other model's mouth."""
    model: FaceModel = request.getfixturevalue(kind)
    shape = np.zeros(len(model.identity_basis), np.float32)
    expression = np.zeros(len(model.expression_names), np.float32)
    opening = "component00Plus" if kind == "bfm" else "jawOpen"
    expression[model.unit_index(opening)] = 0.6
    points = model.landmarks(shape, expression)
    depth = 0.7 - points[:, 2]
    seen = np.stack(
        [256 + 700 * points[:, 0] / depth, 256 - 700 * points[:, 1] / depth, -1000 * points[:, 2]],
        axis=1,
    ).astype(np.float32)
    track = fit_photo(seen, 512, 512, model, made_by=MadeBy("test", "0"))
    assert track.face_model == model.name
    assert track.expression[0, model.unit_index(opening)] == pytest.approx(0.6, abs=0.2)
    assert track.residual_px[0] < 1.0
    if kind == "bfm":
        closing = model.unit_index("component00Minus")
        assert track.expression[0, closing] < 0.02, "a component has one sign at a time"
