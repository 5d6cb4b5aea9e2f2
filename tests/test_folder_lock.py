"""One run at a time in one folder; a run that was killed holds nothing."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from emotalk_cli.errors import EmotalkError
from emotalk_cli.folder_lock import one_run
from emotalk_cli.stages.extract_audio import extract_audio
from emotalk_cli.stages.fit_3dmm import fit_3dmm
from emotalk_cli.stages.generate_many import generate_many
from emotalk_cli.stages.preprocess import preprocess

HOLDER = """
import sys, time
from pathlib import Path
from emotalk_cli.folder_lock import one_run
from emotalk_cli.interrupts import end_at_once
end_at_once()
with one_run(Path(sys.argv[1]), "work"):
    print("holds", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path: Path) -> Any:
    """Another process that holds the folder."""
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "holds\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_the_file_is_there_while_the_run_lasts(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    with one_run(folder, "work"):
        (path,) = folder.iterdir()
        assert (path.name, str(os.getpid()) in path.read_text()) == (".work.lock", True)
    assert not list(tmp_path.iterdir())


def test_another_run_is_refused_and_told_whose_it_is(
    holder: subprocess.Popen[str], tmp_path: Path
) -> None:
    told = pytest.raises(EmotalkError, match=rf"Another `emotalk work`.*process {holder.pid} ")
    with told, one_run(tmp_path, "work"):
        pytest.fail("two runs hold one folder")
    first, second = (one_run(tmp_path, "work", shard) for shard in ("1/2", "2/2"))
    with one_run(tmp_path, "other"), first, second:
        assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_run_that_was_stopped_holds_nothing(
    stop: signal.Signals, holder: subprocess.Popen[str], tmp_path: Path
) -> None:
    holder.send_signal(stop)
    holder.wait()
    assert len(list(tmp_path.iterdir())) == (stop == signal.SIGKILL)
    with one_run(tmp_path, "work"):
        assert (tmp_path / ".work.lock").read_text().startswith(f"process {os.getpid()} on ")
    assert not list(tmp_path.iterdir())


def test_what_fails_in_the_run_is_told_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(KeyError), one_run(tmp_path, "work"):
        raise KeyError("x")
    assert not list(tmp_path.iterdir())


def test_never_two_at_once(tmp_path: Path) -> None:
    """Eight threads take the folder and leave it, as fast as they can."""
    inside, most, taken = [0], [0], [0]
    until = time.monotonic() + 1.0

    def run() -> None:
        while time.monotonic() < until:
            try:
                with one_run(tmp_path, "work"):
                    inside[0] += 1
                    most[0] = max(most[0], inside[0])
                    taken[0] += 1
                    time.sleep(0.0002)
                    inside[0] -= 1
            except EmotalkError:
                time.sleep(0)

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]
    assert taken[0] > 20
    assert not list(tmp_path.iterdir())


def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with one_run(tmp_path, "work"), one_run(tmp_path, "work"):
        assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_told_by_others(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with one_run(tmp_path / "file", "work"):
        pass
    (tmp_path / ".work.lock").symlink_to(tmp_path / "file")  # never followed
    with one_run(tmp_path, "work"):
        pass
    assert (tmp_path / "file").read_text() == "x"


@pytest.mark.parametrize(
    ("stage", "name"),
    [
        ("preprocess", "a.mp4"),
        ("fit-3dmm", "a.h5"),
        ("extract-audio", "a.wav"),
        ("generate", "a.csv"),
    ],
)
def test_stages_refuse_a_folder_that_is_held(stage: str, name: str, tmp_path: Path) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    (source / name).write_text("audio,face\na.wav,f.jpg\n")
    run: dict[str, Callable[..., object]] = {
        "preprocess": preprocess,
        "fit-3dmm": fit_3dmm,
        "extract-audio": extract_audio,
        "generate": lambda folder, out: generate_many(folder / name, out),
    }
    with one_run(out, stage), pytest.raises(EmotalkError, match=f"Another `emotalk {stage}`"):
        run[stage](source, out)
    assert not out.exists()


def test_only_folders_made_for_the_lock_and_left_empty_are_removed(tmp_path: Path) -> None:
    with one_run(tmp_path / "new" / "empty", "work"):
        assert (tmp_path / "new" / "empty").is_dir()
    assert not list(tmp_path.iterdir())
    (tmp_path / "old").mkdir()
    with one_run(tmp_path / "old", "work"), one_run(tmp_path / "full", "work"):
        (tmp_path / "full" / "a").touch()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["full", "old"]


def test_a_full_disk_stops_no_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("emotalk_cli.folder_lock.socket.gethostname", full)
    with one_run(tmp_path, "work"), pytest.raises(EmotalkError), one_run(tmp_path, "work"):
        pass
    assert not list(tmp_path.iterdir())
