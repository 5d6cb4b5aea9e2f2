"""The stage fit-3dmm: folders, single sources, what is skipped, what fails."""

from pathlib import Path

import numpy as np
import pytest

from emotalk_cli.errors import EmotalkError
from emotalk_cli.face3d.camera import project
from emotalk_cli.face3d.fitting.basis import basis_of
from emotalk_cli.face3d.models.default_model import load_default_face_model
from emotalk_cli.schema import Clip, FaceTrack, Labels, MadeBy
from emotalk_cli.stages.fit_3dmm import fit_3dmm
from emotalk_cli.stages.track_making import warnings_of
from emotalk_cli.store import read, write

FRAMES = 30


def put_clip(path: Path, speaker: str, *, seed: int = 0, seen: bool = True) -> Path:
    """A clip of a person who opens the mouth."""
    model = load_default_face_model()
    basis = basis_of(model)
    shape = np.random.default_rng(seed).normal(size=len(basis.identity)) * 0.5
    expression = np.zeros((FRAMES, len(model.expression_names)), np.float32)
    expression[:, model.unit_index("jawOpen")] = 0.3 - 0.3 * np.cos(np.arange(FRAMES) / 3)
    points = basis.shaped(shape.astype(np.float32)) + np.tensordot(expression, basis.deltas, 1)
    pose = np.tile(np.array([0, 0, 0, 0, 0, -0.7], np.float32), (FRAMES, 1))
    where = project(points, pose, np.array([768, 320, 240, 640, 480], np.float32))
    landmarks = np.concatenate([where, -points[..., 2:] * 1000], axis=-1).astype(np.float32)
    clip = Clip(
        made_by=MadeBy("preprocess", "0"),
        landmarks=landmarks,
        valid=np.full(FRAMES, seen),
        crop=np.array([100, 50, 400, 400], np.float32),
        waveform=np.zeros(16000, np.float32),
        fps=25.0,
        width_px=640,
        height_px=480,
        source=path.name,
        source_sha256="",
        labels=Labels(clip_id=path.stem, dataset="toy", speaker=speaker),
    )
    return write(clip, path)


def test_clips_of_a_speaker_share_one_shape(tmp_path: Path) -> None:
    for name, speaker in (("a1", "a"), ("a2", "a"), ("b1", "b")):
        put_clip(tmp_path / "clips" / f"{name}.h5", speaker, seed=ord(speaker))
    done = fit_3dmm(tmp_path / "clips", tmp_path / "tracks")
    assert done.made == 3
    assert not done.failures
    a1, a2, b1 = (read(tmp_path / "tracks" / f"{n}.h5", FaceTrack) for n in ("a1", "a2", "b1"))
    np.testing.assert_array_equal(a1.shape, a2.shape)
    assert np.abs(a1.shape - b1.shape).max() > 0.1
    assert a1.camera[0] == a2.camera[0]
    assert a1.labels.speaker == "a"
    jaw = a1.expression[:, a1.expression_names.index("jawOpen")]
    assert np.abs(jaw - (0.3 - 0.3 * np.cos(np.arange(FRAMES) / 3))).mean() < 0.06


def test_what_is_done_is_skipped_and_other_options_are_refused(tmp_path: Path) -> None:
    put_clip(tmp_path / "clips" / "a1.h5", "a")
    put_clip(tmp_path / "clips" / "a2.h5", "a")
    fit_3dmm(tmp_path / "clips", tmp_path / "tracks")
    again = fit_3dmm(tmp_path / "clips", tmp_path / "tracks")
    assert (again.made, again.skipped) == (0, 2)
    with pytest.raises(EmotalkError, match="made otherwise"):
        fit_3dmm(tmp_path / "clips", tmp_path / "tracks", identity="clip")
    other = fit_3dmm(tmp_path / "clips", tmp_path / "tracks", identity="clip", overwrite=True)
    assert other.made == 2


def test_a_bad_clip_is_listed_and_the_others_are_done(tmp_path: Path) -> None:
    put_clip(tmp_path / "clips" / "good.h5", "a")
    put_clip(tmp_path / "clips" / "faceless.h5", "b", seen=False)
    (tmp_path / "clips" / "broken.h5").write_text("no HDF5 at all")
    done = fit_3dmm(tmp_path / "clips", tmp_path / "tracks")
    assert [track.name for track in done.tracks] == ["good.h5"]
    reasons = {f.clip: f.reason for f in done.failures}
    assert "not a readable HDF5" in reasons["broken"]
    assert "shows a face" in reasons["faceless"]
    assert not list((tmp_path / "tracks").glob(".tmp*"))
    assert (tmp_path / "tracks" / "failures.csv").is_file()


def test_one_clip_goes_to_one_file(tmp_path: Path) -> None:
    clip = put_clip(tmp_path / "a.h5", "a")
    done = fit_3dmm(clip, tmp_path / "b.h5")
    assert done.tracks == (tmp_path / "b.h5",)
    read(tmp_path / "b.h5", FaceTrack)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: folder / "nothing", "no file or folder"),
        (lambda folder: folder, "no clips"),
        (lambda folder: write_track(folder), "not a Clip"),
    ],
)
def test_what_cannot_be_fitted_is_named(tmp_path: Path, make: object, message: str) -> None:
    assert callable(make)
    with pytest.raises(EmotalkError, match=message):
        fit_3dmm(make(tmp_path), tmp_path / "tracks")


def test_unknown_face_models_are_named_before_any_work(tmp_path: Path) -> None:
    put_clip(tmp_path / "clips" / "a.h5", "a")
    with pytest.raises(EmotalkError, match="face model"):
        fit_3dmm(tmp_path / "clips", tmp_path / "tracks", face_model="nonsense")
    assert not (tmp_path / "tracks").exists()


def test_warnings_give_a_reason(tmp_path: Path) -> None:
    put_clip(tmp_path / "a.h5", "a")
    fit_3dmm(tmp_path / "a.h5", tmp_path / "b.h5")
    track, landmarks = read(tmp_path / "b.h5", FaceTrack), read(tmp_path / "a.h5", Clip).landmarks
    assert warnings_of(landmarks, track) == ()
    track.residual_px[:] = 20.0
    assert "hide" in warnings_of(landmarks, track)[0]
    track.head_pose[:, 1] = 0.8
    assert "turned" in warnings_of(landmarks, track)[0]
    track.valid[: FRAMES // 2] = False
    assert "lost in 50%" in warnings_of(landmarks, track)[0]


def test_a_portrait_becomes_one_frame(tmp_path: Path, shared_data: Path) -> None:
    done = fit_3dmm(shared_data / "portraits" / "009.jpg", tmp_path)
    track = read(done.tracks[0], FaceTrack)
    smile = [track.expression_names.index(f"mouthSmile{side}") for side in ("Left", "Right")]
    assert track.expression[0, smile].min() > 0.5
    with pytest.raises(EmotalkError, match=r"(?i)profile|turned"):
        fit_3dmm(shared_data / "portraits" / "018.jpg", tmp_path)


def write_track(folder: Path) -> Path:
    """A record of the wrong kind."""
    put_clip(folder / "clip.h5", "a")
    fit_3dmm(folder / "clip.h5", folder / "track.h5")
    return folder / "track.h5"


def test_photometric_needs_pictures_and_a_backend(tmp_path: Path) -> None:
    clip = put_clip(tmp_path / "a.h5", "a")
    with pytest.raises(EmotalkError, match="no --photometric-backend"):
        fit_3dmm(clip, tmp_path / "b.h5", photometric=True, photometric_backend="opengl")
    pytest.importorskip("trimesh")
    pytest.importorskip("deodr")
    with pytest.raises(EmotalkError, match="no pictures to compare"):
        fit_3dmm(clip, tmp_path / "b.h5", photometric=True)
    assert not (tmp_path / "b.h5").exists()


def test_a_photo_refined_by_its_pixels(tmp_path: Path, shared_data: Path) -> None:
    pytest.importorskip("trimesh")
    pytest.importorskip("deodr")
    photo = shared_data / "portraits" / "009.jpg"
    plain = read(fit_3dmm(photo, tmp_path / "plain.h5").tracks[0], FaceTrack)
    assert plain.albedo is None
    done = fit_3dmm(photo, tmp_path / "refined.h5", photometric=True)
    track = read(done.tracks[0], FaceTrack)
    assert track.albedo is not None and len(track.albedo) == len(
        load_default_face_model().mean_vertices
    )
    assert track.light is not None and track.light[0].min() > 0.3
    assert track.residual_px[0] <= 1.1 * plain.residual_px[0]
    assert track.made_by.options["photometric"].startswith("deodr")
