"""Videos: format, clock, and what is left behind when something goes wrong."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from emotalk_cli.errors import EmotalkError
from emotalk_cli.media import ffmpeg_binary, read_frames
from emotalk_cli.render.video import VideoWriter, read_made_by
from emotalk_cli.schema import MadeBy
from emotalk_cli.store import as_json


def frame_of(level: int, height: int = 48, width: int = 64) -> np.ndarray:
    return np.full((height, width, 3), level, np.uint8)


def describe(path: Path) -> str:
    command = [ffmpeg_binary(), "-hide_banner", "-i", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stderr


def make_tone(path: Path, seconds: float) -> Path:
    source = f"sine=frequency=440:sample_rate=16000:duration={seconds}"
    command = [ffmpeg_binary(), "-loglevel", "error", "-f", "lavfi", "-i", source, str(path)]
    subprocess.run(command, check=True)
    return path


@pytest.mark.parametrize("seconds", [0.7, 3.0])
def test_sound_and_picture_share_one_clock(tmp_path: Path, seconds: float) -> None:
    sound = make_tone(tmp_path / "tone.wav", seconds)
    path = tmp_path / "out.mp4"
    with VideoWriter(path, 64, 48, 25.0, sound=sound, frames=50) as writer:
        for k in range(50):
            writer.write(frame_of(5 * k))
    text = describe(path)
    assert "Duration: 00:00:02.0" in text
    assert "start: 0.000000" in text
    assert "h264" in text
    assert "yuv420p" in text
    assert "aac" in text
    assert "Synthetic video" in text


def test_frames_come_back_in_order_and_colour(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    with VideoWriter(path, 64, 48, 25.0) as writer:
        for level in (20, 120, 220):
            frame = frame_of(level)
            writer.write(frame)
            frame[:] = 0  # the writer must have kept its own copy
    levels = [float(frame.mean()) for frame in read_frames(path, 25.0)]
    assert levels == pytest.approx([20, 120, 220], abs=4)


def test_a_video_names_who_made_it(tmp_path: Path) -> None:
    emotion = 'a=b; #1 "happy"\\ \n froh\u00fc'
    made_by = MadeBy("generate", "1", {"emotion": emotion, "size": None}, 3, {"face": "ab"})
    path = tmp_path / "out.mp4"
    with VideoWriter(path, 64, 48, 25.0, made_by=made_by) as writer:
        writer.write(frame_of(9))
    assert read_made_by(path) == json.loads(as_json(made_by))
    text = describe(path)
    assert "Synthetic video" in text
    assert str(tmp_path) not in text.replace(f"from '{path}'", "")


def test_other_files_name_nobody(tmp_path: Path) -> None:
    plain = tmp_path / "plain.mp4"
    with VideoWriter(plain, 64, 48, 25.0) as writer:
        writer.write(frame_of(9))
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(plain.read_bytes()[:400])
    assert read_made_by(plain) is None
    assert read_made_by(broken) is None
    assert read_made_by(tmp_path / "none.mp4") is None


def test_nothing_is_left_when_drawing_fails(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), VideoWriter(tmp_path / "o.mp4", 64, 48, 25.0) as writer:
        writer.write(frame_of(1))
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_broken_sound_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    sound = tmp_path / "sound.wav"
    sound.write_text("no sound")
    out = tmp_path / "out"
    with (
        pytest.raises(EmotalkError, match="ffmpeg"),
        VideoWriter(out / "o.mp4", 64, 48, 25.0, sound=sound, frames=200) as writer,
    ):
        for _ in range(200):
            writer.write(frame_of(9))
    assert list(out.iterdir()) == []


def test_odd_sizes_and_wrong_frames_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="even"):
        VideoWriter(tmp_path / "o.mp4", 63, 48, 25.0)
    with (
        pytest.raises(ValueError, match="frame"),
        VideoWriter(tmp_path / "o.mp4", 64, 48, 25.0) as writer,
    ):
        writer.write(frame_of(1, 50, 64))


def test_colours_and_a_still_background_are_kept(tmp_path: Path) -> None:
    """Grain that stands still is the same in all frames, and no colour drifts."""
    rng = np.random.default_rng(0)
    grain = rng.normal(120, 4, (96, 128, 1))
    ground = np.clip(grain + np.array([30, 0, -30]), 0, 255).astype(np.uint8)
    path = tmp_path / "out.mp4"
    with VideoWriter(path, 128, 96, 25.0) as writer:
        for k in range(40):
            frame = ground.copy()
            frame[30:60, 40 + k : 70 + k] = 200
            writer.write(frame)
    command = [ffmpeg_binary(), "-loglevel", "error", "-i", str(path)]
    command += ["-vf", "scale=flags=bicubic+accurate_rnd+full_chroma_int,format=rgb24"]
    command += ["-f", "rawvideo", "-"]
    raw = subprocess.run(command, capture_output=True, check=True).stdout
    frames = np.frombuffer(raw, np.uint8).reshape(-1, 96, 128, 3)[:, :24].astype(int)
    assert np.abs(frames - frames[0]).mean() <= 0.3
    assert np.abs((frames - ground[:24]).mean(axis=(0, 1, 2))).max() < 0.8


STOPPED_AT_THE_END = """
import os, signal, sys, threading
from pathlib import Path
import numpy as np
from emotalk_cli.interrupts import end_at_once
from emotalk_cli.render.video import VideoWriter

end_at_once()
with VideoWriter(Path(sys.argv[1]) / "o.mp4", 64, 48, 25.0) as writer:
    writer.write(np.zeros((48, 64, 3), np.uint8))
    os.kill(writer._process.pid, signal.SIGSTOP)  # so that its end is waited for
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_stop_while_the_encoder_ends_is_a_stop(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", STOPPED_AT_THE_END, str(tmp_path)], timeout=60)
    assert done.returncode == 130
    assert not list(tmp_path.iterdir())
