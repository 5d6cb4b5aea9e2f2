"""inspect on videos, checkpoints and folders; plots of tracks and scores."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from emotalk_cli.errors import EmotalkError
from emotalk_cli.render.video import VideoWriter, read_note
from emotalk_cli.schema import (
    AudioFeatures,
    FaceTrack,
    Labels,
    MadeBy,
    ScoreRow,
    Scores,
)
from emotalk_cli.stages.inspect import inspect
from emotalk_cli.stages.motion_making import WEIGHTS
from emotalk_cli.store import write
from tests.stages.test_fit_3dmm import put_clip

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
    assert "Clip: 1 files" in text
    assert "AudioFeatures: 1 files, 1.0 min" in text
    assert "damaged: 1: broken.h5" in text
    assert "failures: 3 in failures.csv" in text
    assert "2 x ... has no face." in text


def test_a_folder_of_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing of ours")
    with pytest.raises(EmotalkError, match="holds no records"):
        inspect(tmp_path)
    with pytest.raises(EmotalkError, match="cannot be drawn"):
        inspect(tmp_path, plot=tmp_path / "a.png")


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
