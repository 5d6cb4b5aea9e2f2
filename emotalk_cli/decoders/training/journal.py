"""The journal of a training run: metrics.csv, one row per entry, cut back on resume.

Where TensorBoard is installed, the same figures go to the folder tensorboard beside it.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from emotalk_cli.errors import EmotalkError
from emotalk_cli.safe_files import atomic_path

COLUMNS = (
    "step", "loss", "coefficients", "velocity", "landmarks", "gap", "learning_rate",
    "validation", "opening_r", "opening_ratio", "lve_mm2", "shuffled_r", "shuffled_lve_mm2",
    "seconds",
)  # fmt: skip


class Journal:
    """Appends rows to a CSV; rows after `step`, which a resumed run makes again, are dropped."""

    def __init__(self, path: Path, step: int, writes: bool = True) -> None:
        self._path, self._writes = path, writes
        self._board: Any = None
        if not writes:
            return
        kept = [row for row in read_journal(path) if int(row["step"]) <= step] if step else []
        with atomic_path(path) as temporary:  # a kill here must not cost what is kept
            _append(temporary, kept, header=True)
        self._board = _tensorboard(path.parent / "tensorboard", step)

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """One more row; columns without a value stay empty."""
        if self._writes:
            row = {name: f"{value:.6g}" for name, value in values.items() if name in COLUMNS}
            try:
                _append(self._path, [{"step": str(step), **row}])
            except OSError as error:
                raise EmotalkError(
                    f"Cannot write {self._path}: {error.strerror}.",
                    "Free some space, then run the same command again: it goes on.",
                ) from error
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(name, value, step)


def _append(path: Path, rows: list[dict[str, str]], *, header: bool = False) -> None:
    """Rows of text at the end of the CSV."""
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="")
        if header:
            writer.writeheader()
        writer.writerows(rows)


def is_journal(path: Path) -> bool:
    """Whether there is a metrics.csv of a training run at `path`."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return tuple(next(csv.reader(file), ())) == COLUMNS
    except (OSError, UnicodeDecodeError, csv.Error):
        return False


def read_journal(path: Path) -> list[dict[str, str]]:
    """The rows of a metrics.csv; none if there is no such file."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def best_validation(path: Path) -> dict[str, float]:
    """The figures of the validation with the smallest loss; none before the first."""
    rows = [row for row in read_journal(path) if row["validation"]]
    if not rows:
        return {}
    best = min(rows, key=lambda row: float(row["validation"]))
    return {name: float(value) for name, value in best.items() if value and name != "step"}


def _tensorboard(folder: Path, step: int) -> Any:
    """TensorBoard's writer, or None where it is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder), purge_step=step)
