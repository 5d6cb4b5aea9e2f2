"""The stage score on real files of the default face model, small and made here."""

import csv
import io
import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import emotalk_cli
from emotalk_cli import store
from emotalk_cli.errors import EmotalkError, StaleOutputError
from emotalk_cli.face3d.face_tracking import track_faces
from emotalk_cli.media import ffmpeg_binary, read_frames
from emotalk_cli.schema import AudioFeatures, Clip, FaceTrack, Labels, MadeBy, Scores
from emotalk_cli.stages.score import score
from emotalk_cli.stages.video_times import TimesFile
from tests.stages.track_help import track_of

FRAMES = 40
DEMO_FACE = Path(emotalk_cli.__file__).parent / "assets" / "demo_face.jpg"


class Notes:
    """A progress that remembers what it was told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def task(self, title: str, total: int | None = None) -> None: ...

    def advance(self, steps: int = 1) -> None: ...

    def note(self, text: str) -> None:
        self.notes.append(text)


def track(clip: int) -> FaceTrack:
    """A talking head, other for each clip."""
    time = np.arange(FRAMES)
    jaw = 0.3 + 0.2 * np.sin(time * 0.8 + clip) + 0.1 * np.sin(time * 0.37 + 2 * clip)
    pose = np.zeros((FRAMES, 6), np.float32)
    pose[:, 1] = 0.1 * np.sin(time * 0.2 + clip)
    pose[:, 5] = -0.6
    labels = Labels(speaker=f"s{clip % 2}", emotion=("happy", "sad")[clip % 2])
    return track_of({"jawOpen": jaw}, pose, labels)


def damped(made: FaceTrack, share: float) -> FaceTrack:
    mean = made.expression.mean(0)
    return replace(made, expression=mean + (1 - share) * (made.expression - mean))


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """reference/ with four clips; near/ and far/ with three and four worse ones."""
    root = tmp_path_factory.mktemp("score")
    for clip in range(4):
        real = track(clip)
        store.write(real, root / "reference" / "s" / f"c{clip}.h5")
        store.write(damped(real, 0.5), root / "far" / "s" / f"c{clip}.h5")
        if clip:
            store.write(damped(real, 0.1), root / "near" / "s" / f"c{clip}.h5")
    return root


def rows_of(out: Path) -> Iterator[dict[str, str]]:
    with (out / "scores.csv").open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def test_writes_all_four_files(folders: Path, tmp_path: Path) -> None:
    told = Notes()
    found = score(folders / "near", folders / "reference", tmp_path / "out", progress=told)
    assert found.clips == 3 and not found.failures
    assert any("Missing in near (1): s/c0" in note for note in told.notes)
    record = store.read(found.scores, Scores)
    lines = list(rows_of(tmp_path / "out"))
    assert len(lines) == len(record.rows)
    assert {line["clip_id"] for line in lines} == {"s/c1", "s/c2", "s/c3"}
    amplitude = [float(line["value"]) for line in lines if line["metric"] == "lip amplitude"]
    assert amplitude == pytest.approx([0.9] * 3, abs=1e-3)
    content = json.loads((tmp_path / "out" / "scores.json").read_text(encoding="utf-8"))
    assert content["made_by"]["stage"] == "score"
    assert {mean["group"] for mean in content["means"]["emotion"]} == {"happy", "sad"}
    assert "near against reference" in found.report.read_text(encoding="utf-8")


def test_itself_is_perfect_and_another_clip_is_bad(folders: Path, tmp_path: Path) -> None:
    real = folders / "reference" / "s"
    same, other = tmp_path / "same", tmp_path / "other"
    score(real / "c0.h5", real / "c0.h5", same)
    score(real / "c1.h5", real / "c0.h5", other)
    perfect, bad = (
        {line["metric"]: float(line["value"]) for line in rows_of(out)} for out in (same, other)
    )
    assert perfect["lip r"] == pytest.approx(1) and perfect["LVE"] == 0 and perfect["M-LMD"] < 1e-4
    assert bad["lip r"] < 0.5 and bad["LVE"] > 1 and bad["M-LMD"] > 0.1


def test_systems_are_compared(folders: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    score([folders / "near", folders / "far"], folders / "reference", out, workers=2)
    content = json.loads((out / "scores.json").read_text(encoding="utf-8"))
    mod = next(c for c in content["comparisons"] if c["metric"] == "MOD")
    assert (mod["first"], mod["second"]) == ("near", "far")
    assert mod["test"]["difference"]["high"] < 0 and mod["test"]["difference"]["count"] == 3
    jitter = [r for r in rows_of(out) if r["metric"] == "jitter" and r["system"] == "reference"]
    assert len(jitter) == 4  # once a clip, not once a system


def test_speed_is_told_where_it_is_known(folders: Path, tmp_path: Path) -> None:
    near = tmp_path / "near"
    shutil.copytree(folders / "near", near)
    made = near / "s" / "c1.mp4"  # what `generate --manifest --keep-motion` leaves
    made.write_bytes(b"the video beside c1.h5")
    TimesFile.begin(near / "s", None, workers=3).add(made, 4.0, 2.0)
    out, told = tmp_path / "out", Notes()
    score([near, folders / "far"], folders / "reference", out, progress=told)
    (line,) = (line for line in rows_of(out) if line["metric"] == "speed")
    assert (line["system"], line["clip_id"], float(line["value"])) == ("near", "s/c1", 2)
    assert (line["unit"], line["better"]) == ("x real time", "higher")
    assert any("videos timed: 1; made at once: 3" in note for note in told.notes)
    assert any("speed of far is not available" in note for note in told.notes)
    assert "the time that `generate --manifest` took" in (out / "report.html").read_text("utf-8")
    TimesFile.begin(near / "s", None, workers=3).add(made, 4.0, 1.0)
    with pytest.raises(StaleOutputError, match="times of near"):  # other times, another report
        score([near, folders / "far"], folders / "reference", out)


def test_workers_change_nothing(folders: Path, tmp_path: Path) -> None:
    score(folders / "far", folders / "reference", tmp_path / "one", metrics=["LVE", "lip r"])
    score(
        folders / "far",
        folders / "reference",
        tmp_path / "two",
        metrics=["LVE", "lip r"],
        workers=2,
    )
    one, two = (tmp_path / name / "scores.csv" for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()
    assert {line["metric"] for line in rows_of(tmp_path / "one")} == {"LVE", "lip r"}


def test_what_is_done_is_kept_and_what_changed_is_refused(folders: Path, tmp_path: Path) -> None:
    sides = folders / "far", folders / "reference", tmp_path / "out"
    first = score(*sides, metrics=["LVE"])
    written = first.report.stat().st_mtime_ns
    again = score(*sides, metrics=["LVE"])
    assert again.report.stat().st_mtime_ns == written and again.clips == 4
    with pytest.raises(StaleOutputError, match="metrics"):
        score(*sides, metrics=["MVE"])
    score(*sides, metrics=["MVE"], overwrite=True)
    assert {line["metric"] for line in rows_of(tmp_path / "out")} == {"MVE"}


def test_a_bad_clip_is_reported_and_the_others_done(folders: Path, tmp_path: Path) -> None:
    made = tmp_path / "made"
    store.write(track(0), made / "s" / "c0.h5")
    store.write(replace(track(1), face_model_sha256="f" * 64), made / "s" / "c1.h5")
    (made / "s" / "c2.h5").write_bytes(b"no HDF5")
    found = score(made, folders / "reference", tmp_path / "out")
    assert found.clips == 1
    reasons = {failure.clip: failure.reason for failure in found.failures}
    assert "another face model" in reasons["s/c1"]
    assert "not a readable HDF5" in reasons["s/c2"]
    assert "Not scored: s/c1: " in found.report.read_text(encoding="utf-8")
    with (tmp_path / "out" / "failures.csv").open(newline="") as file:
        assert [row["clip"] for row in csv.DictReader(file)] == ["s/c1", "s/c2"]


def test_a_video_s_landmarks_can_be_the_reference(folders: Path, tmp_path: Path) -> None:
    clip = Clip(
        made_by=MadeBy("test", "0"),
        landmarks=np.random.default_rng(0).uniform(20, 200, (FRAMES, 478, 3)).astype(np.float32),
        valid=np.ones(FRAMES, bool),
        crop=np.array([0, 0, 256, 256], np.float32),
        waveform=np.zeros(100, np.float32),
        fps=25.0,
        width_px=256,
        height_px=256,
        source="c0.mp4",
        source_sha256="",
    )
    path = store.write(clip, tmp_path / "seen.h5")
    score(folders / "reference" / "s" / "c0.h5", path, tmp_path / "out")
    found = {line["metric"] for line in rows_of(tmp_path / "out")}
    assert {"M-LMD", "lip r", "MOD on crop"} <= found and "LVE" not in found


def test_speech_is_measured_where_it_is_given(folders: Path, tmp_path: Path) -> None:
    rows = 81
    energy = -20 - 20 * (np.sin(np.arange(rows) / 6) > 0).astype(np.float32)
    speech = AudioFeatures(
        made_by=MadeBy("test", "0"),
        speech=np.ones((rows, 1), np.float32),
        log_mel=np.zeros((rows, 1), np.float32),
        f0_hz=np.zeros(rows, np.float32),
        voicing=np.zeros(rows, np.float32),
        energy_db=energy.astype(np.float32),
        speaking_rate_hz=4.0,
        rate_hz=50.0,
        duration_s=1.6,
        encoder="test",
    )
    store.write(speech, tmp_path / "audio" / "s" / "c1.h5")
    told = Notes()
    out = tmp_path / "out"
    score(folders / "far", folders / "reference", out, audio=tmp_path / "audio", progress=told)
    heard = [line for line in rows_of(out) if line["metric"] in ("speech r", "beat alignment")]
    assert {line["system"] for line in heard} == {"far", "reference"}
    assert {line["clip_id"] for line in heard} == {"s/c1"}
    assert any("for 3 of the clips: s/c0" in note for note in told.notes)


def film(path: Path, blur: int) -> Path:
    """Eight frames of the demo's portrait as a video, blurred."""
    path.parent.mkdir(parents=True)
    command = [ffmpeg_binary(), "-loglevel", "error", "-loop", "1", "-i", str(DEMO_FACE)]
    look = f"scale=256:-2,boxblur={blur}" if blur else "scale=256:-2"
    size = ["-frames:v", "8", "-r", "25", "-vf", look, "-crf", "12", "-pix_fmt", "yuv420p"]
    subprocess.run([*command, *size, str(path)], check=True)
    return path.parent


def test_videos_are_compared_as_pictures(tmp_path: Path) -> None:
    clear, dim = film(tmp_path / "clear" / "a.mp4", 0), film(tmp_path / "dim" / "a.mp4", 2)
    told = Notes()
    score(clear, clear, tmp_path / "same", metrics=["PSNR", "SSIM", "F-LMD"])
    score(dim, clear, tmp_path / "out", progress=told)
    same, worse = (
        {line["metric"]: float(line["value"]) for line in rows_of(tmp_path / name)}
        for name in ("same", "out")
    )
    assert same["PSNR"] == 100 and same["SSIM"] == pytest.approx(1) and same["F-LMD"] < 1e-4
    assert worse["PSNR"] < 40 and worse["SSIM"] < 0.99 and worse["MS-SSIM"] < 1
    assert "LSE-C" not in worse and any(
        "LSE-C and LSE-D are not available" in n for n in told.notes
    )


def test_a_clip_s_own_pictures_are_compared_with_a_video(tmp_path: Path) -> None:
    clear = film(tmp_path / "clear" / "a.mp4", 0)
    pictures = list(read_frames(clear / "a.mp4"))
    landmarks, valid = track_faces(pictures)
    files = [io.BytesIO() for _ in pictures]
    for file, picture in zip(files, pictures, strict=True):
        Image.fromarray(picture[4:252, 6:254]).resize((200, 200)).save(file, "JPEG", quality=95)
    data = [file.getvalue() for file in files]
    clip = Clip(
        made_by=MadeBy("test", "0"),
        landmarks=landmarks,
        valid=valid,
        crop=np.array([6, 4, 248, 248], np.float32),
        waveform=np.zeros(100, np.float32),
        frames_jpeg=np.frombuffer(b"".join(data), np.uint8),
        frame_ends=np.cumsum([len(one) for one in data]),
        fps=25.0,
        width_px=pictures[0].shape[1],
        height_px=pictures[0].shape[0],
        source="a.mp4",
        source_sha256="",
    )
    score(clear, store.write(clip, tmp_path / "clips" / "a.h5").parent, tmp_path / "out")
    found = {line["metric"]: float(line["value"]) for line in rows_of(tmp_path / "out")}
    assert found["F-LMD"] < 1e-3
    assert 25 < found["PSNR"] < 60 and found["SSIM"] > 0.9  # it was made smaller and back


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metrics": ["FID9"]}, "There is no metric FID9"),
        ({"face_model": "bfm"}, "face model"),
        ({"workers": 0}, "--workers 0"),
    ],
)
def test_nonsense_is_refused(
    options: dict[str, object], message: str, folders: Path, tmp_path: Path
) -> None:
    with pytest.raises(EmotalkError, match=message):
        score(folders / "far", folders / "reference", tmp_path / "out", **options)  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


def test_hopeless_paths_are_refused(folders: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EmotalkError, match="Cannot write into"):
        score(folders / "far", folders / "reference", tmp_path / "file")
    with pytest.raises(EmotalkError, match="There is no file or folder"):
        score(tmp_path / "nowhere", folders / "reference", tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(EmotalkError, match="neither records"):
        score(folders / "far", tmp_path / "empty", tmp_path / "out")


def test_a_video_is_followed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clear, dim = film(tmp_path / "clear" / "a.mp4", 0), film(tmp_path / "dim" / "a.mp4", 2)
    first = score(dim, clear, tmp_path / "out", metrics=["SSIM"])
    assert len(list((tmp_path / "out" / "cache").glob("*.npz"))) == 2

    def fail(*_: object) -> None:
        raise AssertionError("followed again")

    monkeypatch.setattr("emotalk_cli.face3d.face_tracking.track_faces", fail)
    again = score(dim, clear, tmp_path / "out", metrics=["PSNR"], overwrite=True)
    assert first.clips == again.clips == 1 and not again.failures


def test_emotions_are_read_and_counted(folders: Path, tmp_path: Path) -> None:
    from emotalk_cli.metrics.emotion_reading import save_reader, train_reader

    tracks = [track(clip) for clip in range(4)]
    smile = tracks[0].expression_names.index("mouthSmileLeft")
    for one in tracks:
        one.expression[:, smile] = 0.6 * (one.labels.emotion == "happy")
    reader = save_reader(train_reader(tracks), tmp_path / "reader.json")
    for clip, one in enumerate(tracks):
        store.write(one, tmp_path / "real" / f"c{clip}.h5")
        store.write(tracks[0], tmp_path / "made" / f"c{clip}.h5")  # all are happy
    out = tmp_path / "out"
    score(tmp_path / "made", tmp_path / "real", out, emotion_reader=reader)
    content = json.loads((out / "scores.json").read_text(encoding="utf-8"))
    tables = {one["system"]: one["counts"] for one in content["confusions"]}
    assert tables == {"reference": [[2, 0], [0, 2]], "made": [[2, 0], [2, 0]]}
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "made, emotion in coefficients: 2 of 4 right" in page
    with pytest.raises(EmotalkError, match="There is no file"):
        score(tmp_path / "made", tmp_path / "real", out, emotion_reader=tmp_path / "no.json")
