"""Raw frames through a real pipe: they leave as they are drawn, and a reader may go at any time."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from emotalk_cli import store
from emotalk_cli.cli.streams import put
from emotalk_cli.errors import EmotalkError
from emotalk_cli.face3d.models.default_model import load_default_face_model
from emotalk_cli.media import ffmpeg_binary, probe
from emotalk_cli.schema import FaceTrack, MadeBy
from emotalk_cli.stages.generate import DEMO_FACE, DEMO_SPEECH

FRAMES = 200
SIZE_PX = 64
FRAME_BYTES = SIZE_PX * SIZE_PX * 3
"""A pipe holds 64 KiB: only a few frames leave before somebody reads."""


@pytest.fixture
def drawing(tmp_path: Path) -> subprocess.Popen[bytes]:
    """A process that draws FRAMES frames of a mouth that opens into a pipe."""
    model = load_default_face_model()
    expression = np.zeros((FRAMES, len(model.expression_names)), np.float32)
    expression[:, model.expression_names.index("jawOpen")] = np.linspace(0, 0.5, FRAMES)
    track = FaceTrack(
        made_by=MadeBy("test", "0"),
        shape=np.zeros(len(model.identity_basis), np.float32),
        expression=expression,
        head_pose=np.tile(np.float32([0, 0, 0, 0, 0, -0.6]), (FRAMES, 1)),
        camera=np.array([500, 128, 128, 256, 256], np.float32),
        residual_px=np.zeros(FRAMES, np.float32),
        valid=np.ones(FRAMES, bool),
        face_model=model.name,
        face_model_sha256=model.sha256,
        expression_names=model.expression_names,
        fps=25.0,
    )
    store.write(track, tmp_path / "motion.h5")
    command = [sys.executable, "-m", "emotalk_cli", "--json", "--quiet", "generate"]
    command += ["--motion", str(tmp_path / "motion.h5"), "--face", str(DEMO_FACE)]
    command += ["--size", str(SIZE_PX), "--crop", "face", "--raw", "-o", "-"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_frames_leave_as_they_are_drawn(drawing: subprocess.Popen[bytes], tmp_path: Path) -> None:
    assert drawing.stdout and drawing.stderr
    form = json.loads(drawing.stderr.readline())
    shown = {"width_px": SIZE_PX, "height_px": SIZE_PX, "fps": 25.0, "frames": FRAMES}
    assert form == {**shown, "pixel_format": "rgb24"}
    first = drawing.stdout.read(FRAME_BYTES)
    assert drawing.poll() is None, "it has drawn all before anybody read"
    rest, errors = drawing.communicate(timeout=60)
    assert drawing.returncode == 0 and not errors
    assert len(first) + len(rest) == FRAMES * FRAME_BYTES
    assert rest[-FRAME_BYTES:] != first
    command = [ffmpeg_binary(), "-v", "error", "-f", "rawvideo", "-pixel_format"]
    command += [form["pixel_format"], "-video_size", f"{SIZE_PX}x{SIZE_PX}", "-framerate", "25"]
    command += ["-i", "-", str(tmp_path / "a.mp4")]
    subprocess.run(command, input=first + rest, check=True)
    assert probe(tmp_path / "a.mp4").duration_s == pytest.approx(FRAMES / 25)


def test_a_reader_that_goes_is_no_error(drawing: subprocess.Popen[bytes]) -> None:
    assert drawing.stdout and drawing.stderr
    assert len(drawing.stdout.read(FRAME_BYTES)) == FRAME_BYTES
    drawing.stdout.close()
    assert drawing.wait(60) == 1
    assert len(drawing.stderr.read().splitlines()) == 1, "only the form of the video is told"


def test_a_stop_ends_it_at_once(drawing: subprocess.Popen[bytes]) -> None:
    assert drawing.stdout and drawing.stderr
    drawing.stdout.read(FRAME_BYTES)
    drawing.send_signal(signal.SIGINT)
    assert drawing.wait(10) == 130
    assert b"Traceback" not in drawing.stderr.read()


def test_a_full_disk_behind_it_is_said() -> None:
    with (
        Path("/dev/full").open("wb") as full,
        pytest.raises(EmotalkError, match="No space left"),
    ):
        put(full, b"frame")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--raw"], "-o -"),
        (["--raw", "-o", "a.mp4"], "-o -"),
        (["--raw", "-o", "-", "--sheet", "a.png"], "--sheet"),
    ],
)
def test_raw_goes_with_standard_output_alone(options: list[str], reason: str) -> None:
    from typer.testing import CliRunner

    from emotalk_cli.cli.main import app

    command = ["generate", "--audio", "a.wav", "--face", "a.jpg", *options]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 2
    assert reason in done.output


def emotalk(command: str) -> subprocess.CompletedProcess[str]:
    """What a shell makes of `emotalk ...`, its redirections included."""
    line = f"{sys.executable} -m emotalk_cli {command}"
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=120)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_results_that_nobody_can_take_are_one_message() -> None:
    done = emotalk("doctor --json > /dev/full")
    assert done.returncode == 1
    assert "takes no more" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_closed_standard_output_is_said() -> None:
    done = emotalk(f"generate --audio {DEMO_SPEECH} --face {DEMO_FACE} -o - >&-")
    assert (done.returncode, "Standard output is closed" in done.stderr) == (1, True)


def test_many_videos_do_not_go_to_standard_output(tmp_path: Path) -> None:
    done = emotalk(f"generate --manifest {tmp_path / 'jobs.csv'} -o -")
    assert (done.returncode, "into a folder" in done.stderr) == (2, True)
