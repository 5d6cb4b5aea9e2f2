"""Which part of a corpus a clip belongs to (train, val, test), by the rules of a small CSV.

Columns: speaker, emotion, level, last, split. The first row that fits a clip decides. An empty cell
fits all; `level` is MEAD's 1 to 3; `last` n fits the last n clip numbers of a speaker, emotion and
level, whatever the view.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from emotalk_cli.datasets.clip_source import ClipSource
from emotalk_cli.errors import EmotalkError

COLUMNS = ("speaker", "emotion", "level", "last", "split")


def assign_splits(clips: Sequence[ClipSource], rules: Path) -> list[ClipSource]:
    """The clips with `labels.split` set by the CSV `rules`; empty where no row fits.

    Raises EmotalkError where the CSV is no list of rules.
    """
    rows = _read(rules)
    ranks = _ranks_from_end(clips)
    result = []
    for clip, rank in zip(clips, ranks, strict=True):
        split = next((row["split"] for row in rows if _fits(row, clip, rank)), "")
        result.append(replace(clip, labels=replace(clip.labels, split=split)))
    return result


def _read(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            rows = [{name: (row.get(name) or "").strip() for name in COLUMNS} for row in reader]
            columns = tuple(reader.fieldnames or ())
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise EmotalkError(f"{path} cannot be read as a CSV: {error}.", _HELP) from error
    if "split" not in columns or not set(columns) <= {*COLUMNS, "source"}:
        raise EmotalkError(f"{path} is no list of splits.", _HELP)
    for number, row in enumerate(rows, 2):
        if any(row[name] and not row[name].isdecimal() for name in ("level", "last")):
            raise EmotalkError(f"{path}, line {number}: level and last are numbers.", _HELP)
    return rows


_HELP = f"Its columns are: {', '.join(COLUMNS)}; see data_manifests/."


def _ranks_from_end(clips: Sequence[ClipSource]) -> list[int]:
    """For each clip, how many numbers of its speaker, emotion and level come after its own."""
    keys = [(c.labels.speaker, c.labels.emotion, c.labels.intensity) for c in clips]
    numbers: defaultdict[tuple[str, str, float], set[str]] = defaultdict(set)
    for key, clip in zip(keys, clips, strict=True):
        numbers[key].add(clip.path.stem)
    ranks = {
        (key, number): rank
        for key, group in numbers.items()
        for rank, number in enumerate(sorted(group, reverse=True))
    }
    return [ranks[key, clip.path.stem] for key, clip in zip(keys, clips, strict=True)]


def _fits(row: Mapping[str, str], clip: ClipSource, rank: int) -> bool:
    labels = clip.labels
    return (
        row["speaker"].casefold() in ("", labels.speaker.casefold())
        and row["emotion"].casefold() in ("", labels.emotion)
        and row["level"] in ("", str(round(3 * labels.intensity)))
        and (not row["last"] or rank < int(row["last"]))
    )
