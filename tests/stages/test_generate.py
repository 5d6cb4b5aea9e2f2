"""The main job: one photo, one recording and an emotion become a talking video."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from emotalk_cli import store
from emotalk_cli.errors import EmotalkError, StaleOutputError
from emotalk_cli.media import ffmpeg_binary, probe, read_frames, read_sound
from emotalk_cli.progress import Quiet
from emotalk_cli.schema import FaceTrack
from emotalk_cli.stages.fit_3dmm import fit_3dmm
from emotalk_cli.stages.generate import DEMO_FACE, DEMO_SPEECH, Generated, generate
from emotalk_cli.stages.motion_making import WEIGHTS
from emotalk_cli.stages.video_options import VideoOptions
from emotalk_cli.stages.video_rows import default_name

FPS = 25.0
SECONDS = 2.0


class Notes(Quiet):
    """The progress that keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, text: str) -> None:
        self.said.append(text)


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first 2 s of the demo's speech, as the mp3 that people have."""
    path = tmp_path_factory.mktemp("speech") / "a b'c.mp3"
    command = [
        ffmpeg_binary(),
        "-v",
        "error",
        "-i",
        str(DEMO_SPEECH),
        "-t",
        str(SECONDS),
        str(path),
    ]
    subprocess.run(command, check=True)
    return path


@pytest.fixture(scope="module")
def made(speech: Path, tmp_path_factory: pytest.TempPathFactory) -> Generated:
    folder = tmp_path_factory.mktemp("made")
    return generate(
        speech,
        DEMO_FACE,
        folder / "deep" / "a.mp4",
        VideoOptions(emotion="0 neutral, 1 happy", size_px=256),
        motion_out=folder / "a.h5",
        sheet=folder / "a.png",
    )


def described(path: Path) -> str:
    done = subprocess.run([ffmpeg_binary(), "-i", str(path)], capture_output=True, text=True)
    return done.stderr


def test_the_video_plays_everywhere(made: Generated) -> None:
    text = described(made.video)
    for word in ("h264", "yuv420p", "256x256", "25 fps", "aac", "Synthetic"):
        assert word in text
    info = probe(made.video)
    assert info.sound_offset_s == pytest.approx(0.0, abs=1e-3)
    frames = sum(1 for _ in read_frames(made.video, FPS))
    assert frames == made.frames == round(made.duration_s * FPS)
    assert abs(len(read_sound(made.video)) / 16000 - made.duration_s) <= 0.04
    assert abs(made.duration_s - SECONDS) <= 0.1


def test_the_face_moves_and_the_background_stands(made: Generated) -> None:
    frames = np.stack([f.astype(np.float32) for f in read_frames(made.video, FPS)])
    moved = frames.std(axis=0).mean(axis=-1)
    assert moved[120:180, 100:160].mean() > 2.0  # mouth and chin
    assert moved[:40, :20].mean() < 1.0  # a corner of the wall


def test_the_motion_is_a_track(made: Generated) -> None:
    assert made.motion is not None
    track = store.read(made.motion, FaceTrack)
    assert len(track.expression) == made.frames
    assert track.emotion_weights is not None
    smile = track.expression[:, track.expression_names.index("mouthSmileLeft")]
    assert smile[-10:].mean() > smile[:10].mean() + 0.2
    jaw = track.expression[:, track.expression_names.index("jawOpen")]
    assert np.ptp(jaw) > 0.05


def test_same_seed_same_motion(made: Generated, speech: Path, tmp_path: Path) -> None:
    assert made.motion is not None
    first = store.read(made.motion, FaceTrack)
    tracks = []
    for seed in (0, 1):
        out = tmp_path / f"{seed}.h5"
        generate(
            speech,
            DEMO_FACE,
            tmp_path / f"{seed}.mp4",
            VideoOptions(emotion="0 neutral, 1 happy", size_px=128, seed=seed),
            motion_out=out,
        )
        tracks.append(store.read(out, FaceTrack))
    np.testing.assert_array_equal(tracks[0].expression, first.expression)
    np.testing.assert_array_equal(tracks[0].head_pose, first.head_pose)
    assert not np.array_equal(tracks[1].head_pose, first.head_pose)


def test_what_exists_is_kept(made: Generated, speech: Path) -> None:
    before = made.video.read_bytes()
    with pytest.raises(StaleOutputError, match="overwrite") as caught:
        generate(speech, DEMO_FACE, made.video, VideoOptions(emotion="sad", size_px=256))
    assert "emotion" in caught.value.problem
    assert made.video.read_bytes() == before


def test_what_is_done_is_not_done_again(made: Generated, speech: Path) -> None:
    written = made.video.stat().st_mtime_ns
    again = generate(
        speech,
        DEMO_FACE,
        made.video,
        VideoOptions(emotion="0 neutral, 1 happy", size_px=256),
        motion_out=made.motion,
        sheet=made.sheet,
    )
    assert again.skipped
    assert not made.skipped
    assert (again.frames, again.width_px, again.height_px) == (made.frames, 256, 256)
    assert made.video.stat().st_mtime_ns == written


def test_a_file_of_others_is_not_replaced(speech: Path, tmp_path: Path) -> None:
    out = tmp_path / "holiday.mp4"
    out.write_bytes(b"somebody's")
    with pytest.raises(StaleOutputError, match="does not say"):
        generate(speech, DEMO_FACE, out)
    assert out.read_bytes() == b"somebody's"


def test_other_files_are_kept(speech: Path, tmp_path: Path) -> None:
    notes = tmp_path / "notes.h5"
    picture = tmp_path / "notes.png"
    for path in (notes, picture):
        path.write_text("precious")
    for option, path in {"motion_out": notes, "sheet": picture}.items():
        with pytest.raises(StaleOutputError, match="already"):
            generate(speech, DEMO_FACE, tmp_path / "a.mp4", **{option: path})  # type: ignore[arg-type]
    with pytest.raises(EmotalkError, match="is no"):
        generate(speech, DEMO_FACE, tmp_path / "a.mp4", motion_out=tmp_path / "a.mp4")
    assert notes.read_text() == "precious"
    assert picture.read_text() == "precious"
    assert len(list(tmp_path.iterdir())) == 2


def noise(path: Path) -> None:
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (99, 99, 3), np.uint8)).save(path)


def blank(path: Path) -> None:
    Image.new("RGB", (300, 300), (200, 180, 160)).save(path)


def text(path: Path) -> None:
    path.write_text("no picture")


@pytest.mark.parametrize("write", [noise, blank, text])
def test_pictures_without_a_face_are_refused(
    write: Callable[[Path], None], speech: Path, tmp_path: Path
) -> None:
    face = tmp_path / "f.png"
    write(face)
    with pytest.raises(EmotalkError, match=r"f\.png") as caught:
        generate(speech, face, tmp_path / "a.mp4")
    assert caught.value.next_step
    assert [p.name for p in tmp_path.iterdir()] == ["f.png"]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"emotion": "jolly"}, "no emotion called 'jolly'"),
        ({"intensity": 2.0}, "intensity"),
        ({"fps": 1000.0}, "1000 frames a second"),
        ({"size_px": 7}, "7 pixels"),
        ({"renderer": "portrait:x"}, "no --renderer"),
        ({"lip_decoder": Path("nowhere")}, "no checkpoint"),
    ],
)
def test_options_that_cannot_work(
    options: dict[str, object], problem: str, speech: Path, tmp_path: Path
) -> None:
    with pytest.raises(EmotalkError, match=problem):
        generate(speech, DEMO_FACE, tmp_path / "a.mp4", VideoOptions(**options))  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_decoders_of_another_face_model_are_refused(speech: Path, tmp_path: Path) -> None:
    lip = tmp_path / "lip"
    shutil.copytree(WEIGHTS / "lip", lip)
    config = (lip / "config.json").read_text()
    sha256 = json.loads(config)["spec"]["face_model_sha256"]
    (lip / "config.json").write_text(config.replace(sha256, "0" * 64))
    with pytest.raises(EmotalkError, match="another face model"):
        generate(speech, DEMO_FACE, tmp_path / "a.mp4", VideoOptions(lip_decoder=lip))


def test_long_recordings_are_asked_about(
    speech: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emotalk_cli.stages.motion_making.LONG_S", 1.0)
    out = tmp_path / "a.mp4"
    with pytest.raises(EmotalkError, match="--long"):
        generate(speech, DEMO_FACE, out)
    assert not list(tmp_path.iterdir())
    assert generate(speech, DEMO_FACE, out, VideoOptions(long=True, size_px=64)).video == out


def test_motion_drives_another_face_without_sound(made: Generated, tmp_path: Path) -> None:
    assert made.motion is not None
    out = tmp_path / "a.mp4"
    options = VideoOptions(motion=made.motion, size_px=256)
    again = generate(None, DEMO_FACE, out, options, motion_out=tmp_path / "a.h5")
    assert again.frames == made.frames
    assert not probe(out).has_audio
    before, after = (store.read(p, FaceTrack) for p in (made.motion, tmp_path / "a.h5"))
    np.testing.assert_allclose(after.expression, before.expression, atol=1e-5)
    np.testing.assert_allclose(after.head_pose, before.head_pose, atol=1e-5)


@pytest.mark.parametrize(
    ("audio", "options", "problem"),
    [
        (False, {}, "no recording"),
        (False, {"motion": Path("a.h5"), "blink_rate": 10.0}, "Blinks"),
        (False, {"motion": Path("a.h5"), "emotion": "sad"}, "--emotion"),
        (True, {"motion": Path("a.h5"), "lip_decoder": Path("lip")}, "--lip-decoder"),
        (True, {"motion": Path("none.h5")}, "none.h5"),
        (True, {"gaze": "up"}, "gaze"),
        (True, {"crop": "nose"}, "crop"),
        (True, {"pose": Path("none.h5")}, "none.h5"),
    ],
)
def test_directions_that_cannot_work(
    audio: bool, options: dict[str, object], problem: str, speech: Path, tmp_path: Path
) -> None:
    with pytest.raises(EmotalkError, match=problem):
        generate(
            speech if audio else None,
            DEMO_FACE,
            tmp_path / "a.mp4",
            VideoOptions(**options),  # type: ignore[arg-type]
        )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["a.csv", "a.jpg", "-"])
def test_outputs_have_the_endings_of_their_kind(name: str, speech: Path, tmp_path: Path) -> None:
    for option in ("motion_out", "sheet"):
        with pytest.raises(EmotalkError, match="is no"):
            generate(speech, DEMO_FACE, tmp_path / "a.mp4", **{option: tmp_path / name})  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("delay_s", [0.0, 0.01, 0.1])
def test_a_stop_leaves_nothing(delay_s: float, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "emotalk_cli", "generate", "--audio", str(DEMO_SPEECH)]
    command += ["--face", str(DEMO_FACE), "-o", str(tmp_path / "a.mp4")]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 60
    while not list(tmp_path.iterdir()) and process.poll() is None and time.monotonic() < end:
        time.sleep(0.02)
    time.sleep(delay_s)
    process.terminate()
    assert process.wait(20) in (0, 143)
    assert [p.name for p in tmp_path.iterdir()] in ([], ["a.mp4"])


def test_the_recording_is_not_overwritten(tmp_path: Path) -> None:
    recording = tmp_path / "a.mp4"
    recording.write_bytes(b"precious")
    with pytest.raises(EmotalkError, match="the recording itself"):
        generate(recording, DEMO_FACE, tmp_path / "x" / ".." / "a.mp4", overwrite=True)
    assert recording.read_bytes() == b"precious"


def test_what_a_video_does_not_reach_is_said(speech: Path, tmp_path: Path) -> None:
    notes = Notes()
    short, silent = tmp_path / "short.h5", VideoOptions(size_px=64, emotion="0 sad, 50 happy")
    generate(speech, DEMO_FACE, tmp_path / "a.mp4", silent, motion_out=short, progress=notes)
    assert [text for text in notes.said if "from 50 s on is not reached" in text]
    notes.said.clear()
    drawn = VideoOptions(size_px=64, motion=short)
    generate(DEMO_SPEECH, DEMO_FACE, tmp_path / "b.mp4", drawn, progress=notes)
    assert [text for text in notes.said if "of the sound are left out" in text]


def test_one_moment_is_no_motion(tmp_path: Path) -> None:
    track = fit_3dmm(DEMO_FACE, tmp_path / "still.h5").tracks[0]
    with pytest.raises(EmotalkError, match="a single moment"):
        generate(None, DEMO_FACE, tmp_path / "a.mp4", VideoOptions(motion=track))
    with pytest.raises(EmotalkError, match="is a folder"):
        (tmp_path / "b.mp4").mkdir()
        generate(DEMO_SPEECH, DEMO_FACE, tmp_path / "b.mp4", overwrite=True)


def test_names_tell_emotions_apart() -> None:
    names = {
        default_name(DEMO_SPEECH, DEMO_FACE, VideoOptions(emotion=emotion))
        for emotion in ("va:0.6,-0.4", "va:0.6,0.4", "va:-0.6,0.4")
    }
    assert len(names) == 3
    assert default_name(Path("-"), DEMO_FACE, VideoOptions())[0] != "-"
