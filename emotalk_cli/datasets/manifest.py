"""A CSV that lists clips: a header with `path`, and any of the other columns, in any order.

Columns: path, sound, clip, speaker, emotion, intensity, view, split. An emotion may carry its
intensity, as in `happy:0.6` or `sad:level_2`. Paths count from the folder of the CSV. The
manifest.csv that preprocess writes can be read again; its further columns are ignored.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

from emotalk_cli.datasets.clip_source import ClipSource, safe_id, unique_ids
from emotalk_cli.emotion_names import EMOTIONS, emotion_of, parse_strength
from emotalk_cli.errors import EmotalkError
from emotalk_cli.schema import Labels

NAME = "manifest"
SUFFIX = ".csv"
COLUMNS = ("path", "sound", "clip", "speaker", "emotion", "intensity", "view", "split")
WRITTEN = ("dataset", "status", "frames", "seconds", "sha256")


def find_clips(path: Path) -> list[ClipSource]:
    """The clips that the CSV `path` lists, in its order.

    Raises EmotalkError for a file that is no such list, naming the line.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
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
    if ids != [clip.labels.clip_id for clip in clips]:
        double = next(c for c, i in zip(clips, ids, strict=True) if c.labels.clip_id != i)
        raise EmotalkError(
            f"{path} names the clip '{double.labels.clip_id}' twice.",
            "Give each row its own name in the column 'clip'.",
        )
    return clips


_COLUMNS = f"Its first line must name columns, of these: {', '.join(COLUMNS)}."


def _clip(path: Path, line: int, row: Mapping[str, str | None]) -> ClipSource:
    def cell(name: str) -> str:
        return (row.get(name) or "").strip()

    if not cell("path"):
        raise EmotalkError(f"{path}, line {line}: the column 'path' is empty.", _COLUMNS)
    name, _, strength = cell("emotion").partition(":")
    emotion = emotion_of(name)
    if name and not emotion:
        raise EmotalkError(
            f"{path}, line {line}: there is no emotion called '{name}'.",
            f"Known: {', '.join(EMOTIONS)}; one a clip, such as happy or happy:0.6.",
        )
    labels = Labels(
        clip_id=safe_id(cell("clip") or Path(cell("path")).stem),
        dataset=cell("dataset") or NAME,
        speaker=cell("speaker"),
        emotion=emotion,
        intensity=_intensity(path, line, strength or cell("intensity")),
        view=cell("view"),
        split=cell("split"),
    )
    sound = path.parent / cell("sound") if cell("sound") else None
    return ClipSource(path.parent / cell("path"), labels, sound)


def _intensity(path: Path, line: int, text: str) -> float:
    try:
        return parse_strength(text or "1")
    except EmotalkError as error:
        raise EmotalkError(
            f"{path}, line {line}: intensity '{text}'. {error.problem}", error.next_step
        ) from error
