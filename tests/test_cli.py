"""The command line: help, exit codes, and errors without tracebacks."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

COMMANDS = (
    "preprocess",
    "fit-3dmm",
    "extract-audio",
    "act",
    "train-lip",
    "train-emo",
    "train-single",
    "generate",
    "score",
    "experiment",
    "export",
    "inspect",
    "doctor",
    "ui",
)
HEAVY = ("torch", "mediapipe", "librosa", "numba", "scipy", "diffusers", "h5py", "cv2")


def emotalk(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "emotalk_cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=120)


def test_help_lists_every_command() -> None:
    done = emotalk("--help")
    assert done.returncode == 0
    for command in COMMANDS:
        assert command in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    done = emotalk(command, "--help")
    assert done.returncode == 0
    assert "Usage" in done.stdout
    assert not done.stderr


def test_help_loads_nothing_heavy() -> None:
    script = (
        "import sys; sys.argv = ['emotalk', '--help']\n"
        "from emotalk_cli.cli import main\n"
        "try: main()\n"
        f"finally: print(sorted(set(sys.modules) & set({HEAVY!r})), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stderr.strip() == "[]"


def test_linear_algebra_is_told_its_threads_before_it_is_loaded() -> None:
    script = (
        "import os, sys, emotalk_cli.__main__ as begin\n"
        "print('numpy' in sys.modules)\n"
        "sys.argv = ['emotalk', '--version']\n"
        "try: begin.main()\n"
        "finally: print(os.environ['OPENBLAS_NUM_THREADS'])"
    )
    free = {name: value for name, value in os.environ.items() if not name.endswith("NUM_THREADS")}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=free)
    assert (done.stdout.split()[0], done.stdout.split()[-1]) == ("False", "1")


@pytest.mark.parametrize("arguments", [["nonsense"], ["generate"], ["generate", "--no-such-flag"]])
def test_wrong_usage_exits_with_2(arguments: list[str]) -> None:
    done = emotalk(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "error", "command"),
    [
        ([], "No command", ""),
        (["nonsense"], "No such command 'nonsense'", ""),
        (["generate", "--no-such-flag"], "--no-such-flag", "generate "),
        (["train-lip"], "tracks", "train-lip "),
        (["preprocess", "a", "--levels", "one"], "'one' are no levels", "preprocess "),
    ],
)
def test_wrong_usage_is_one_json_object(arguments: list[str], error: str, command: str) -> None:
    done = emotalk("--json", *arguments)
    told = json.loads(done.stdout)
    assert done.returncode == 2
    assert set(told) == {"error", "next_step"}
    assert error in told["error"]
    assert f"emotalk {command}--help" in told["next_step"]


def test_problem_exits_with_1_and_says_what_to_do(tmp_path: Path) -> None:
    arguments = ("generate", "--audio", "no.wav", "--face", "no.jpg", "-o", "out.mp4")
    done = emotalk(*arguments, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[0] == "Error: There is no file no.wav."
    assert "--audio" in done.stderr
    assert "Traceback" not in done.stderr
    assert not done.stdout
    assert not list(tmp_path.iterdir())
    assert "Traceback" in emotalk(*arguments, "--debug", cwd=tmp_path).stderr


def test_inspect_refuses_other_files(tmp_path: Path) -> None:
    (tmp_path / "a b.h5").write_text("no record")
    done = emotalk("inspect", "a b.h5", cwd=tmp_path)
    assert done.returncode == 1
    assert "a b.h5 is not a readable HDF5 file" in done.stderr
