"""The journal of a training run: metrics.csv, one row per entry, cut back on resume.

Where TensorBoard is installed, the same figures go to the folder tensorboard beside it.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from emotalk_cli.errors import EmotalkError

COLUMNS = (
    "step", "loss", "coefficients", "velocity", "landmarks", "gap", "learning_rate",
    "validation", "opening_r", "opening_ratio", "lve_mm2", "seconds",
)  # fmt: skip


class Journal:
    """Appends rows to a CSV; rows after `step`, which a resumed run makes again, are dropped."""

    def __init__(self, path: Path, step: int, writes: bool = True) -> None:
        self._path, self._writes = path, writes
        self._board = _tensorboard(path.parent / "tensorboard", step) if writes else None
        if not writes:
            return
        kept = [row for row in read_journal(path) if int(row["step"]) <= step] if step else []
        self._write(kept, "w")

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """One more row; columns without a value stay empty."""
        if self._writes:
            row = {name: f"{value:.6g}" for name, value in values.items() if name in COLUMNS}
            self._write([{"step": str(step), **row}], "a")
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(name, value, step)

    def _write(self, rows: list[dict[str, str]], mode: str) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open(mode, newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, COLUMNS, restval="")
                if mode == "w":
                    writer.writeheader()
                writer.writerows(rows)
        except OSError as error:
            raise EmotalkError(
                f"Cannot write {self._path}: {error.strerror}.",
                "Free some space, then run again with --resume.",
            ) from error


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
