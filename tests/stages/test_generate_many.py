"""Manifests: a video a row, bad rows listed, nothing written outside the folder."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

from emotalk_cli import safe_files
from emotalk_cli.errors import EmotalkError
from emotalk_cli.media import ffmpeg_binary
from emotalk_cli.stages.generate import DEMO_FACE, DEMO_SPEECH
from emotalk_cli.stages.generate_many import generate_many
from emotalk_cli.stages.video_options import VideoOptions
from emotalk_cli.stages.video_rows import read_rows
from emotalk_cli.stages.video_times import read_times

HEADER = "audio,face,name,emotion,intensity,size,seed\n"


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("speech") / "a.wav"
    command = [ffmpeg_binary(), "-v", "error", "-i", str(DEMO_SPEECH), "-t", "1", str(path)]
    subprocess.run(command, check=True)
    return path


def manifest(folder: Path, *rows: str) -> Path:
    path = folder / "jobs.csv"
    path.write_text(HEADER + "\n".join(rows) + "\n")
    return path


def test_good_rows_are_made_and_bad_ones_listed(speech: Path, tmp_path: Path) -> None:
    good = f"{speech},{DEMO_FACE},"
    jobs = manifest(
        tmp_path,
        good + "one,happy,0.5,64,3",
        good + "../two,,,,",
        good + "three,jolly,,,",
        good + "one,,,,",
        good + "four,,,large,",
        f"no.wav,{DEMO_FACE},five,,,,",
    )
    out = tmp_path / "videos"
    done = generate_many(jobs, out, VideoOptions(size_px=64), keep_motion=True)
    assert (done.made, done.skipped, len(done.failures)) == (1, 0, 5)
    left = ["failures.csv", "one.h5", "one.mp4", "video_times.csv"]
    assert sorted(p.name for p in out.iterdir()) == left
    (time,) = read_times(out).values()
    assert 0 < time.elapsed_s < 600
    assert time.video_s == pytest.approx(1, abs=0.1)
    with (out / "failures.csv").open(newline="") as file:
        reasons = [row["reason"] for row in csv.DictReader(file)]
    for line, (reason, words) in enumerate(
        zip(reasons, ("cannot name", "jolly", "another", "no number", "no file"), strict=True), 3
    ):
        assert reason.startswith(f"Line {line}: ")
        assert words in reason.lower()
    written = (out / "one.mp4").stat().st_mtime_ns
    again = generate_many(jobs, out, VideoOptions(size_px=64), keep_motion=True)
    assert (again.made, again.skipped, len(again.failures)) == (0, 1, 5)
    assert list(read_times(out).values()) == [time]  # what is there already keeps its time
    assert (out / "one.mp4").stat().st_mtime_ns == written


def test_an_unquoted_mix_is_no_silent_loss(tmp_path: Path) -> None:
    path = tmp_path / "jobs.csv"
    path.write_text("audio,face,emotion\na.wav,f.jpg,happy:0.6,sad:0.3\na.wav,f.jpg,sad\n")
    first, second = read_rows(path, VideoOptions())
    assert "4 cells, not 3" in first.problem
    assert not second.problem


@pytest.mark.parametrize(("cell", "strength"), [("level_2", 2 / 3), ("level3", 1), ("40%", 0.4)])
def test_a_strength_is_told_as_in_an_emotion(tmp_path: Path, cell: str, strength: float) -> None:
    jobs = manifest(tmp_path, f"a.wav,f.jpg,,sad,{cell},,", "a.wav,f.jpg,,sad,loud,,")
    first, second = read_rows(jobs, VideoOptions())
    assert first.options.intensity == pytest.approx(strength)
    assert "'loud' is no strength" in second.problem


def test_rows_take_the_defaults_and_their_own_values(tmp_path: Path) -> None:
    jobs = manifest(tmp_path, "a.wav,f.jpg,,sad,,128,", "a.wav,f.jpg,,,0.25,,9")
    first, second = read_rows(jobs, VideoOptions(emotion="happy", fps=30.0, size_px=256))
    assert (first.options.emotion, first.options.size_px, first.options.fps) == ("sad", 128, 30.0)
    assert (second.options.emotion, second.options.intensity) == ("happy", 0.25)
    assert (first.clip_id, second.clip_id) == ("a_f_sad", "a_f_happy_0.25_seed9")
    assert first.audio == tmp_path / "a.wav"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("audio,name\na,b\n", "no column 'face'"),
        ("audio,face,emotoin\na,b,c\n", "Did you mean 'emotion'"),
        ("audio,face\n", "lists no videos"),
        ("", "no column 'audio'"),
        ("audio;face\na;b", "semicolons"),
        ('audio,face\na,"b', "cannot be read as a CSV"),
    ],
)
def test_files_that_are_no_manifest(text: str, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "jobs.csv"
    path.write_text(text)
    with pytest.raises(EmotalkError, match=problem):
        generate_many(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_standard_input_and_output(speech: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "emotalk_cli", "--quiet", "generate", "--audio", "-"]
    command += ["--face", str(DEMO_FACE), "--size", "64", "-o", "-"]
    done = subprocess.run(command, input=speech.read_bytes(), capture_output=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout[4:8] == b"ftyp"
    assert not done.stderr
    assert not list(tmp_path.iterdir())
    empty = subprocess.run(command, input=b"", capture_output=True, cwd=tmp_path)
    assert empty.returncode == 1
    assert b"Standard input is empty" in empty.stderr
    assert not empty.stdout


def test_what_a_kill_left_is_removed(speech: Path, tmp_path: Path) -> None:
    jobs = manifest(tmp_path, f"{speech},{DEMO_FACE},one,,,64,")
    out = tmp_path / "videos"
    out.mkdir()
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    left = out / safe_files.temporary_prefix().replace(str(os.getpid()), str(ended.pid))
    left.with_name(f"{left.name}x-one.mp4").write_bytes(b"half")
    assert generate_many(jobs, out).made == 1
    assert sorted(path.name for path in out.iterdir()) == ["one.mp4", "video_times.csv"]
