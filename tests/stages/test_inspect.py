"""inspect on videos, checkpoints, folders and other files; plots of tracks and scores."""

import csv
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from emotalk_cli.batch import Failure, write_failures
from emotalk_cli.errors import EmotalkError
from emotalk_cli.media import ffmpeg_binary
from emotalk_cli.render.content_credentials import ContentCredentials
from emotalk_cli.render.video import VideoWriter, read_note
from emotalk_cli.schema import (
    AudioFeatures,
    FaceTrack,
    Labels,
    MadeBy,
    ScoreRow,
    Scores,
)
from emotalk_cli.stages.decoder_training import training_options
from emotalk_cli.stages.export_motion import export_motion
from emotalk_cli.stages.generate import DEMO_SPEECH
from emotalk_cli.stages.inspect import inspect
from emotalk_cli.stages.motion_making import WEIGHTS
from emotalk_cli.stages.score import score
from emotalk_cli.store import write
from tests.render.test_provenance import certificates
from tests.stages.test_fit_3dmm import put_clip
from tests.stages.track_help import track_of

MADE_BY = MadeBy("test", "1.2", {"speed": 3}, seed=7, inputs={"face": "ab" * 32})


def track(frames: int = 10, **labels: str) -> FaceTrack:
    return FaceTrack(
        made_by=MADE_BY,
        labels=Labels(**labels),
        shape=np.zeros(4, np.float32),
        expression=np.zeros((frames, 2), np.float32),
        head_pose=np.tile(np.array([0, 0, 0, 0, 0, -1], np.float32), (frames, 1)),
        camera=np.array([500, 50, 50, 100, 100], np.float32),
        residual_px=np.linspace(0, 1, frames).astype(np.float32),
        valid=np.arange(frames) != 3,
        face_model="toy",
        face_model_sha256="0" * 64,
        expression_names=("a", "b"),
        fps=25.0,
    )


def put_video(path: Path, *, synthetic: bool) -> Path:
    made_by = MADE_BY if synthetic else None
    with VideoWriter(path, 64, 48, 25.0, made_by=made_by, synthetic=synthetic) as writer:
        for _ in range(10):
            writer.write(np.full((48, 64, 3), 90, np.uint8))
    return path


def test_a_made_video_says_that_it_is_synthetic(tmp_path: Path) -> None:
    text = str(inspect(put_video(tmp_path / "a.mp4", synthetic=True)))
    assert "64 x 48 px, 25 fps, 0.40 s, without sound" in text
    assert "it says: Synthetic video" in text
    assert "made by: test 1.2, seed 7" in text
    assert "face abababababab" in text


def test_another_video_says_nothing(tmp_path: Path) -> None:
    path = put_video(tmp_path / "a.mp4", synthetic=False)
    text = str(inspect(path))
    assert "does not say" in text and "not emotalk" in text
    assert read_note(path) == ""
    with pytest.raises(EmotalkError, match="cannot be drawn"):
        inspect(path, plot=tmp_path / "a.png")
    (tmp_path / "b.mp4").write_text("no video")
    with pytest.raises(EmotalkError, match="no media file"):
        inspect(tmp_path / "b.mp4")


def test_a_checkpoint_tells_what_it_predicts_and_shows_its_card(tmp_path: Path) -> None:
    text = str(inspect(WEIGHTS / "lip"))
    assert "checkpoint of the decoder 'lip'" in text
    assert "28 channels of the face model emotalk-anny-1" in text
    assert "# Lip decoder" in text
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(EmotalkError, match="no decoder's config"):
        inspect(tmp_path)


def test_a_folder_is_counted(tmp_path: Path) -> None:
    for k, (speaker, emotion) in enumerate((("x", "sad"), ("x", "happy"), ("", "sad"))):
        write(track(10, dataset="toy", speaker=speaker, emotion=emotion), tmp_path / f"t{k}.h5")
    put_clip(tmp_path / "clip.h5", "y")
    audio = AudioFeatures(
        made_by=MADE_BY,
        speech=np.zeros((50, 3), np.float32),
        log_mel=np.zeros((50, 4), np.float32),
        f0_hz=np.zeros(50, np.float32),
        voicing=np.zeros(50, np.float32),
        energy_db=np.zeros(50, np.float32),
        speaking_rate_hz=0.0,
        rate_hz=50.0,
        duration_s=60.0,
        encoder="toy",
    )
    write(audio, tmp_path / "audio.h5")
    (tmp_path / "broken.h5").write_text("no record")
    (tmp_path / ".tmp-a.h5").write_text("not finished")
    with (tmp_path / "failures.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("clip", "stage", "reason"))
        writer.writerows([("a", "s", "a has no face."), ("b", "s", "b has no face.")])
        writer.writerow(("c", "s", "Too dark."))
    text = str(inspect(tmp_path))
    assert "5 records" in text
    assert "FaceTrack: 3 files, 0.0 min, 30 frames" in text
    assert "speakers: 1: x (2), without one: 1" in text
    assert "emotions: 2: happy (1), sad (2)" in text
    assert "face models: toy (3)" in text
    assert "error of the fit: 0.52 px" in text
    assert "Clip: 1 file" in text
    assert "AudioFeatures: 1 file, 1.0 min" in text
    assert "damaged: 1: broken.h5" in text
    assert "failures: 3 in failures.csv" in text
    assert "2 x ... has no face." in text


def test_a_folder_of_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing of ours")
    with pytest.raises(EmotalkError, match="holds no records"):
        inspect(tmp_path)
    with pytest.raises(EmotalkError, match="cannot be drawn"):
        inspect(tmp_path, plot=tmp_path / "a.png")


def moving(folder: Path, name: str, phase: float) -> Path:
    """A track of 30 frames of the default model whose jaw moves."""
    pose = np.tile(np.array([0, 0, 0, 0, 0, -0.75], np.float32), (30, 1))
    jaw = 0.3 + 0.2 * np.sin(np.arange(30) / 3 + phase)
    labels = Labels(clip_id=name, speaker="x")
    return write(track_of({"jawOpen": jaw}, pose, labels), folder / f"{name}.h5")


def test_what_export_writes_is_told(tmp_path: Path) -> None:
    path = moving(tmp_path, "a", 0.0)
    table = str(inspect(export_motion(path, tmp_path / "m.csv", timecode="01:00:00:00").path))
    assert "Live Link Face capture, 30 frames at 25/s, 1.16 s from 01:00:00:00" in table
    assert "52 face units and the angles of head and eyes" in table
    assert f"`emotalk generate --motion {tmp_path / 'm.csv'}`" in table
    scene = export_motion(path, tmp_path / "m.glb").path
    assert "52 face units, 30 frames, 1.16 s" in str(inspect(scene))
    assert "made by: `emotalk export`" in str(inspect(scene))
    scene.write_bytes(scene.read_bytes()[:300])
    with pytest.raises(EmotalkError, match=r"no whole \.glb file"):
        inspect(scene)


def test_what_score_writes_is_told_and_so_is_its_folder(tmp_path: Path) -> None:
    for side, phase in (("made", 0.2), ("true", 0.0)):
        for name in ("a", "b"):
            moving(tmp_path / side, name, phase)
    out = tmp_path / "report"
    score(tmp_path / "made", tmp_path / "true", out)
    assert "scores, one row per clip and metric" in str(inspect(out / "scores.csv"))
    assert "made by: `emotalk score`" in str(inspect(out / "scores.json"))
    assert "report, 'Scores: made against true'" in str(inspect(out / "report.html"))
    assert f"written by `emotalk score`; open {out}/report.html" in str(inspect(out))
    below = str(inspect(tmp_path))
    assert "made/: 2 FaceTrack" in below
    assert "report/: 1 Scores, 3 files" in below


def test_tables_and_options_are_told_by_their_columns_and_keys(tmp_path: Path) -> None:
    write_failures([Failure("a", "score", "Too dark.")], tmp_path)
    assert "list of failures, 1 row of" in str(inspect(tmp_path / "failures.csv"))
    (tmp_path / "jobs.csv").write_text("audio,face,emotion\na.wav,b.jpg,sad\n")
    assert f"--manifest {tmp_path / 'jobs.csv'} -o" in str(inspect(tmp_path / "jobs.csv"))
    (tmp_path / "train.yaml").write_text(training_options(None, steps=None, overfit=None))
    assert "train-lip --config" in str(inspect(tmp_path / "train.yaml"))
    (tmp_path / "keys.yaml").write_text("0: neutral\n1.5: happy\n")
    assert "emotions over time, 2 keys" in str(inspect(tmp_path / "keys.yaml"))
    assert "weights of a network" in str(inspect(WEIGHTS / "lip" / "model.safetensors"))
    assert "config" not in str(inspect(WEIGHTS / "emotion_reader.json"))
    assert "made by: `emotalk experiment`" in str(inspect(WEIGHTS / "emotion_reader.json"))


def test_sounds_pictures_and_videos_of_any_name_are_told(tmp_path: Path) -> None:
    assert "sound, " in str(inspect(DEMO_SPEECH))
    video = put_video(tmp_path / "a.mp4", synthetic=True)
    inspect(write(track(), tmp_path / "t.h5"), plot=tmp_path / "t.png")
    assert "picture, PNG, " in str(inspect(tmp_path / "t.png"))
    for name in ("a.flv", "a.nut"):
        command = [ffmpeg_binary(), "-v", "error", "-i", str(video), str(tmp_path / name)]
        subprocess.run(command, check=True)
        assert "video, 64 x 48 px" in str(inspect(tmp_path / name))
    assert "FaceTrack" in str(inspect(Path(shutil.copy(tmp_path / "t.h5", tmp_path / "t.bin"))))
    assert "2 videos, " in str(inspect(tmp_path))
    for name, content in (("a.txt", "notes"), ("a.csv", "this,that\n"), ("a.json", "[1]")):
        (tmp_path / name).write_text(content)
        with pytest.raises(EmotalkError, match="neither a file of emotalk nor"):
            inspect(tmp_path / name)


def test_a_signed_video_is_said_to_be_signed(tmp_path: Path) -> None:
    video = put_video(tmp_path / "a.mp4", synthetic=True)
    assert "C2PA" not in str(inspect(video))
    pytest.importorskip("c2pa")
    ContentCredentials(*certificates(tmp_path)).sign(video, MADE_BY)
    assert "signed (C2PA) by test, whom no list of trust names; unchanged since" in str(
        inspect(video)
    )
    content = bytearray(video.read_bytes())
    content[content.rindex(b"mdat") + 40] ^= 0xFF
    video.write_bytes(content)
    assert "but the video or the signature was changed since" in str(inspect(video))


def test_folders_of_folders_are_counted(tmp_path: Path) -> None:
    for place in ("tracks", "audio"):
        moving(tmp_path / place, "a", 0.0)
    shutil.copytree(WEIGHTS / "lip", tmp_path / "decoders" / "lip" / "seed0")
    text = str(inspect(tmp_path))
    assert "`emotalk train-emo" in text
    assert "tracks/: 1 FaceTrack" in text
    assert "decoders/: 1 checkpoint" in text


def test_tracks_are_drawn_with_their_errors_and_losses(tmp_path: Path) -> None:
    plain = write(track(40), tmp_path / "a.h5")
    inspect(plain, plot=tmp_path / "a.png")
    picture = np.asarray(Image.open(tmp_path / "a.png").convert("RGB")).astype(int)
    red = (picture[..., 0] > 245) & (np.abs(picture[..., 1:] - 204).max(axis=-1) < 6)
    assert red.sum() > 500, "the lost frame is shaded"
    coloured = replace(track(40), colour_error=np.linspace(3, 9, 40).astype(np.float32))
    inspect(write(coloured, tmp_path / "b.h5"), plot=tmp_path / "b.png")
    picture = np.asarray(Image.open(tmp_path / "b.png").convert("RGB")).astype(int)
    assert (np.abs(picture - (255, 127, 14)).sum(axis=-1) < 30).sum() > 200


def test_plots_of_scores_grow_with_what_they_show(tmp_path: Path) -> None:
    heights = []
    for metrics, systems in ((3, 1), (7, 1), (7, 4)):
        rows = tuple(
            ScoreRow(f"system {s}", f"clip {c}", f"metric {m}", float(m + c), "mm", "lower")
            for m in range(metrics)
            for s in range(systems)
            for c in range(3)
        )
        path = write(Scores(made_by=MADE_BY, rows=rows), tmp_path / f"{metrics}-{systems}.h5")
        inspect(path, plot=path.with_suffix(".png"))
        heights.append(Image.open(path.with_suffix(".png")).height)
    assert heights[0] < heights[1] < heights[2]
    lonely = (ScoreRow("a", "c", "m", 1.0, "", ""), ScoreRow("b", "c", "m", np.inf, "", ""))
    path = write(Scores(made_by=MADE_BY, rows=lonely), tmp_path / "one.h5")
    inspect(path, plot=tmp_path / "one.png")
