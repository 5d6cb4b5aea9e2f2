"""What the tests of whole corpora share: short real clips, comparing records, processes."""

import csv
import os
import signal
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np

from emotalk_cli import safe_files
from emotalk_cli.media import ffmpeg_binary
from emotalk_cli.progress import Quiet

QUICK = ("-c:v", "libx264", "-preset", "ultrafast", "-crf", "18", "-pix_fmt", "yuv420p")


class Heard(Quiet):
    """Keeps the notes of a stage."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        """Keep it."""
        self.notes.append(text)


def ffmpeg(*arguments: str | Path) -> None:
    """Run ffmpeg, which must succeed."""
    command = [ffmpeg_binary(), "-y", "-v", "error", *map(str, arguments)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def cut(source: Path, target: Path, seconds: float, *options: str, start: float = 0.5) -> Path:
    """Write `seconds` of the real clip `source` to `target`, re-encoded."""
    target.parent.mkdir(parents=True, exist_ok=True)
    ffmpeg("-ss", str(start), "-i", source, "-t", str(seconds), *QUICK, *options, target)
    return target


def rows_of(path: Path) -> dict[str, dict[str, str]]:
    """Rows of manifest.csv or failures.csv by clip; every clip has one."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    by_clip = {row["clip"]: row for row in rows}
    assert len(by_clip) == len(rows)
    return by_clip


def assert_same_output(
    found: Path, expected: Path, *, manifest: str = "manifest.csv", same_layout: bool = True
) -> None:
    """Both folders hold the same records, field by field, and the same manifest.

    Without `same_layout` HDF5 may have put equal blocks in another order (seen once in some 25 runs
    in a Dask worker's thread); the manifest's sha256 must then be that of the file beside it.
    """
    names = sorted(path.name for path in expected.glob("*.h5"))
    assert names and sorted(path.name for path in found.glob("*.h5")) == names
    for name in names:
        with h5py.File(found / name) as one, h5py.File(expected / name) as other:
            assert dict(one.attrs) == dict(other.attrs), name
            assert set(one) == set(other), name
            for field in other:
                np.testing.assert_array_equal(one[field][...], other[field][...], f"{name} {field}")
    if manifest:
        ours, theirs = rows_of(found / manifest), rows_of(expected / manifest)
        assert list(ours) == list(theirs)
        for clip, row in ours.items():
            record = found / f"{clip}.h5"
            assert row["sha256"] == (safe_files.sha256_of(record) if record.exists() else "")
            own = {} if same_layout else {"sha256": row["sha256"]}
            assert row == {**theirs[clip], **own}


def leftovers(*folders: Path) -> list[Path]:
    """Temporary files and folders that a run left behind."""
    return [path for folder in folders for path in folder.glob(".tmp-*")]


def start(*arguments: str | Path, spool: Path, log: Path) -> subprocess.Popen[bytes]:
    """`python -m` as a process that leads a session of its own; its messages go to `log`."""
    with log.open("ab") as file:
        return subprocess.Popen(
            [sys.executable, "-m", *map(str, arguments)],
            env={**os.environ, "TMPDIR": str(spool)},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )


def session_of(process: subprocess.Popen[bytes]) -> dict[int, str]:
    """Command lines of the living processes of the session that `process` leads, by their id."""
    alive = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, _, _, session = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
            if int(session) == process.pid and state not in "ZX":
                alive[int(folder.name)] = (folder / "cmdline").read_text().replace("\0", " ")
        except OSError:  # it ended in the meantime
            continue
    return alive


def end_session(process: subprocess.Popen[bytes]) -> None:
    """End `process` and whatever it started."""
    for pid in session_of(process):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    process.wait()
