"""Motion leaves as CSV and glTF, comes back from CSV, JSON and its own files, and drives a face."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from emotalk_cli import store
from emotalk_cli.decoders.motion import add_pose
from emotalk_cli.errors import EmotalkError
from emotalk_cli.face3d.models.default_model import load_default_face_model
from emotalk_cli.live_link import ANGLES, read_live_link, write_live_link
from emotalk_cli.schema import FaceTrack, MadeBy
from emotalk_cli.stages.export_motion import export_motion
from emotalk_cli.stages.import_motion import read_motion

FRAMES = 50
REST_POSE = np.array([0.1, -0.05, 0.02, 0.01, 0.0, -0.7], np.float32)
UNITS = load_default_face_model().expression_names


def made(fps: float = 25.0) -> FaceTrack:
    """A track of a face that rests with narrow eyes, moving smoothly."""
    model = load_default_face_model()
    times = np.arange(FRAMES)[:, None] / fps
    above = 0.3 + 0.3 * np.sin(2 * np.pi * times + np.arange(52))
    rest = np.zeros(52, np.float32)
    rest[[UNITS.index("eyeSquintLeft"), UNITS.index("eyeSquintRight")]] = 0.2
    delta = np.zeros((FRAMES, 6))
    delta[:, :3] = 0.1 * np.sin(times + np.arange(3))
    return FaceTrack(
        made_by=MadeBy("test", "0"),
        shape=np.zeros(model.identity_basis.shape[0], np.float32),
        expression=(above + rest).astype(np.float32),
        head_pose=add_pose(REST_POSE, delta.astype(np.float32)),
        camera=np.array([900, 256, 256, 512, 512], np.float32),
        residual_px=np.zeros(FRAMES, np.float32),
        valid=np.ones(FRAMES, bool),
        rest_pose=REST_POSE,
        rest_expression=rest,
        face_model=model.name,
        face_model_sha256=model.sha256,
        expression_names=UNITS,
        fps=fps,
    )


@pytest.fixture
def track(tmp_path: Path) -> Path:
    return store.write(made(), tmp_path / "motion.h5")


def test_a_csv_carries_the_motion_without_the_resting_face(track: Path, tmp_path: Path) -> None:
    done = export_motion(track, tmp_path / "m.csv", timecode="10:00:00:00")
    assert (done.frames, done.fps, done.format) == (FRAMES, 25.0, "Live Link Face CSV")
    assert read_live_link(done.path).start == "10:00:00:00.000"
    own, back = read_motion(track, 25.0), read_motion(done.path, 25.0)
    record = made()
    assert record.rest_expression is not None
    np.testing.assert_allclose(
        own.expression + record.rest_expression, record.expression, atol=1e-6
    )
    np.testing.assert_allclose(back.expression, own.expression, atol=1e-5)
    np.testing.assert_allclose(back.head_pose_delta[:, :3], own.head_pose_delta[:, :3], atol=1e-5)


def test_eyes_have_angles(tmp_path: Path) -> None:
    record = made()
    expression = np.zeros_like(record.expression)
    for name in ("eyeLookOutLeft", "eyeLookInRight", "eyeLookDownLeft", "eyeLookDownRight"):
        expression[:, UNITS.index(name)] = 0.5
    path = store.write(replace(record, expression=expression), tmp_path / "a.h5")
    angles = read_live_link(export_motion(path, tmp_path / "a.csv").path).angles_rad
    np.testing.assert_allclose(np.degrees(angles[:, [3, 6]]), 15.0, atol=0.01)
    assert (angles[:, [4, 7]] > 0.05).all() and not angles[:, [5, 8]].any()


def test_a_rate_that_time_codes_do_not_know(tmp_path: Path) -> None:
    path = store.write(made(29.97), tmp_path / "a.h5")
    done = export_motion(path, tmp_path / "a.csv")
    assert done.fps == 60 and done.frames == 100
    back = read_motion(done.path, 29.97).expression
    np.testing.assert_allclose(back[:49], read_motion(path, 29.97).expression[:49], atol=0.02)


def test_a_glb_is_written(track: Path, tmp_path: Path) -> None:
    done = export_motion(track, tmp_path / "m.glb")
    assert done.path.read_bytes()[:4] == b"glTF" and done.format == "glTF 2.0"
    assert done.path.stat().st_size < 8_000_000


def test_eyes_that_look_aside_in_the_photo_look_ahead_in_the_glb(tmp_path: Path) -> None:
    rest, record = np.zeros(52, np.float32), made()
    look = UNITS.index("eyeLookOutLeft")
    rest[look] = 0.4
    still = np.repeat(rest[None], FRAMES, axis=0)
    aside = replace(record, expression=still, rest_expression=rest)
    glb = export_motion(store.write(aside, tmp_path / "a.h5"), tmp_path / "a.glb").path.read_bytes()
    size = int.from_bytes(glb[12:16], "little")
    assert json.loads(glb[20 : 20 + size])["meshes"][0]["weights"][look] == 0


def test_motion_is_read_at_another_rate(track: Path) -> None:
    motion = read_motion(track, 50.0)
    assert motion.expression.shape == (100, 52) and motion.head_pose_delta.shape == (100, 6)
    np.testing.assert_allclose(
        motion.expression[:99:2], read_motion(track, 25.0).expression, atol=1e-6
    )


def test_a_track_that_does_not_know_its_rest_keeps_all_but_its_eyes(tmp_path: Path) -> None:
    record = replace(made(), rest_expression=None)
    motion = read_motion(store.write(record, tmp_path / "a.h5"), 25.0)
    squint, jaw = UNITS.index("eyeSquintLeft"), UNITS.index("jawOpen")
    assert motion.expression[:, squint].min() < 0.02
    np.testing.assert_allclose(motion.expression[:, jaw], record.expression[:, jaw])


def test_beat_json_is_read(tmp_path: Path) -> None:
    frames = [{"weights": [0.5 * (k % 2), 0.25], "time": k / 60} for k in range(120)]
    path = tmp_path / "1_wayne_0_1_1.json"
    path.write_text(json.dumps({"names": ["jawOpen", "browInnerUp"], "frames": frames}))
    motion = read_motion(path, 60.0)
    assert motion.expression.shape == (120, 52) and not motion.head_pose_delta.any()
    np.testing.assert_allclose(motion.expression[:, UNITS.index("browInnerUp")], 0.25, atol=1e-6)


@pytest.mark.parametrize(("tilt_rad", "kept_rad"), [(0.1, 0.1), (0.4, 0.0)])
def test_a_capture_from_below_is_set_upright(
    tilt_rad: float, kept_rad: float, tmp_path: Path
) -> None:
    angles = np.zeros((FRAMES, len(ANGLES)), np.float32)
    angles[:, 1] = tilt_rad + 0.05 * np.sin(np.arange(FRAMES))
    write_live_link(tmp_path / "a.csv", np.zeros((FRAMES, 52), np.float32), angles, 25)
    nod = read_motion(tmp_path / "a.csv", 25.0).head_pose_delta[:, 0]
    assert nod.mean() == pytest.approx(kept_rad, abs=0.01) and np.ptp(nod) > 0.09


def test_what_exists_is_kept(track: Path, tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("precious")
    with pytest.raises(EmotalkError, match="exists already"):
        export_motion(track, tmp_path / "m.csv")
    assert (tmp_path / "m.csv").read_text() == "precious"
    assert export_motion(track, tmp_path / "m.csv", overwrite=True).frames == FRAMES


def test_what_cannot_be_exported(track: Path, tmp_path: Path) -> None:
    with pytest.raises(EmotalkError, match=r"Known: \.csv"):
        export_motion(track, tmp_path / "m.fbx")
    with pytest.raises(EmotalkError, match="time code"):
        export_motion(track, tmp_path / "m.csv", timecode="now")
    other = replace(made(), expression_names=tuple(f"exp{n}" for n in range(52)))
    path = store.write(other, tmp_path / "flame.h5")
    for out in ("m.csv", "m.glb"):
        with pytest.raises(EmotalkError, match="units"):
            export_motion(path, tmp_path / out)
    with pytest.raises(EmotalkError, match="units"):
        read_motion(path, 25.0)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["flame.h5", "motion.h5"]


@pytest.mark.parametrize("name", ["a.mp4", "none.csv", "bad.csv", "bad.h5", "empty.json"])
def test_what_holds_no_motion(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if not name.startswith("none"):
        path.write_text("Timecode,BlendshapeCount\n" if name == "bad.csv" else "{}")
    with pytest.raises(EmotalkError, match=name) as caught:
        read_motion(path, 25.0)
    assert caught.value.next_step
