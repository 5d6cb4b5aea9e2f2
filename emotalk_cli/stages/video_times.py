"""video_times.csv: how long each video of a batch took, written by generate and read by score.

A file of its own, because videos and motion are the same for the same inputs whenever they are
made. A row counts while the video beside it is the one that was timed.
"""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from emotalk_cli.batch import shard_name
from emotalk_cli.errors import EmotalkError
from emotalk_cli.metrics.speed import MakingTime
from emotalk_cli.safe_files import atomic_path, sha256_of

COLUMNS = ("name", "video_s", "elapsed_s", "workers", "sha256")
NAME = "video_times.csv"
ANY = "video_times*.csv"
"""The same of all shards."""
VIDEO = ".mp4"
MAX_NAME_BYTES = 250


@dataclass(frozen=True)
class TimesFile:
    """The times of one batch, or of one shard of it; rows are added as videos are made."""

    path: Path
    workers: int

    @classmethod
    def begin(cls, folder: Path, shard: str | None, workers: int) -> TimesFile:
        """Keep, of an earlier run's rows, those whose videos are there still."""
        times = cls(folder / shard_name(NAME, shard), workers)
        if times.path.is_file():
            kept = [row for row in _rows(times.path) if _video(times.path, row).is_file()]
            with atomic_path(times.path) as temporary:
                temporary.write_text(_text(COLUMNS, *kept), encoding="utf-8")
        return times

    def add(self, video: Path, video_s: float, elapsed_s: float) -> None:
        """One more row: `video`, which stands beside this file, took `elapsed_s`."""
        seconds = (f"{video_s:.3f}", f"{elapsed_s:.3f}")
        row = _text((video.stem, *seconds, str(self.workers), sha256_of(video)))
        try:
            head = "" if self.path.exists() else _text(COLUMNS)
            with self.path.open("a", encoding="utf-8", newline="") as file:
                file.write(head + row)
        except OSError as error:
            raise EmotalkError(
                f"Cannot write {self.path}: {error.strerror or error}.",
                "Free some space or choose another place with -o.",
            ) from error


def files_of_times(side: Path) -> list[Path]:
    """All files of times in a folder (searched deeply), or beside one file."""
    folder, pattern = (side, f"**/{ANY}") if side.is_dir() else (side.parent, ANY)
    return sorted(path for path in folder.glob(pattern) if path.is_file())


def read_times(side: Path) -> dict[Path, MakingTime]:
    """Video -> its times, for those videos that are still the ones that were timed."""
    found = {}
    for path in files_of_times(side):
        for row in _rows(path):
            video = _video(path, row)
            if video.is_file() and sha256_of(video) == row[-1]:
                found[video] = MakingTime(float(row[1]), float(row[2]), int(row[3]))
    return found


def video_of(path: Path) -> Path:
    """The video that stands beside a record of its motion, or is the file itself."""
    return path.with_suffix(VIDEO)


def _video(path: Path, row: tuple[str, ...]) -> Path:
    return path.parent / f"{row[0]}{VIDEO}"


def _text(*rows: tuple[str, ...]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _rows(path: Path) -> Iterator[tuple[str, ...]]:
    """The whole rows of a file; none of a file that is something else. The last row that names a
    video counts, and a kill may have left a row half-written.
    """
    try:
        with path.open(newline="", encoding="utf-8", errors="replace") as file:
            rows = [tuple(row) for row in csv.reader(file)]
    except (OSError, csv.Error):
        return
    if rows[:1] != [COLUMNS]:
        return
    whole = {row[0]: row for row in rows[1:] if len(row) == len(COLUMNS) and _is_whole(*row)}
    yield from whole.values()


def _is_whole(name: str, video_s: str, elapsed_s: str, workers: str, _sha256: str) -> bool:
    if Path(name).name != name or len(os.fsencode(name)) > MAX_NAME_BYTES:
        return False
    try:
        numbers = float(video_s), float(elapsed_s), int(workers)
    except ValueError:
        return False
    return all(math.isfinite(value) and value > 0 for value in numbers)
