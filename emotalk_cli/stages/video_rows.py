"""Rows of a manifest CSV -> one video to make each, or the reason why a row cannot be used."""

from __future__ import annotations

import csv
import dataclasses
import difflib
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from emotalk_cli.emotion_names import parse_strength
from emotalk_cli.errors import EmotalkError
from emotalk_cli.stages.video_options import FILES, VideoOptions

OWN_COLUMNS = ("audio", "face", "name")
NO_COLUMNS = ("c2pa",)
"""Options that hold for all rows."""
SHORT = {"size": "size_px"}
"""Columns that the command line spells shorter than `VideoOptions`."""
SURPLUS = "cells beyond the columns"
MAX_ROWS = 1_000_000
MAX_NAME = 120
_UNSAFE = re.compile(r"[^\w.+=@-]+")


@dataclass(frozen=True)
class VideoRow:
    """One video of a manifest; `problem` says why it cannot be made, where it cannot."""

    clip_id: str
    line: int
    audio: Path
    face: Path
    options: VideoOptions
    problem: str = ""


def read_rows(manifest: Path, defaults: VideoOptions) -> list[VideoRow]:
    """The videos that the CSV `manifest` lists, in its order.

    Columns: audio and face (paths, counted from the CSV's folder), name (of the mp4, without its
    ending) and any of `VideoOptions`; an empty cell takes the value of `defaults`. A bad row has a
    `problem`; a file that is no such list raises EmotalkError.
    """
    columns, rows = _read(manifest)
    missing = [name for name in ("audio", "face") if name not in columns]
    if missing:
        split = (
            " It seems to be parted by semicolons; use commas." if ";" in "".join(columns) else ""
        )
        raise EmotalkError(f"{manifest} has no column '{missing[0]}'.{split}", _possible())
    for name in columns:
        if name not in _known():
            near = difflib.get_close_matches(name, _known(), n=1)
            hint = f"Did you mean '{near[0]}'? " if near else ""
            raise EmotalkError(f"{manifest} has the unknown column '{name}'.", hint + _possible())
    if not rows:
        raise EmotalkError(f"{manifest} lists no videos.", _possible())
    made = [_row(manifest.parent, line, row, defaults) for line, row in rows]
    return list(_one_name_each(made))


def _read(manifest: Path) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    try:
        with manifest.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, restkey=SURPLUS, strict=True)
            columns = [_column(name) for name in reader.fieldnames or ()]
            rows = []
            for row in reader:
                surplus = row.pop(SURPLUS, None)
                cells = {_column(k): str(v or "").strip() for k, v in row.items() if k}
                if surplus:
                    cells[SURPLUS] = f"It has {len(row) + len(surplus)} cells, not {len(row)}."
                rows.append((reader.line_num, cells))
                if len(rows) > MAX_ROWS:
                    raise EmotalkError(f"{manifest} has over {MAX_ROWS} rows.", "Split it.")
    except OSError as error:
        reason = error.strerror or str(error)
        raise EmotalkError(f"{manifest} cannot be read: {reason}.", _possible()) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise EmotalkError(f"{manifest} cannot be read as a CSV: {error}.", _possible()) from error
    return columns, rows


def _column(name: str) -> str:
    word = name.strip().lower().replace("-", "_")
    return SHORT.get(word, word)


def _known() -> list[str]:
    options = [field.name for field in dataclasses.fields(VideoOptions)]
    return [*OWN_COLUMNS, *(name for name in options if name not in NO_COLUMNS)]


def _spelt() -> list[str]:
    """The columns as the command line spells its options."""
    short = {long: name for name, long in SHORT.items()}
    return [short.get(name, name) for name in _known()]


def _possible() -> str:
    return f"Its first line names columns, of these: {', '.join(_spelt())}."


def _row(folder: Path, line: int, cells: Mapping[str, str], defaults: VideoOptions) -> VideoRow:
    problem = "" if cells.get("audio") and cells.get("face") else "The audio or the face is empty."
    if SURPLUS in cells:
        problem = f'{cells[SURPLUS]} Put quotes around what holds commas: "happy:0.6,sad:0.3".'
    options = defaults
    try:
        options = _options(folder, cells, defaults)
    except EmotalkError as error:
        problem = problem or str(error)
    audio, face = folder / cells.get("audio", ""), folder / cells.get("face", "")
    name = cells.get("name", "")
    safe = _safe(name or default_name(audio, face, options))
    if name and safe != name:
        problem = problem or f"'{name}' cannot name a file; '{safe}' can."
    return VideoRow(safe, line, audio, face, options, problem)


def default_name(audio: Path | None, face: Path, options: VideoOptions) -> str:
    """What a video is called, without its ending, where nobody says."""
    words = re.sub(r"\W+", "_", options.emotion.replace("-", " minus "))[:40].strip("_")
    seed = f"_seed{options.seed}" if options.seed else ""
    strength = "" if options.intensity == 1 else f"_{options.intensity:g}"
    source = audio or options.motion or face
    spoken = source.stem if source.name != "-" else "standard_input"
    return f"{spoken}_{face.stem}_{words}{strength}{seed}"


def _options(folder: Path, cells: Mapping[str, str], defaults: VideoOptions) -> VideoOptions:
    """The defaults, with what the row says."""
    given: dict[str, Any] = {}
    for field in dataclasses.fields(VideoOptions):
        text = cells.get(field.name, "")
        if text:
            given[field.name] = (
                folder / text if field.name in FILES else _value(field.name, str(field.type), text)
            )
    options = replace(defaults, **given)
    options.check()
    return options


def _value(name: str, kind: str, text: str) -> Any:
    """One cell as the type of its option."""
    if name == "intensity":
        return parse_strength(text)
    try:
        if kind.startswith("int"):
            return int(text)
        if kind.startswith("float"):
            return float(text)
    except ValueError as error:
        raise EmotalkError(f"'{text}' in the column {name} is no number.") from error
    if kind.startswith("bool"):
        if text.lower() in ("1", "true", "yes"):
            return True
        if text.lower() in ("0", "false", "no"):
            return False
        raise EmotalkError(f"'{text}' in the column {name} is neither yes nor no.")
    return text


def _safe(name: str) -> str:
    """A name that can stand in any folder of any system, and cannot leave it."""
    return _UNSAFE.sub("_", name).lstrip(".-")[:MAX_NAME] or "video"


def _one_name_each(rows: list[VideoRow]) -> Iterator[VideoRow]:
    """The second row of a name gets a problem: it would replace what the first made."""
    counts: Counter[str] = Counter()
    for row in rows:
        counts[row.clip_id.casefold()] += 1
        number = counts[row.clip_id.casefold()]
        if number > 1 and not row.problem:
            problem = f"Another row above makes '{row.clip_id}' too; give each its own name."
            row = replace(row, problem=problem)
        yield row
