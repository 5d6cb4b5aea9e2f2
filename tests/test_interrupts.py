"""A stop, at whatever moment, ends the process at once and leaves nothing behind."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from emotalk_cli import interrupts
from emotalk_cli.safe_files import atomic_path, temporary_folder

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals")
BUSY = """
import sys, threading, time
from pathlib import Path
from emotalk_cli.interrupts import end_at_once
from emotalk_cli.mediapipe_solutions import silenced
from emotalk_cli.safe_files import atomic_path, temporary_folder

end_at_once(farewell="bye")
lock = threading.Lock()
lock.acquire()
threading.Thread(target=lock.acquire).start()  # an exit that joins threads would wait for ever
with atomic_path(Path(sys.argv[1]) / "a.txt") as temporary, temporary_folder() as folder:
    (folder / "b").write_text("b")
    with silenced():
        print(folder, flush=True)
        while True:
            temporary.write_text("half")
"""


@pytest.mark.parametrize("stop", interrupts.STOPS)
def test_a_stop_unwinds_nothing_and_leaves_nothing(stop: signal.Signals, tmp_path: Path) -> None:
    command = [sys.executable, "-c", BUSY, str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    folder = Path(process.stdout.readline().strip())
    assert (folder / "b").exists()
    process.send_signal(stop)
    _, said = process.communicate(timeout=20)
    assert (process.returncode, said) == (128 + stop, "bye")
    assert not folder.exists()
    assert not list(tmp_path.iterdir())


def test_a_stop_that_a_shell_has_us_ignore_is_ignored(tmp_path: Path) -> None:
    background = ["bash", "-c", 'trap "" INT; exec "$@"', "-", sys.executable, "-c", BUSY]
    process = subprocess.Popen([*background, str(tmp_path)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    time.sleep(0.2)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert process.returncode == 128 + signal.SIGTERM


def test_a_stop_waits_for_what_must_not_be_torn() -> None:
    steps = []
    with pytest.raises(KeyboardInterrupt), interrupts.held_back():
        signal.raise_signal(signal.SIGINT)
        steps.append("both halves")
    assert steps == ["both halves"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_noted_stop_stops_nothing() -> None:
    with interrupts.noted() as stops:
        assert not stops
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)  # a launcher passes on what all have heard
    assert set(stops) == {signal.SIGINT}
    assert isinstance(interrupts.ending(stops), KeyboardInterrupt)
    terminated = interrupts.ending([signal.SIGTERM])
    assert isinstance(terminated, SystemExit)
    assert terminated.code == 143


def test_what_is_registered_is_undone_once_the_block_ends(tmp_path: Path) -> None:
    undone = []
    with pytest.raises(ZeroDivisionError), interrupts.tidied(lambda: undone.append(1)):
        raise ZeroDivisionError
    assert undone == [1]
    with pytest.raises(KeyboardInterrupt), atomic_path(tmp_path / "a"), temporary_folder() as made:
        signal.raise_signal(signal.SIGINT)
        time.sleep(10)
    assert not made.exists()
    assert not list(tmp_path.iterdir())
    assert not interrupts._undo
