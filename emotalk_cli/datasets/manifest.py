"""A CSV that lists clips: a header with `path`, and any of the other columns, in any order.

Columns: path, sound, clip, speaker, emotion, intensity, view, split. An emotion may carry its
intensity, as in `happy:0.6` or `sad:level_2`. Paths count from the folder of the CSV. The
manifest.csv that preprocess writes can be read again; its further columns are ignored.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from emotalk_cli.datasets.clip_source import ClipSource, safe_id, unique_ids
from emotalk_cli.emotion_names import emotion_index, emotion_of, parse_strength
from emotalk_cli.errors import EmotalkError
from emotalk_cli.schema import Labels

NAME = "manifest"
SUFFIX = ".csv"
COLUMNS = ("path", "sound", "clip", "speaker", "emotion", "intensity", "view", "split")
SURPLUS = ""  # where csv puts cells that no column is there for
WRITTEN = ("dataset", "status", "frames", "seconds", "sha256")


def find_clips(path: Path) -> list[ClipSource]:
    """The clips that the CSV `path` lists, in its order; a row that is wrong has a `problem`.

    Raises EmotalkError for a file that is no such list.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, restkey=SURPLUS)
            columns = tuple(reader.fieldnames or ())
            rows = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise EmotalkError(f"{path} cannot be read as a CSV: {error}.", _COLUMNS) from error
    if "path" not in columns:
        raise EmotalkError(f"{path} has no column 'path'.", _COLUMNS)
    unknown = [name for name in columns if name not in (*COLUMNS, *WRITTEN)]
    if unknown:
        raise EmotalkError(f"{path} has an unknown column '{unknown[0]}'.", _COLUMNS)
    clips = [_clip(path, line, row) for line, row in rows]
    ids = unique_ids([clip.labels.clip_id for clip in clips])
    pairs = zip(clips, rows, ids, strict=True)
    return [_named(clip, clip_id, f"{path}, line {line}") for clip, (line, _), clip_id in pairs]


def _named(clip: ClipSource, clip_id: str, where: str) -> ClipSource:
    """The clip under its unique id, which tells the second of a name from the first."""
    labels = clip.labels
    if labels.clip_id == clip_id:
        return clip
    problem = (
        f"{where}: the clip '{labels.clip_id}' is there already. "
        "Give each row its own name in the column 'clip'."
    )
    labels = replace(labels, clip_id=clip_id)
    return replace(clip, labels=labels, problem=clip.problem or problem)


_COLUMNS = f"Its first line must name columns, of these: {', '.join(COLUMNS)}."


def _clip(path: Path, line: int, row: Mapping[str, str | None]) -> ClipSource:
    def cell(name: str) -> str:
        return (row.get(name) or "").strip()

    problems = []
    if SURPLUS in row:
        problems.append("it has more cells than the first line; quote what holds commas.")
    if not cell("path"):
        problems.append("the column 'path' is empty.")
    name, _, strength = cell("emotion").partition(":")
    emotion, intensity = emotion_of(name), 1.0
    try:
        emotion_index(name or "neutral")
        intensity = parse_strength(strength or cell("intensity") or "1")
    except EmotalkError as error:
        problems.append(" ".join(str(error).split()))
    labels = Labels(
        clip_id=safe_id(cell("clip") or Path(cell("path")).stem or f"line_{line}"),
        dataset=cell("dataset") or NAME,
        speaker=cell("speaker"),
        emotion=emotion,
        intensity=intensity,
        view=cell("view"),
        split=cell("split"),
    )
    sound = path.parent / cell("sound") if cell("sound") else None
    problem = f"{path}, line {line}: {' '.join(problems)}" if problems else ""
    return ClipSource(path.parent / cell("path"), labels, sound, problem=problem)
