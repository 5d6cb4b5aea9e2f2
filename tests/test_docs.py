"""README and docs: every command runs, every file and option named is there."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from emotalk_cli.media import ffmpeg_binary
from emotalk_cli.stages.generate import DEMO_FACE, DEMO_SPEECH

ROOT = Path(__file__).resolve().parents[1]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
SECONDS = 2.2
TRAININGS = ("train-lip", "train-emo", "train-single")
ELSEWHERE = ("--multi_gpu", "--nnodes", "PIP_EXTRA_INDEX_URL")
"""Words of commands that need machines that are not here."""
NOT_FOR_TESTS = ("emotalk ui",)
"""Runs until Ctrl-C: tests/ui has it."""


def blocks(language: str) -> Iterator[tuple[Path, str]]:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for block in re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
            yield page, block


def commands() -> list[str]:
    """Every line of the bash blocks that can run here, in the order of the pages."""
    found = []
    for _, block in blocks("bash"):
        for line in block.splitlines():
            command = line.partition(" #")[0].strip()
            if command and not command.startswith("#") and command not in NOT_FOR_TESTS:
                found.append(command)
    return [c for c in dict.fromkeys(found) if not any(word in c for word in ELSEWHERE)]


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that the pages speak of: recordings, photos, a small corpus."""
    folder = tmp_path_factory.mktemp("docs")
    (folder / "bin").mkdir()
    for name in ("emotalk", "accelerate", "torchrun"):
        (folder / "bin" / name).symlink_to(Path(sys.executable).parent / name)
    cut = [ffmpeg_binary(), "-v", "error", "-i", str(DEMO_SPEECH), "-t", str(SECONDS)]
    subprocess.run([*cut, str(folder / "a.wav")], check=True)
    shutil.copy(folder / "a.wav", folder / "speech.wav")
    for name in ("f.jpg", "portrait.jpg"):
        shutil.copy(DEMO_FACE, folder / name)
    (folder / "jobs.csv").write_text("audio,face,name,emotion\na.wav,f.jpg,one,sad\n")
    make = "emotalk generate --audio a.wav --face f.jpg --size 256 --emotion {} -o '{}'"
    for emotion, level in (("neutral", 1), ("happy", 3), ("sad", 3)):
        place = folder / f"MEAD/M003/video/front/{emotion}/level_{level}"
        place.mkdir(parents=True)
        for number in ("001", "002"):
            run(make.format(emotion, place / f"{number}.mp4") + f" --seed {int(number)}", folder)
    return folder


def run(command: str, folder: Path) -> None:
    path = f"{folder / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1", "SLURM_ARRAY_TASK_ID": "1"}
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"


def shortened(command: str) -> str:
    """The same command with as little work as shows that it runs."""
    command = command.replace("--workers 8", "--workers 2").replace("--takes 6", "--takes 1")
    if any(f" {name} " in f" {command} " for name in TRAININGS):
        return f"{command} --steps 2"
    if "emotalk act" in command:
        return f"{command} --takes 1 --limit 8"
    return command


@pytest.mark.slow
def test_every_command_of_the_pages_runs(sandbox: Path) -> None:
    for command in commands():
        if command.startswith("make "):
            target = command.split()[1]
            assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
        elif command.startswith((". .venv", "pip ")):
            continue
        elif shutil.which(shlex.split(command)[0], path=f"{sandbox / 'bin'}:{os.environ['PATH']}"):
            run(shortened(command), sandbox)


def test_pages_have_commands() -> None:
    found = commands()
    assert len(found) > 20
    named = {word for command in found for word in command.split()}
    assert {"generate", "preprocess", "fit-3dmm", "extract-audio", "score", "export"} <= named


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_options_and_files_that_are_named_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    known = "".join(p.read_text() for p in (ROOT / "emotalk_cli" / "cli").glob("*.py"))
    for option in set(re.findall(r"`--([a-z][a-z0-9-]+)", text)):
        assert option.replace("-", "_") in known or f"--{option}" in known, option
    for name in set(re.findall(r"`((?:emotalk_cli|tools|data_manifests|docs)/[\w./]+)`", text)):
        assert (ROOT / name).exists(), name
