"""What is to be said of many clips: each kind of remark once to people, all in notes.csv."""

from __future__ import annotations

import contextlib
import csv
import re
from collections.abc import Collection, Iterable
from pathlib import Path

from emotalk_cli.batch import shard_name
from emotalk_cli.safe_files import atomic_path

Remark = tuple[str, str]
"""A clip's id and what is to be said of it."""

EXAMPLES = 3
NAME = "notes.csv"
COLUMNS = ("clip", "note")
_PARTICULAR = re.compile(r"\d|/|\\|\w\.\w")
"""What a word holds that names one clip's number, path or file."""


def gathered(remarks: Iterable[Remark]) -> list[str]:
    """One line for each kind of remark: the first clip's, how many more clips, and some of them.

    Remarks are of one kind where they differ in numbers, names and paths alone.
    """
    kinds: dict[tuple[str, ...], dict[str, str]] = {}
    for clip, text in remarks:
        kinds.setdefault(_kind(clip, text), {}).setdefault(clip, text)
    return [_line(own) for own in kinds.values()]


def write_remarks(
    remarks: Collection[Remark], folder: Path, anew: Collection[str], shard: str | None = None
) -> None:
    """Write notes.csv into `folder`: these, and what it said of clips that are not made `anew`."""
    path = folder / shard_name(NAME, shard)
    rows = [row for row in _earlier(path) if row[0] not in anew] + list(remarks)
    if not rows:
        path.unlink(missing_ok=True)
        return
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([COLUMNS, *rows])


def _earlier(path: Path) -> list[Remark]:
    with (
        contextlib.suppress(FileNotFoundError, csv.Error),
        path.open(newline="", encoding="utf-8", errors="replace") as file,
    ):
        rows = [tuple(row) for row in csv.reader(file)]
        if rows[:1] == [COLUMNS]:
            return [(row[0], row[1]) for row in rows[1:] if len(row) == len(COLUMNS)]
    return []


def _kind(clip: str, text: str) -> tuple[str, ...]:
    words = re.sub(rf"(?<!\w){re.escape(clip)}(?!\w)", "", text).split()
    return tuple(word for word in words if not _PARTICULAR.search(word))


def _line(own: dict[str, str]) -> str:
    (clip, text), *others = own.items()
    line = f"{clip}: {text}"
    if not others:
        return line
    names = ", ".join(name for name, _ in others[:EXAMPLES])
    more = ", ..." if len(others) > EXAMPLES else ""
    return (
        f"{line}{'' if line.endswith('.') else '.'} The same of {len(others)} more: {names}{more}"
    )
