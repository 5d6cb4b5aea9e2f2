"""Options from a YAML file: --config and --show-config of every ordinary subcommand."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml


def emotalk(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "emotalk_cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("command", ["preprocess", "fit-3dmm", "generate", "score", "inspect"])
def test_what_is_shown_can_be_read_again(command: str, tmp_path: Path) -> None:
    shown = emotalk(command, "--show-config")
    assert shown.returncode == 0, shown.stderr
    path = tmp_path / "c.yaml"
    path.write_text(shown.stdout)
    again = emotalk(command, "--config", str(path), "--show-config")
    assert again.stdout == shown.stdout


def test_training_shows_what_it_would_use(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("batch_size: 8\nnetwork: {hidden: 32}\n")
    shown = emotalk("train-emo", "--config", str(path), "--steps", "5", "--show-config")
    assert shown.returncode == 0, shown.stderr
    values = yaml.safe_load(shown.stdout)
    assert (values["batch_size"], values["steps"], values["network"]["hidden"]) == (8, 5, 32)
    assert "# optimiser steps" in shown.stdout
    path.write_text(shown.stdout)
    again = emotalk("train-emo", "--show-config", "--config", str(path))
    assert again.stdout == shown.stdout
    path.write_text("stepz: 5")
    assert "stepz" in emotalk("train-emo", "--config", str(path), "--show-config").stderr


def test_the_command_line_goes_before_the_file(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(
        "emotion: {0: neutral, 2.5: 'happy:0.8'}\nseed: 4\nsize: 128\noverwrite: true\n"
    )
    shown = emotalk("generate", "--config", str(path), "--seed", "7", "--show-config")
    values = yaml.safe_load(shown.stdout)
    assert values["emotion"] == "0 neutral, 2.5 happy:0.8"
    assert (values["seed"], values["size"], values["overwrite"]) == (7, 128, True)


@pytest.mark.parametrize(
    ("text", "code", "problem"),
    [
        ("sead: 1", 1, "Did you mean 'seed'?"),
        ("- seed", 1, "no mapping"),
        ("a: [", 1, "cannot be read as YAML"),
        ("a: !!python/object/apply:os.system [ls]", 1, "cannot be read as YAML"),
        ("audio: a.wav\nface: f.jpg\nseed: many", 2, "--seed"),
    ],
)
def test_bad_files_are_refused(text: str, code: int, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    done = emotalk("generate", "--config", str(path))
    assert done.returncode == code
    assert problem in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    done = emotalk("score", "--config", str(tmp_path / "none.yaml"))
    assert done.returncode == 1
    assert "none.yaml" in done.stderr
