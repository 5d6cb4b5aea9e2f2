"""What every corpus gives: where a clip's picture and sound lie, and what is known about it."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from emotalk_cli.schema import Labels

MAX_ID_BYTES = 150  # file names have at most 255, and temporary ones are longer
# fmt: off
VIDEO_SUFFIXES = frozenset({
    ".3g2", ".3gp", ".asf", ".avi", ".dv", ".f4v", ".flv", ".m2ts", ".m2v", ".m4v", ".mkv",
    ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".mxf", ".ogv", ".ts", ".vob", ".webm", ".wmv",
})
# fmt: on

Words = tuple[tuple[float, float, str], ...]


@dataclass(frozen=True)
class ClipSource:
    """One clip of a corpus on disk; `labels.clip_id` is unique in it and safe as a file name.

    `sound` is a file of its own where the video's own track is not the one to use. `words` are
    (start s, end s, word). `missing_sound` names the sound file that should be there and is not.
    `problem` says why the clip cannot be made, where what is listed of it is wrong.
    """

    path: Path
    labels: Labels
    sound: Path | None = None
    words: Words = ()
    missing_sound: str = ""
    problem: str = ""


def safe_id(*parts: str) -> str:
    """Join parts to a clip id of letters (of any script), digits, dot, dash and underscore."""
    plain = (re.sub(r"[^\w.-]+", "-", unicodedata.normalize("NFC", part)) for part in parts)
    text = "_".join(part.strip("-.") or "clip" for part in plain)
    return text.encode()[:MAX_ID_BYTES].decode(errors="ignore")


def unique_ids(ids: list[str]) -> list[str]:
    """The same ids, with -2, -3, ... added where one occurs again (upper and lower case alike)."""
    taken: set[str] = set()
    result = []
    for clip_id in ids:
        name, number = clip_id, 1
        while name.casefold() in taken:
            number += 1
            name = f"{clip_id}-{number}"
        taken.add(name.casefold())
        result.append(name)
    return result


def files_below(root: Path, suffixes: Collection[str] = VIDEO_SUFFIXES) -> list[Path]:
    """Files below `root` (or `root` itself) with such a suffix, hidden ones aside, in order."""
    if root.is_file():
        return [root]
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [
            Path(folder, name)
            for name in sorted(names)
            if not name.startswith(".") and Path(name).suffix.lower() in suffixes
        ]
    return found


def share_named(videos: Sequence[Path], is_named: Callable[[Path], object]) -> float:
    """Share of the videos for which `is_named` holds, 0..1."""
    return sum(bool(is_named(path)) for path in videos) / len(videos) if videos else 0.0
