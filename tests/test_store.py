"""Records survive the disk, and files that are not what they claim are refused."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from emotalk_cli import safe_files, store
from emotalk_cli.errors import EmotalkError, RecordError, StaleOutputError
from emotalk_cli.schema import (
    AudioFeatures,
    Clip,
    FaceTrack,
    Labels,
    MadeBy,
    Record,
    ScoreRow,
    Scores,
)

MADE_BY = MadeBy("test", "1", {"fps": 25.0, "names": ["a", "b"]}, seed=3, inputs={"a.wav": "00"})


def make_track(frames: int = 7) -> FaceTrack:
    rng = np.random.default_rng(0)
    return FaceTrack(
        made_by=MADE_BY,
        shape=rng.normal(size=4).astype(np.float32),
        expression=rng.random((frames, 3), dtype=np.float32),
        head_pose=rng.normal(size=(frames, 6)).astype(np.float32),
        camera=np.array([600, 256, 256, 512, 512], np.float32),
        residual_px=np.zeros(frames, np.float32),
        valid=np.ones(frames, bool),
        face_model="tiny",
        face_model_sha256="ab",
        expression_names=("jawOpen", "mouthClose", "ünit"),
        fps=25.0,
        labels=Labels(clip_id="s1/clip 1", emotion="happy", intensity=2 / 3),
    )


def make_features() -> AudioFeatures:
    zeros = np.zeros(10, np.float32)
    return AudioFeatures(
        made_by=MADE_BY,
        speech=np.zeros((10, 5), np.float32),
        log_mel=np.zeros((10, 8), np.float32),
        f0_hz=zeros,
        voicing=zeros,
        energy_db=zeros,
        speaking_rate_hz=4.0,
        rate_hz=50.0,
        duration_s=0.2,
        encoder="mel",
        speech_names=tuple("abcde"),
    )


def make_clip() -> Clip:
    return Clip(
        made_by=MADE_BY,
        landmarks=np.zeros((2, 478, 3), np.float32),
        valid=np.ones(2, bool),
        crop=np.zeros(4, np.float32),
        waveform=np.zeros(320, np.float32),
        frames_jpeg=np.frombuffer(b"onethree", np.uint8),
        frame_ends=np.array([3, 8]),
        fps=25.0,
        width_px=64,
        height_px=48,
        source="a.mp4",
        source_sha256="00",
        words=((0.0, 0.5, "bin"), (0.5, 1.0, "blue")),
    )


def make_scores() -> Scores:
    return Scores(made_by=MADE_BY, rows=(ScoreRow("a", "c1", "LVE", 0.5, "mm²", "lower"),))


@pytest.mark.parametrize("make", [make_track, make_features, make_clip, make_scores])
def test_round_trip(make: Callable[[], Record], tmp_path: Path) -> None:
    record = make()
    path = store.write(record, tmp_path / "deep" / "a.h5")
    again = store.read(path, type(record))
    for name in record.array_specs():
        np.testing.assert_array_equal(getattr(again, name), getattr(record, name))
    for name in set(record.attribute_names()) - {"made_by"}:
        assert getattr(again, name) == getattr(record, name)
    assert store.is_done(path, record.made_by)
    assert store.kind_of(path) is type(record)
    assert [p.name for p in path.parent.iterdir()] == ["a.h5"]


def test_frames_of_a_clip() -> None:
    assert [make_clip().frame_jpeg(k) for k in range(2)] == [b"one", b"three"]


def test_wrong_values_are_not_written(tmp_path: Path) -> None:
    track = make_track()
    wrong = {
        "expression": track.expression + 1,
        "valid": track.valid[:-1],
        "shape": track.shape.astype(np.float64),
        "residual_px": np.full(7, np.nan, np.float32),
        "camera": track.camera[:4],
    }
    for name, value in wrong.items():
        with pytest.raises(RecordError, match=name):
            store.write(replace(track, **{name: value}), tmp_path / "a.h5")
    assert not list(tmp_path.iterdir())


def test_changed_options_are_named(tmp_path: Path) -> None:
    path = store.write(make_track(), tmp_path / "a.h5")
    other = replace(MADE_BY, options={"fps": 30.0, "names": ["a", "b"]})
    with pytest.raises(StaleOutputError, match=r"options\.fps was 25\.0, is now 30\.0"):
        store.is_done(path, other)
    assert not store.is_done(path, other, overwrite=True)
    path.write_bytes(path.read_bytes()[:300])
    assert not store.is_done(path, MADE_BY)


def test_files_of_others_are_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    path.write_text("my own notes")
    with pytest.raises(StaleOutputError, match="no emotalk file"):
        store.is_done(path, MADE_BY)
    assert not store.is_done(path, MADE_BY, overwrite=True)
    with pytest.raises(EmotalkError, match="is a folder"):
        safe_files.require_writable(tmp_path)


def test_other_record_is_refused(tmp_path: Path) -> None:
    path = store.write(make_track(), tmp_path / "a.h5")
    with pytest.raises(RecordError, match="holds FaceTrack, not Clip"):
        store.read(path, Clip)


def damage_link(file: h5py.File) -> None:
    del file["shape"]
    file["shape"] = h5py.ExternalLink("/etc/passwd", "/x")


def damage_type(file: h5py.File) -> None:
    del file["shape"]
    file["shape"] = np.zeros(4, np.float64)


def damage_missing(file: h5py.File) -> None:
    del file["head_pose"]


def damage_values(file: h5py.File) -> None:
    file["expression"][0, 0] = np.inf


def damage_attribute(file: h5py.File) -> None:
    file.attrs["fps"] = '"fast"'


def damage_version(file: h5py.File) -> None:
    file.attrs["version"] = 99


def damage_size(file: h5py.File) -> None:
    del file["shape"]
    file.create_dataset("shape", shape=(1 << 40,), dtype="float32", chunks=(1024,))


@pytest.mark.parametrize(
    "damage",
    [
        damage_link,
        damage_type,
        damage_missing,
        damage_values,
        damage_attribute,
        damage_version,
        damage_size,
    ],
)
def test_damaged_files_are_refused(damage: Callable[[h5py.File], None], tmp_path: Path) -> None:
    path = store.write(make_track(), tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        damage(file)
    with pytest.raises(RecordError) as caught:
        store.read(path, FaceTrack)
    assert str(path) in caught.value.problem
    assert caught.value.next_step


@pytest.mark.parametrize("content", [b"", b"text", b"\x89HDF\r\n\x1a\n" + bytes(50)])
def test_no_hdf5(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    path.write_bytes(content)
    with pytest.raises(RecordError, match="not a readable HDF5"):
        store.read(path, FaceTrack)


def test_unwritable_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EmotalkError, match="Cannot write"):
        store.write(make_track(), tmp_path / "file" / "a.h5")
    with pytest.raises(EmotalkError, match="Cannot write"):
        safe_files.require_writable(tmp_path / "file" / "deep" / "a.h5")
    safe_files.require_writable(tmp_path / "deep" / "a.h5")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


WRITER = """
import sys
from pathlib import Path
from tests.test_store import make_track
from emotalk_cli import store
while True:
    store.write(make_track(20000), Path(sys.argv[1]))
    print("w", flush=True)
"""


def test_kill_while_writing_leaves_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    root = Path(__file__).resolve().parents[1]
    rng = np.random.default_rng(1)
    for _ in range(4):
        child = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], cwd=root, stdout=subprocess.PIPE
        )
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(float(rng.uniform(0, 0.05)))
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        child.stdout.close()
        assert len(store.read(path, FaceTrack).expression) == 20000


@pytest.mark.parametrize("limit_bytes", [0, 3_000, 30_000])
def test_a_disk_that_fills_up_ends_in_words(limit_bytes: int, tmp_path: Path) -> None:
    """HDF5 alone would end the process; the limit stands for the end of the disk."""
    script = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from tests.test_store import make_track\n"
        "from emotalk_cli import store\n"
        "from emotalk_cli.errors import EmotalkError\n"
        "track = make_track(20_000)\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit_bytes}, {limit_bytes}))\n"
        "try: store.write(track, Path(sys.argv[1]))\n"
        "except EmotalkError as error: print(error.problem)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "a.h5")]
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "Cannot write" in done.stdout
    assert not done.stderr
    assert not list(tmp_path.iterdir())
